//! `DELETE /api/cache`.

use http::StatusCode;
use platform::http::Call;
use rental::error::Error;
use rental::http::{Answer, PurgeQuery};
use rental::operator::Purged;

/// Removes the caller's values whose names match a pattern; an administrator may name another tenant. It is never needed
/// for what the API writes: it is for rows that were changed in PostgreSQL behind its back.
pub async fn purge(call: &Call) -> Result<Answer, Error> {
    let query = PurgeQuery::parse(call.parts.uri.query());
    let tenant = match query.as_ref().ok().and_then(|query| query.tenant.clone()) {
        Some(tenant) => {
            call.caller().await?.must_be_admin()?;
            tenant
        }
        None => call.tenant().await?,
    };
    let query = query?;
    let purged = platform::operator::purge::purge(&call.instance, &tenant, &query.pattern, query.cursor).await?;
    let body = Purged { removed: purged.removed, cursor: purged.cursor.map(|cursor| cursor.to_string()) };
    Ok(Answer::json(StatusCode::OK, serde_json::to_vec(&body)?))
}
