//! `GET /api/properties/{id}`.

use crate::domain::{Property, PropertyId, TenantId};
use crate::error::Error;
use crate::sql::Statement;
use crate::sql::{Column, Parameter, RowReader};
use cache::Entry;

pub fn statement(tenant: &TenantId, id: PropertyId) -> Statement {
    Statement::read(tenant, "read_property(tenant.id, $2)").bind([Parameter::uuid(id)])
}

pub fn entry(rows: &[Vec<Column>]) -> Result<Entry, Error> {
    let Some(row) = rows.first() else {
        return Ok(Entry::not_there());
    };
    let property = Property::from_row(&mut RowReader::new(row))?;
    Ok(Entry { version: property.row_version().in_entry(), ..Entry::of(serde_json::to_vec(&property)?) })
}
