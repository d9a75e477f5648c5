//! Waiting for writes that PostgreSQL is still at.

use super::call;
use crate::instance::Instance;
use crate::time::clock::{elapsed, sleep};
use rental::error::Error;
use rental::sql::RowReader;
use std::collections::HashSet;
use std::time::Duration;

/// How long a probe waits for the writes in progress: far longer than a write takes that nothing holds up, and so much less
/// than the probe's own lease that there is time for the outbox.
const LONGEST_WAIT: Duration = Duration::from_secs(4);
/// How long it pauses before it looks again.
const PAUSE: Duration = Duration::from_millis(25);
/// Waits until the writes are over that are in progress now: then their rows are in the outbox.
///
/// # Errors
/// When they take longer than a write should, and when PostgreSQL does not answer.
pub async fn await_them(instance: &Instance) -> Result<(), Error> {
    let began = elapsed();
    let mut awaited = in_progress(instance).await?;
    while !awaited.is_empty() {
        if elapsed().saturating_sub(began) >= LONGEST_WAIT {
            return Err(Error::Unavailable(format!("{} writes are still in progress in PostgreSQL", awaited.len())));
        }
        sleep(PAUSE).await;
        let still = in_progress(instance).await?;
        awaited.retain(|transaction| still.contains(transaction));
    }
    Ok(())
}

async fn in_progress(instance: &Instance) -> Result<HashSet<String>, Error> {
    let rows = call(instance, "writes_in_progress", Vec::new()).await?;
    rows.iter().map(|row| Ok(RowReader::new(row).text()?.to_owned())).collect()
}
