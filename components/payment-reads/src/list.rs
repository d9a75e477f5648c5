//! `GET /api/properties/{propertyId}/payments`.

use platform::http::Call;
use platform::read::read;
use rental::domain::{PropertyId, TenantId};
use rental::error::Error;
use rental::http::{self, Answer};
use rental::source::Source;

/// Answers with one page of a property's payments.
pub async fn list(call: &Call, tenant: &TenantId, property: PropertyId) -> Result<Answer, Error> {
    let source = Source::payments(property, call.parts.uri.query())?;
    let (entry, status) = read(&call.instance, tenant, &source).await?;
    Ok(http::list(entry, status, &call.parts))
}
