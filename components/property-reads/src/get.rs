//! `GET /api/properties/{id}`.

use shared::cache::{Entry, Resource};
use shared::domain::{Property, PropertyId, TenantId};
use shared::error::Error;
use shared::http::{Answer, single};
use shared::row::{Parameter, RowReader};
use shared::spin::{Cached, Call, query, read_through};
use shared::statement::Statement;

/// Answers with one property of the tenant.
pub async fn get(call: &Call, tenant: &TenantId, id: PropertyId) -> Result<Answer, Error> {
    let wanted = Cached { tenant, resource: Resource::Property(id), field: "" };
    let (entry, status) = read_through(&call.config, wanted, async || fetch(call, tenant, id).await).await?;
    Ok(single(entry, status, &call.parts))
}

async fn fetch(call: &Call, tenant: &TenantId, id: PropertyId) -> Result<Entry, Error> {
    let sql = format!("SELECT {} FROM properties p WHERE p.tenant_id = $1 AND p.id = $2", Property::COLUMNS);
    let rows = query(&call.config, Statement::select(tenant, &sql).bind([Parameter::uuid(id)])).await?;
    let Some(row) = rows.first() else {
        return Ok(Entry::not_there());
    };
    let property = Property::from_row(&mut RowReader::new(row))?;
    Ok(Entry { found: true, version: Some(property.row_version()), owner: None, body: serde_json::to_vec(&property)? })
}
