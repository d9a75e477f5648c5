//! PostgreSQL: a connection is taken from the host's pool for one statement and given back at once. There are no
//! transactions: the pool does not roll back, so what one request left open the next could commit.

use super::clock::{elapsed, timed, within};
use super::{database, metrics};
use crate::config::Config;
use crate::error::Error;
use crate::metrics::{Count, Timing};
use crate::row::{Column, Parameter, RowReader};
use crate::scope::{self, Share};
use crate::statement::Statement;
use async_lock::Semaphore;
use spin_sdk::pg::{Connection, DbValue, Error as SdkError, ParameterValue, PgError, QueryError};
use std::cell::OnceCell;
use std::sync::Arc;

/// Why a statement has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What the caller is told.
    pub error: Error,
    /// The kind of failure, as it is counted.
    pub kind: &'static str,
    /// Whether the statement may have taken effect all the same, now or later.
    pub may_have_run: bool,
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

thread_local! {
    /// Turns for the reads of this instance.
    static TURNS: OnceCell<Arc<Semaphore>> = const { OnceCell::new() };
}

/// Runs one statement of a reader. When the cache is out of use every read comes here: an instance lets so many through at
/// a time, the next wait for a moment, and the rest is refused while PostgreSQL is still well.
///
/// # Errors
/// [`Error::Unavailable`] when PostgreSQL cannot be reached or does not answer within the deadline, [`Error::Busy`] when
/// its turn does not come in time.
pub async fn query(config: &Config, statement: Statement) -> Result<Vec<Vec<Column>>, Error> {
    let turns =
        TURNS.with(|turns| Arc::clone(turns.get_or_init(|| Arc::new(Semaphore::new(config.database_concurrency)))));
    let Some(_turn) = within(config.database_queue, turns.acquire()).await else {
        metrics::count(Count::PostgresRejected);
        return Err(Error::Busy);
    };
    run(config, statement).await.map_err(Error::from)
}

/// Whether PostgreSQL answers. It waits for no turn: a busy instance is well.
pub async fn database_answers(config: &Config) -> bool {
    send(config, "SELECT 1", Vec::new()).await.is_ok()
}

/// Runs one statement and says of a failure whether the statement may have run.
pub async fn run(config: &Config, statement: Statement) -> Result<Vec<Vec<Column>>, Failure> {
    let (sql, parameters) = statement.into_parts();
    send(config, &sql, parameters).await
}

/// Calls one of the schema's functions. What is done for all tenants at once is done by those: there is no other statement
/// without a tenant.
pub async fn call(
    config: &Config,
    function: &'static str,
    parameters: Vec<Parameter>,
) -> Result<Vec<Vec<Column>>, Failure> {
    let numbers: Vec<String> = (1..=parameters.len()).map(|number| format!("${number}")).collect();
    send(config, &format!("SELECT * FROM {function}({})", numbers.join(", ")), parameters).await
}

/// Whether PostgreSQL itself keeps this component to one tenant's rows. It does not when `database_url` has the role that
/// owns the tables, or one that may bypass their policies.
///
/// # Errors
/// When PostgreSQL fails.
pub async fn row_level_security_holds(config: &Config) -> Result<bool, Error> {
    let rows = call(config, "row_level_security_holds", Vec::new()).await?;
    let row = rows.first().ok_or_else(|| Error::Internal("a function answers no row".into()))?;
    Ok(RowReader::new(row).boolean()?)
}

async fn send(config: &Config, sql: &str, parameters: Vec<Parameter>) -> Result<Vec<Vec<Column>>, Failure> {
    let began = elapsed();
    let work = async {
        let connection = Connection::open(config.database_url.as_str()).await.map_err(not_reached)?;
        // `Config::longest_statement` counts on it that nothing is sent later.
        if elapsed().saturating_sub(began) > config.database_timeout {
            return Err(late(false));
        }
        let parameters: Vec<ParameterValue> = parameters.into_iter().map(parameter).collect();
        let mut result = connection.query(sql, parameters).await.map_err(failed)?;
        let mut rows = Vec::new();
        while let Some(row) = result.rows().next().await {
            rows.push(row.into_iter().map(column).collect::<Result<Vec<Column>, Failure>>()?);
        }
        result.result().await.map_err(failed)?;
        Ok(rows)
    };
    let (result, took) = timed(config.database_timeout, work).await;
    let result = result.unwrap_or_else(|| Err(late(true)));
    metrics::time(Timing::Postgres, took);
    scope::add(Share::Postgres, took);
    if let Err(failure) = &result {
        metrics::count(Count::PostgresError(failure.kind));
        if failure.kind == "unavailable" {
            database::suspect();
        }
    }
    result
}

fn late(may_have_run: bool) -> Failure {
    let error = Error::Unavailable("PostgreSQL did not answer within the deadline".into());
    Failure { error, kind: "timeout", may_have_run }
}

fn not_reached(error: SdkError) -> Failure {
    let error = Error::Unavailable(format!("PostgreSQL cannot be reached: {error:?}"));
    Failure { error, kind: "unavailable", may_have_run: false }
}

/// Sorts the error of a statement by its SQLSTATE (PostgreSQL documentation, appendix A).
fn failed(error: SdkError) -> Failure {
    let text = format!("PostgreSQL: {error:?}");
    let SdkError::PgError(PgError::QueryFailed(QueryError::DbError(details))) = &error else {
        // No answer of the server: the connection broke, and nobody knows when.
        return Failure { error: Error::Unavailable(text), kind: "unavailable", may_have_run: true };
    };
    // 08 connection, 53 out of resources, 57 operator intervention (57014: the statement timeout), 58 system, 40001 and
    // 40P01 a lost race, 55P03 the lock timeout and RT001 a write that came too late (both of `begin_write`): all of them
    // pass. Anything else is a defect of ours.
    let code = details.code.as_str();
    let passes = ["08", "53", "57", "58"].iter().any(|class| code.starts_with(class))
        || ["40001", "40P01", "55P03", "RT001"].contains(&code);
    let kind = match code {
        "57014" | "55P03" | "RT001" => "timeout",
        _ if passes => "unavailable",
        _ => "internal",
    };
    let error = if passes { Error::Unavailable(text) } else { Error::Internal(text) };
    Failure { error, kind, may_have_run: false }
}

fn parameter(parameter: Parameter) -> ParameterValue {
    match parameter {
        Parameter::Null => ParameterValue::DbNull,
        Parameter::Text(text) => ParameterValue::Str(text),
        Parameter::Uuid(text) => ParameterValue::Uuid(text),
        Parameter::Integer(number) => ParameterValue::Int64(number),
        Parameter::Decimal(text) => ParameterValue::Decimal(text),
        Parameter::Integers(numbers) => ParameterValue::ArrayInt64(numbers.into_iter().map(Some).collect()),
        Parameter::Texts(texts) => ParameterValue::ArrayStr(texts.into_iter().map(Some).collect()),
    }
}

fn column(value: DbValue) -> Result<Column, Failure> {
    Ok(match value {
        DbValue::DbNull => Column::Null,
        DbValue::Boolean(value) => Column::Boolean(value),
        DbValue::Int64(number) => Column::Integer(number),
        DbValue::Int32(number) => Column::Integer(number.into()),
        DbValue::Str(text) | DbValue::Uuid(text) | DbValue::Decimal(text) => Column::Text(text),
        DbValue::ArrayStr(texts) => Column::Texts(texts.into_iter().flatten().collect()),
        other => {
            return Err(Failure {
                error: Error::Internal(format!("a query answers a type that is not read: {other:?}")),
                kind: "internal",
                may_have_run: true,
            });
        }
    })
}
