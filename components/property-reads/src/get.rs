//! `GET /api/properties/{id}`.

use platform::http::Call;
use platform::read::read;
use rental::domain::{PropertyId, TenantId};
use rental::error::Error;
use rental::http::{Answer, single};
use rental::source::Source;

/// Answers with one property of the tenant.
pub async fn get(call: &Call, tenant: &TenantId, id: PropertyId) -> Result<Answer, Error> {
    let (entry, status) = read(&call.instance, tenant, &Source::Property(id)).await?;
    Ok(single(entry, status, &call.parts))
}
