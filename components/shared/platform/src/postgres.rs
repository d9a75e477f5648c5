//! PostgreSQL: a connection is taken from the host's pool for one statement and given back at once. There are no
//! transactions: the pool does not roll back, so what one request left open the next could commit.
//!
//! A connection is opened to a server that takes writes (`target_session_attrs`, see [`Config::database_url`]): a standby may
//! be behind. A pool keeps connections for as long as they last, also those to a server that has stopped taking writes while
//! the address leads to another by now. So each statement asks for that (`is_current` in
//! `infra/migrations/0015_current_server.sql`; what writes is refused anyway), the session is ended, and the statement sent again.

use super::clock::{elapsed, timed, within};
use super::{database, metrics};
use rental::config::Config;
use rental::error::Error;
use crate::log::{self, Level};
use rental::metrics::{Count, Timing};
use crate::scope::{self, Share};
use rental::sql::DatabaseHealth;
use rental::sql::sqlstate::{self, Meaning, READ_ONLY, SILENT, TOO_LATE};
use rental::sql::{CURRENT, CURRENT_WITHOUT_WRITES, Statement};
use rental::sql::{Column, Parameter, RowReader};
use async_lock::Semaphore;
use spin_sdk::pg::{Connection, DbValue, Error as SdkError, ParameterValue, PgError, QueryError};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;

/// How many sessions one statement ends at most: as many as a pool of the host's has connections, and one more.
const MAX_ENDED: usize = 65;
/// Ends the session that it runs in, also where nothing can be written.
const END_SESSION: &str = "SELECT pg_terminate_backend(pg_backend_pid())";

/// Why a statement has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What the caller is told.
    pub error: Error,
    /// The kind of failure, as it is counted.
    pub kind: &'static str,
    /// Whether the statement may have taken effect all the same, now or later.
    pub may_have_run: bool,
    /// What it means, in words.
    pub words: &'static str,
}

impl Failure {
    /// `text` is for the log.
    fn new(meaning: Meaning, text: String) -> Self {
        let Meaning { kind, words, passes, may_have_run } = meaning;
        let error = if passes { Error::Unavailable(text) } else { Error::Internal(text) };
        Self { error, kind, may_have_run, words }
    }
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

/// How PostgreSQL is. It waits for no turn: a busy instance is well.
pub async fn database_health(config: &Config) -> DatabaseHealth {
    let sql = format!(
        "SELECT current_setting('transaction_read_only') = 'on', current_setting('transaction_isolation') WHERE {CURRENT}"
    );
    let rows = match send(config, &sql, Vec::new()).await {
        Ok(rows) => rows,
        Err(failure) => return DatabaseHealth::failing(failure.kind, failure.words),
    };
    let settings = rows.first().and_then(|row| {
        let mut row = RowReader::new(row);
        Some((row.boolean().ok()?, row.text().ok()?))
    });
    settings.map_or_else(
        || DatabaseHealth::failing("internal", "it answers no row"),
        |(it, how)| DatabaseHealth::answering(it, how),
    )
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
    send(config, &format!("SELECT * FROM {function}({}) WHERE {CURRENT}", numbers.join(", ")), parameters).await
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
    let is_late = || elapsed().saturating_sub(began) > config.database_timeout;
    let work = async {
        let parameters: Vec<ParameterValue> = parameters.into_iter().map(parameter).collect();
        for _ in 0..MAX_ENDED {
            let opened = open(config).await?;
            // `Config::longest_statement` counts on it that nothing is sent later.
            if is_late() {
                return Err(late(false));
            }
            let sql = match opened.is_for_writes {
                true => Cow::Borrowed(sql),
                false => Cow::Owned(sql.replace(CURRENT, CURRENT_WITHOUT_WRITES)),
            };
            match ask(&opened.connection, &sql, parameters.clone()).await {
                Err(failure) if failure.kind == READ_ONLY.kind && opened.is_for_writes => {
                    log::write(Level::Warn, "postgres.session_ended", &[("error", &failure.error.to_string())]);
                    // It answers that it has ended.
                    let _ = ask(&opened.connection, END_SESSION, Vec::new()).await;
                }
                outcome => return outcome,
            }
        }
        Err(Failure::new(READ_ONLY, "PostgreSQL: session after session is read-only".into()))
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
        if failure.words == TOO_LATE.words {
            // Its time was told by a clock that another server may not have.
            database::forget();
        }
    }
    result
}

/// A connection out of the host's pool.
struct Opened {
    connection: Connection,
    /// Whether its server took writes when it was opened.
    is_for_writes: bool,
}

/// Opens a connection to a server that takes writes, or, where there is none, to any: while nobody can write, what a primary
/// shows is as it is. Each statement looks anew: another server may take writes at any moment, and what the first shows is then old.
async fn open(config: &Config) -> Result<Opened, Failure> {
    match Connection::open(config.database_url.as_str()).await.map_err(not_reached) {
        Err(failure) if failure.kind == READ_ONLY.kind => {
            let connection = Connection::open(config.any_database_url()).await.map_err(not_reached)?;
            Ok(Opened { connection, is_for_writes: false })
        }
        opened => Ok(Opened { connection: opened?, is_for_writes: true }),
    }
}

async fn ask(connection: &Connection, sql: &str, parameters: Vec<ParameterValue>) -> Result<Vec<Vec<Column>>, Failure> {
    let mut result = connection.query(sql, parameters).await.map_err(failed)?;
    let mut rows = Vec::new();
    while let Some(row) = result.rows().next().await {
        rows.push(row.into_iter().map(column).collect::<Result<Vec<Column>, Failure>>()?);
    }
    // The statement is committed behind its rows, and may fail there.
    result.result().await.map_err(failed)?;
    Ok(rows)
}

fn late(may_have_run: bool) -> Failure {
    Failure::new(Meaning { may_have_run, ..SILENT }, "PostgreSQL did not answer within the deadline".into())
}

fn not_reached(error: SdkError) -> Failure {
    let text = format!("{error:?}");
    Failure::new(sqlstate::meaning_of_no_connection(&text), format!("PostgreSQL cannot be reached: {text}"))
}

fn failed(error: SdkError) -> Failure {
    let meaning = match &error {
        SdkError::PgError(PgError::QueryFailed(QueryError::DbError(details))) => sqlstate::meaning(&details.code),
        // No answer of the server: the connection broke, and nobody knows when.
        _ => sqlstate::BROKEN,
    };
    Failure::new(meaning, format!("PostgreSQL: {error:?}"))
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
            let text = format!("a query answers a type that is not read: {other:?}");
            return Err(Failure::new(sqlstate::UNREADABLE, text));
        }
    })
}
