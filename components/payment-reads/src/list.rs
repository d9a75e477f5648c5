//! `GET /api/properties/{propertyId}/payments`.

use shared::domain::{PropertyId, TenantId};
use shared::error::Error;
use shared::http::{self, Answer};
use shared::source::Source;
use shared::spin::{Call, read};

/// Answers with one page of a property's payments.
pub async fn list(call: &Call, tenant: &TenantId, property: PropertyId) -> Result<Answer, Error> {
    let source = Source::payments(property, call.parts.uri.query())?;
    let (entry, status) = read(&call.config, tenant, &source).await?;
    Ok(http::list(entry, status, &call.parts))
}
