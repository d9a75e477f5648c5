//! `GET /api/properties`.

use shared::domain::TenantId;
use shared::error::Error;
use shared::http::{self, Answer};
use shared::source::Source;
use shared::spin::{Call, read};

/// Answers with one page of the tenant's properties, by its number or, with `after`, by keyset.
pub async fn list(call: &Call, tenant: &TenantId) -> Result<Answer, Error> {
    let source = Source::properties(call.parts.uri.query())?;
    let (entry, status) = read(&call.config, tenant, &source).await?;
    Ok(http::list(entry, status, &call.parts))
}
