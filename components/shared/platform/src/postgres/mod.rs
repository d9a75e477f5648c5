//! PostgreSQL: a connection is taken from the host's pool for one statement and given back at once. There are no
//! transactions: the pool does not roll back, so what one request left open the next could commit.
//!
//! A connection is opened to a server that takes writes (`target_session_attrs`, see
//! [`rental::config::Config::database_url`]): a standby may be behind. A pool keeps connections for as long as they last, also
//! those to a server that has stopped taking writes while the address leads to another by now. So each statement asks for
//! that ([`rental::sql::CURRENT`]; what writes is refused anyway), the session is ended, and the statement sent again.

pub mod database_state;
mod failure;
pub mod health;
pub mod idempotency;
pub mod outbox;
mod session;
mod values;
pub mod writes_in_progress;

pub use failure::Failure;

use crate::instance::Instance;
use crate::log::{self, Level};
use crate::scope::{self, Share};
use crate::sdk::pg::ParameterValue;
use crate::time::clock::elapsed;
use crate::time::{timed, within};
use failure::late;
use rental::error::Error;
use rental::metrics::{Count, Timing};
use rental::sql::sqlstate::{Kind, READ_ONLY, TOO_LATE};
use rental::sql::{CURRENT, CURRENT_WITHOUT_WRITES, Column, Parameter, Statement};
use session::{END_SESSION, Pool, ask, open, open_at};
use std::borrow::Cow;
use values::parameter;

/// How many sessions one statement ends at most: as many as a pool of the host's has connections, and one more.
const MAX_ENDED: usize = 65;
/// Runs one statement of a reader. When the cache is out of use every read comes here: an instance lets so many through at
/// a time, the next wait for a moment, and the rest is refused while PostgreSQL is still well.
///
/// # Errors
/// [`Error::Unavailable`] when PostgreSQL cannot be reached or does not answer within the deadline, [`Error::Busy`] when
/// its turn does not come in time.
pub async fn query(instance: &Instance, statement: Statement) -> Result<Vec<Vec<Column>>, Error> {
    let Some(_turn) = within(instance.config.database_queue, instance.turns.acquire()).await else {
        instance.counts.count(Count::PostgresRejected);
        return Err(Error::Busy);
    };
    let (sql, parameters) = statement.into_parts();
    execute(instance, Pool::Common, &sql, parameters).await.map_err(Error::from)
}

/// Runs one statement of a write and says of a failure whether the statement may have run.
pub async fn run_write(instance: &Instance, statement: Statement) -> Result<Vec<Vec<Column>>, Failure> {
    let (sql, parameters) = statement.into_parts();
    execute(instance, Pool::Writes, &sql, parameters).await
}

/// Calls one of the schema's functions. What is done for all tenants at once is done by those: there is no other statement
/// without a tenant.
pub async fn call(
    instance: &Instance,
    function: &'static str,
    parameters: Vec<Parameter>,
) -> Result<Vec<Vec<Column>>, Failure> {
    let numbers: Vec<String> = (1..=parameters.len()).map(|number| format!("${number}")).collect();
    let sql = format!("SELECT * FROM {function}({}) WHERE {CURRENT}", numbers.join(", "));
    execute(instance, Pool::Common, &sql, parameters).await
}

/// Runs one statement at a standby, once. What becomes of it says nothing of the primary.
///
/// # Errors
/// [`Error::Unavailable`] when it cannot be reached; its own errors.
pub async fn at_standby(
    instance: &Instance,
    url: &str,
    sql: &str,
    parameters: Vec<Parameter>,
) -> Result<Vec<Vec<Column>>, Error> {
    let began = elapsed();
    let result = async {
        let connection = open_at(url).await?;
        ask(&connection, sql, parameters.into_iter().map(parameter).collect()).await
    };
    let result = result.await;
    let took = elapsed().saturating_sub(began);
    instance.counts.time(Timing::Postgres, took);
    scope::add(Share::Postgres, took);
    result.map_err(Error::from)
}

async fn execute(
    instance: &Instance,
    pool: Pool,
    sql: &str,
    parameters: Vec<Parameter>,
) -> Result<Vec<Vec<Column>>, Failure> {
    let began = elapsed();
    let is_late = || elapsed().saturating_sub(began) > instance.config.database_timeout;
    let work = async {
        let parameters: Vec<ParameterValue> = parameters.into_iter().map(parameter).collect();
        for _ in 0..MAX_ENDED {
            let opened = open(instance, pool).await?;
            // `Config::longest_statement` counts on it that nothing is sent later.
            if is_late() {
                return Err(late(false));
            }
            let sql = match opened.is_for_writes {
                true => Cow::Borrowed(sql),
                false => Cow::Owned(sql.replace(CURRENT, CURRENT_WITHOUT_WRITES)),
            };
            match ask(&opened.connection, &sql, parameters.clone()).await {
                Err(failure) if failure.kind == Kind::ReadOnly && opened.is_for_writes => {
                    log::write(Level::Warn, "postgres.session_ended", &[("error", &failure.error.to_string())]);
                    // It answers that it has ended.
                    let _ = ask(&opened.connection, END_SESSION, Vec::new()).await;
                }
                outcome => return outcome,
            }
        }
        Err(Failure::new(READ_ONLY, "PostgreSQL: session after session is read-only".into()))
    };
    let (result, took) = timed(instance.config.database_timeout, work).await;
    let result = result.unwrap_or_else(|| Err(late(true)));
    instance.counts.time(Timing::Postgres, took);
    scope::add(Share::Postgres, took);
    if let Err(failure) = &result {
        instance.counts.count(Count::PostgresError(failure.kind));
        if failure.kind == Kind::Unavailable {
            instance.database.is_suspect.set(true);
        }
        if failure.words == TOO_LATE.words {
            // Its time was told by a clock that another server may not have.
            instance.database.lease.replace(None);
        }
    }
    result
}
