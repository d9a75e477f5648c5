//! What PostgreSQL is asked for health.

use super::{Pool, call, execute};
use crate::instance::Instance;
use rental::error::Error;
use rental::sql::sqlstate::Kind;
use rental::sql::{CURRENT, DatabaseHealth, RowReader};

/// How PostgreSQL is. It waits for no turn: a busy instance is well.
pub async fn database_health(instance: &Instance) -> DatabaseHealth {
    let sql = format!(
        "SELECT current_setting('transaction_read_only') = 'on', current_setting('transaction_isolation') WHERE {CURRENT}"
    );
    let rows = match execute(instance, Pool::Common, &sql, Vec::new()).await {
        Ok(rows) => rows,
        Err(failure) => return DatabaseHealth::failing(failure.kind, failure.words),
    };
    let settings = rows.first().and_then(|row| {
        let mut row = RowReader::new(row);
        Some((row.boolean().ok()?, row.text().ok()?))
    });
    settings.map_or_else(
        || DatabaseHealth::failing(Kind::Internal, "it answers no row"),
        |(it, how)| DatabaseHealth::answering(it, how),
    )
}

/// From how many addresses the components' role is connected to PostgreSQL: each host has one, and a pooler between has its own.
///
/// # Errors
/// When PostgreSQL fails.
pub async fn client_hosts(instance: &Instance) -> Result<i64, Error> {
    // A session sees the addresses of its own role's sessions; one by a Unix socket has none.
    let sql = format!(
        "SELECT count(DISTINCT coalesce(host(client_addr), '')) FROM pg_stat_activity WHERE usename = current_user AND {CURRENT}"
    );
    let rows = execute(instance, Pool::Common, &sql, Vec::new()).await.map_err(Error::from)?;
    let row = rows.first().ok_or_else(|| Error::Internal("a count answers no row".into()))?;
    Ok(RowReader::new(row).integer()?)
}

/// Whether PostgreSQL itself keeps this component to one tenant's rows. It does not when `database_url` has the role that
/// owns the tables, or one that may bypass their policies.
///
/// # Errors
/// When PostgreSQL fails.
pub async fn row_level_security_holds(instance: &Instance) -> Result<bool, Error> {
    let rows = call(instance, "row_level_security_holds", Vec::new()).await?;
    let row = rows.first().ok_or_else(|| Error::Internal("a function answers no row".into()))?;
    Ok(RowReader::new(row).boolean()?)
}
