//! `GET /api/properties`.

use platform::http::Call;
use platform::read::read;
use rental::domain::TenantId;
use rental::error::Error;
use rental::http::{self, Answer};
use rental::source::Source;

/// Answers with one page of the tenant's properties, by its number or, with `after`, by keyset.
pub async fn list(call: &Call, tenant: &TenantId) -> Result<Answer, Error> {
    let source = Source::properties(call.parts.uri.query())?;
    let (entry, status) = read(&call.instance, tenant, &source).await?;
    Ok(http::list(entry, status, &call.parts))
}
