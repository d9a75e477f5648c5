//! `GET /api/paymentmethods`.

use cache::CacheStatus;
use http::StatusCode;
use platform::http::Call;
use platform::postgres::query;
use rental::domain::{PaymentMethod, TenantId};
use rental::error::Error;
use rental::http::Answer;
use rental::sql::{RowReader, Statement};

/// Answers with the system's and the tenant's own methods. They are not cached: nothing here writes them, so nothing here
/// could invalidate them.
pub async fn list(call: &Call, tenant: &TenantId) -> Result<Answer, Error> {
    let sql = format!(
        "SELECT {} FROM payment_methods m WHERE m.tenant_id IN ('~system', $1) ORDER BY m.name, m.id",
        PaymentMethod::COLUMNS
    );
    let rows = query(&call.instance, Statement::select(tenant, &sql)).await?;
    let methods =
        rows.iter().map(|row| PaymentMethod::from_row(&mut RowReader::new(row))).collect::<Result<Vec<_>, _>>()?;
    Ok(Answer::json(StatusCode::OK, serde_json::to_vec(&methods)?).with_cache_status(CacheStatus::Bypass))
}
