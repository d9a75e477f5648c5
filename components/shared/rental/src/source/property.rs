//! `GET /api/properties/{id}`.

use crate::domain::{Property, PropertyId, TenantId};
use crate::error::Error;
use crate::sql::Statement;
use crate::sql::{Column, Parameter, RowReader};
use cache::Entry;

pub fn statement(tenant: &TenantId, id: PropertyId) -> Statement {
    let sql = format!("SELECT {} FROM properties p WHERE p.tenant_id = $1 AND p.id = $2", Property::COLUMNS);
    Statement::select(tenant, &sql).bind([Parameter::uuid(id)])
}

pub fn entry(rows: &[Vec<Column>]) -> Result<Entry, Error> {
    let Some(row) = rows.first() else {
        return Ok(Entry::not_there());
    };
    let property = Property::from_row(&mut RowReader::new(row))?;
    Ok(Entry { version: property.row_version().in_entry(), ..Entry::of(serde_json::to_vec(&property)?) })
}
