//! `GET /api/properties/{id}`.

use shared::domain::{PropertyId, TenantId};
use shared::error::Error;
use shared::http::{Answer, single};
use shared::source::Source;
use shared::spin::{Call, read};

/// Answers with one property of the tenant.
pub async fn get(call: &Call, tenant: &TenantId, id: PropertyId) -> Result<Answer, Error> {
    let (entry, status) = read(&call.config, tenant, &Source::Property(id)).await?;
    Ok(single(entry, status, &call.parts))
}
