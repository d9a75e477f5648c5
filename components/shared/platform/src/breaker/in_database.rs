//! The breaker's record in one row of PostgreSQL (`infra/migrations/0018_breaker_record.sql`): one statement reads it, one swaps it,
//! and both tell PostgreSQL's clock.

use crate::instance::Instance;
use crate::key_value::{SWAP_ATTEMPTS, Unreadable};
use crate::log::{self, Level};
use crate::postgres::{Failure, call};
use crate::time::clock::elapsed;
use crate::time::within;
use cache::breaker::{Event, Lease, Record, next};
use rental::sql::{Column, Parameter, RowError, RowReader};
use std::time::Duration;

/// What a statement says of the record.
struct Row {
    /// When the statement was sent, on the instance's monotonic clock.
    sent_at: Duration,
    /// The text; `None` when there is no record.
    text: Option<String>,
    is_of_this_run: bool,
    run: String,
    clock_ms: u64,
}

/// Reads the record; `None` when there is none yet, or none that can be understood.
///
/// # Errors
/// When PostgreSQL does not answer in time.
pub async fn read(instance: &Instance) -> Result<Option<Lease>, Unreadable> {
    let answer = within(instance.config.key_value_timeout, look(instance)).await;
    let row = answer.ok_or_else(|| Unreadable("PostgreSQL did not answer within key_value_timeout_ms".into()))??;
    let row = into_this_run(instance, row).await?;
    Ok(row.record().map(|record| Lease::new(record, row.sent_at)))
}

/// Applies the event of a moment, Unix time in milliseconds by PostgreSQL's clock, to the record.
///
/// # Errors
/// When PostgreSQL does not answer, or takes no writes.
pub async fn swap<'a>(
    instance: &Instance,
    event: impl Fn(u64) -> Event<'a>,
) -> Result<(Lease, Option<Record>), Unreadable> {
    let mut row = look(instance).await?;
    for _ in 0..SWAP_ATTEMPTS {
        row = into_this_run(instance, row).await?;
        let Some(record) = row.record() else {
            (_, row) = exchange(instance, &row, &Record::initial(row.clock_ms)).await?;
            continue;
        };
        let event = event(row.clock_ms);
        let Some(changed) = next(&record, event, row.clock_ms, instance.config.breaker_reset) else {
            return Ok((Lease::new(record, row.sent_at), None));
        };
        let (is_swapped, now) = exchange(instance, &row, &changed).await?;
        if is_swapped {
            return Ok((Lease::new(changed, row.sent_at), Some(record)));
        }
        row = now;
    }
    Err(Unreadable("other instances kept changing the record".into()))
}

/// Gives a record of another run of PostgreSQL a new epoch: by whichever instance reads it first.
async fn into_this_run(instance: &Instance, mut row: Row) -> Result<Row, Unreadable> {
    for _ in 0..SWAP_ATTEMPTS {
        let changed = row
            .record()
            .filter(|_| !row.is_of_this_run)
            .and_then(|record| next(&record, Event::RecordIsOfAnotherRun, row.clock_ms, instance.config.breaker_reset));
        let Some(changed) = changed else {
            return Ok(row);
        };
        let (is_swapped, now) = exchange(instance, &row, &changed).await?;
        if is_swapped {
            let epoch = changed.epoch.to_string();
            let fields = [("state", changed.state_name()), ("reason", &changed.reason), ("epoch", &epoch)];
            log::write(Level::Warn, "cache.epoch_moved", &fields);
        }
        row = now;
    }
    Err(Unreadable("PostgreSQL was started anew while the record was read".into()))
}

async fn look(instance: &Instance) -> Result<Row, Unreadable> {
    let sent_at = elapsed();
    let rows = call(instance, "breaker_record", vec![namespace(instance)]).await;
    Row::read(instance, sent_at, &mut RowReader::new(&first(rows)?)).map_err(unreadable)
}

/// Replaces what was read by `changed`, if it is still there; whether that was done, and what is there now.
async fn exchange(instance: &Instance, read: &Row, changed: &Record) -> Result<(bool, Row), Unreadable> {
    let replacement = serde_json::to_string(changed).map_err(|error| Unreadable(error.to_string()))?;
    let parameters = vec![
        namespace(instance),
        Parameter::optional_text(read.text.as_ref()),
        Parameter::text(replacement),
        Parameter::text(&read.run),
        Parameter::Integer(i64::try_from(read.clock_ms).unwrap_or(i64::MAX)),
    ];
    let sent_at = elapsed();
    let row = first(call(instance, "swap_breaker_record", parameters).await)?;
    let mut row = RowReader::new(&row);
    let is_swapped = row.boolean().map_err(unreadable)?;
    Ok((is_swapped, Row::read(instance, sent_at, &mut row).map_err(unreadable)?))
}

impl Row {
    /// Reads what both functions answer, and learns the clock.
    fn read(instance: &Instance, sent_at: Duration, row: &mut RowReader<'_>) -> Result<Self, RowError> {
        let row = Self {
            sent_at,
            text: row.optional_text()?.map(str::to_owned),
            is_of_this_run: row.boolean()?,
            run: row.text()?.to_owned(),
            clock_ms: row.from_integer(|ms| u64::try_from(ms).ok())?,
        };
        let mut clock = instance.record_clock.get();
        clock.learn(row.clock_ms, (sent_at, elapsed()));
        instance.record_clock.set(clock);
        Ok(row)
    }

    /// `None` for what is no record: there is none, or another version wrote it. It is then made anew.
    fn record(&self) -> Option<Record> {
        self.text.as_deref().and_then(|text| serde_json::from_str(text).ok())
    }
}

fn namespace(instance: &Instance) -> Parameter {
    Parameter::text(instance.config.namespace.name())
}

fn first(rows: Result<Vec<Vec<Column>>, Failure>) -> Result<Vec<Column>, Unreadable> {
    let rows = rows.map_err(|failure| Unreadable(failure.error.to_string()))?;
    rows.into_iter().next().ok_or_else(|| Unreadable("a function answers no row".into()))
}

fn unreadable(error: RowError) -> Unreadable {
    Unreadable(error.to_string())
}
