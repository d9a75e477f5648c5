//! The log in PostgreSQL, page by page (`infra/migrations/0020_regions.sql`).

use crate::instance::Instance;
use crate::postgres::{call, outbox};
use cache::region::{Snapshot, WorkedOff};
use rental::error::Error;
use rental::sql::{Parameter, RowReader};

/// How many rows a page has at most.
const PAGE: usize = 500;

/// Where a page begins.
pub enum From<'a> {
    /// At what was worked off, or at the region's cursor where it has worked off nothing since it registered.
    WorkedOff(Option<&'a WorkedOff>),
    /// Behind the last row of the page before.
    Behind(&'a Page),
}

/// A page of the log.
pub struct Page {
    /// Which database it is.
    pub lineage: String,
    /// A WAL position before the page's snapshot.
    pub before: u64,
    /// A WAL position behind it.
    pub behind: u64,
    /// The snapshot.
    pub snapshot: Snapshot,
    /// The invalidations.
    pub rows: Vec<outbox::Row>,
    /// In which snapshot the region read before, and the last row's transaction.
    known: Option<String>,
    last_xid: String,
}

impl Page {
    /// Whether there may be rows behind it.
    pub fn is_full(&self) -> bool {
        self.rows.len() == PAGE
    }
}

/// Registers the region; the generation.
///
/// # Errors
/// When PostgreSQL fails.
pub async fn register(instance: &Instance, region: &str) -> Result<u64, Error> {
    let rows = call(instance, "register_region", vec![namespace(instance), Parameter::text(region)]).await?;
    let row = rows.first().ok_or_else(|| Error::Internal("a function answers no row".into()))?;
    Ok(RowReader::new(row).from_integer(|generation| u64::try_from(generation).ok())?)
}

/// Reads a page, for the registration `generation` of `region`. `None` when that is over, or when it is another database.
///
/// # Errors
/// When PostgreSQL fails, or when a row names no key of ours.
pub async fn read(instance: &Instance, region: &str, generation: u64, from: From<'_>) -> Result<Option<Page>, Error> {
    let (lineage, known, last) = match from {
        From::WorkedOff(known) => {
            (known.map(|known| &known.lineage), known.map(|known| known.snapshot.to_string()), None)
        }
        From::Behind(page) => (Some(&page.lineage), page.known.clone(), page.rows.last().map(|row| (page, row))),
    };
    let parameters = vec![
        namespace(instance),
        Parameter::text(region),
        Parameter::Integer(i64::try_from(generation).unwrap_or(i64::MAX)),
        Parameter::optional_text(lineage),
        Parameter::optional_text(known.as_ref()),
        Parameter::optional_text(last.map(|(page, _)| &page.last_xid)),
        Parameter::optional_text(last.map(|(_, row)| &row.tenant)),
        Parameter::optional_text(last.map(|(_, row)| &row.id)),
        Parameter::Integer(i64::try_from(PAGE).unwrap_or(i64::MAX)),
    ];
    let answer = call(instance, "read_log", parameters).await?;
    let Some(first) = answer.first() else {
        return Ok(None);
    };
    let mut head = RowReader::new(first);
    let number = |number| u64::try_from(number).ok();
    let unreadable = |error: cache::region::Unreadable| Error::Internal(error.to_string());
    let mut page = Page {
        lineage: head.text()?.to_owned(),
        before: head.from_integer(number)?,
        behind: head.from_integer(number)?,
        snapshot: head.text()?.parse().map_err(unreadable)?,
        rows: Vec::new(),
        known,
        last_xid: String::new(),
    };
    for columns in &answer {
        let mut row = RowReader::new(columns);
        // As in every row of the page.
        row.skip(4)?;
        let Some(xid) = row.optional_text()? else {
            break;
        };
        page.last_xid = xid.to_owned();
        page.rows.push(outbox::read(instance, &mut row)?);
    }
    Ok(Some(page))
}

fn namespace(instance: &Instance) -> Parameter {
    Parameter::text(instance.config.namespace.name())
}
