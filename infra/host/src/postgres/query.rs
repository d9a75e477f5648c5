//! Running statements: at once, or as a stream of rows.

use anyhow::Result;
use deadpool_postgres::Object;
use futures::{StreamExt, TryStreamExt};
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::RowStream;
use tokio_postgres::types::ToSql;

use super::errors::{query_failed, query_failed_with, with_causes};
use super::values;
use crate::bindings::spin::postgres::postgres::{Column, Error, ParameterValue, QueryError, Row, RowSet};
use crate::limits::MAX_BUFFERED_BYTES;
use crate::trace::Span;

/// How many rows a stream may be ahead of the component that reads it. Spin's number.
const ROWS_AHEAD: usize = 4;

/// A query whose rows are still coming.
pub struct Streamed {
    /// The columns, known from the first row alone: **none when there are no rows**.
    pub columns: Vec<Column>,
    /// The rows.
    pub rows: mpsc::Receiver<Row>,
    /// How the rows ended.
    pub end: oneshot::Receiver<Result<(), Error>>,
}

/// Runs a statement for its effect, and returns how many rows it touched.
pub async fn execute(connection: &Object, statement: &str, parameters: &[ParameterValue]) -> Result<u64, Error> {
    // The same mistake is a bad parameter in a query: Spin's two names for it.
    let parameters = convert(parameters).map_err(|error| Error::ValueConversionFailed(with_causes(&error)))?;
    let references: Vec<&(dyn ToSql + Sync)> =
        parameters.iter().map(|value| value.as_ref() as &(dyn ToSql + Sync)).collect();
    connection.execute(statement, &references).await.map_err(query_failed)
}

/// Runs a query and collects its rows.
///
/// A failure after the query has started is returned as text, a database error too. Spin does that in this function alone.
pub async fn query(connection: &Object, statement: &str, parameters: &[ParameterValue]) -> Result<RowSet, Error> {
    let rows = start(connection, statement, parameters).await?;
    collect(rows).await.map_err(|error| match error {
        Error::QueryFailed(QueryError::Text(text)) => query_failed_with(text),
        other => query_failed_with(format!("{other:?}")),
    })
}

async fn collect(rows: RowStream) -> Result<RowSet, Error> {
    let mut rows = Box::pin(rows);
    let mut set = RowSet { columns: Vec::new(), rows: Vec::new() };
    let mut bytes = size_of::<RowSet>();
    while let Some(row) = rows.try_next().await.map_err(query_failed)? {
        if set.rows.is_empty() {
            set.columns = values::columns(&row);
        }
        let row = values::row(&row).map_err(|error| query_failed_with(with_causes(&error)))?;
        bytes += values::size(&row);
        check_size(bytes)?;
        set.rows.push(row);
    }
    Ok(set)
}

/// Starts a query and returns once the first row is there, or the end. Its span ends with the rows: a statement may fail behind
/// them.
pub async fn stream(
    connection: &Object,
    statement: &str,
    parameters: &[ParameterValue],
    span: Span,
) -> Result<Streamed, Error> {
    let rows = match start(connection, statement, parameters).await {
        Ok(rows) => rows,
        Err(error) => return span.end(Err(error)),
    };
    let (columns_tx, columns) = oneshot::channel();
    let (rows_tx, rows_rx) = mpsc::channel(ROWS_AHEAD);
    let (end_tx, end) = oneshot::channel();
    tokio::spawn(async move {
        // The component may be gone by now.
        let _ = end_tx.send(span.end(forward(rows, columns_tx, rows_tx).await));
    });
    Ok(Streamed { columns: columns.await.unwrap_or_default(), rows: rows_rx, end })
}

/// Sends the rows on until they end or the reader is gone.
async fn forward(
    rows: RowStream,
    columns: oneshot::Sender<Vec<Column>>,
    sender: mpsc::Sender<Row>,
) -> Result<(), Error> {
    let mut rows = Box::pin(rows);
    let mut columns = Some(columns);
    loop {
        let row = tokio::select! {
            biased;
            () = sender.closed() => return Ok(()),
            row = rows.next() => row,
        };
        let Some(row) = row else { return Ok(()) };
        let row = row.map_err(query_failed)?;
        if let Some(columns) = columns.take() {
            let _ = columns.send(values::columns(&row));
        }
        let row = values::row(&row).map_err(|error| query_failed_with(with_causes(&error)))?;
        check_size(values::size(&row))?;
        if sender.send(row).await.is_err() {
            return Err(query_failed_with("async error: channel closed"));
        }
    }
}

async fn start(connection: &Object, statement: &str, parameters: &[ParameterValue]) -> Result<RowStream, Error> {
    let parameters = convert(parameters).map_err(|error| Error::BadParameter(with_causes(&error)))?;
    connection.query_raw(statement, parameters).await.map_err(query_failed)
}

fn convert(parameters: &[ParameterValue]) -> Result<Vec<values::Parameter>> {
    parameters.iter().map(values::parameter).collect()
}

fn check_size(bytes: usize) -> Result<(), Error> {
    if bytes > MAX_BUFFERED_BYTES {
        return Err(query_failed_with(format!("query result exceeds limit of {MAX_BUFFERED_BYTES} bytes")));
    }
    Ok(())
}
