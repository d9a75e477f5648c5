//! One connection out of the host's pool, for one statement.

use super::failure::{Failure, failed, not_reached};
use super::values::column;
use crate::instance::Instance;
use crate::sdk::pg::{Connection, ParameterValue};
use rental::sql::Column;
use rental::sql::sqlstate::Kind;
use std::borrow::Cow;

/// Ends the session that it runs in, also where nothing can be written.
pub const END_SESSION: &str = "SELECT pg_terminate_backend(pg_backend_pid())";

/// A connection out of the host's pool.
pub struct Opened {
    /// The connection.
    pub connection: Connection,
    /// Whether its server took writes when it was opened.
    pub is_for_writes: bool,
}

/// Which of the host's pools a connection comes from; the host has one for each component and connection string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// For every other statement.
    Common,
    /// For the statements of writes. A commit that waits for a lost standby outlives its deadline, and its session returns to the
    /// pool while it waits; a read that got this session would time out. Where `writes` is a component, its pool is separate
    /// already.
    Writes,
}

impl Pool {
    fn address(self, instance: &Instance) -> Cow<'_, str> {
        match self {
            Self::Writes if cfg!(feature = "without-chaining") => Cow::Owned(instance.config.database_url_of_writes()),
            Self::Writes | Self::Common => Cow::Borrowed(&instance.config.database_url),
        }
    }
}

/// Opens a connection to a server that takes writes, or, where there is none, to any: while nobody can write, what a primary
/// shows is as it is. Each statement looks anew: another server may take writes at any moment, and what the first shows is then old.
pub async fn open(instance: &Instance, pool: Pool) -> Result<Opened, Failure> {
    match Connection::open(pool.address(instance).as_ref()).await.map_err(not_reached) {
        Err(failure) if failure.kind == Kind::ReadOnly => {
            let connection = Connection::open(instance.config.any_database_url()).await.map_err(not_reached)?;
            Ok(Opened { connection, is_for_writes: false })
        }
        opened => Ok(Opened { connection: opened?, is_for_writes: true }),
    }
}

/// Opens a connection to a standby.
pub async fn open_at(url: &str) -> Result<Connection, Failure> {
    Connection::open(url).await.map_err(not_reached)
}

/// Runs a statement, and reads all its rows.
pub async fn ask(
    connection: &Connection,
    sql: &str,
    parameters: Vec<ParameterValue>,
) -> Result<Vec<Vec<Column>>, Failure> {
    let mut result = connection.query(sql, parameters).await.map_err(failed)?;
    let mut rows = Vec::new();
    while let Some(row) = result.rows().next().await {
        rows.push(row.into_iter().map(column).collect::<Result<Vec<Column>, Failure>>()?);
    }
    // The statement is committed behind its rows, and may fail there.
    result.result().await.map_err(failed)?;
    Ok(rows)
}
