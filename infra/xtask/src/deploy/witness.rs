//! A landlord who writes a property again and again, and reads it after each time.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::{Value, json};

use crate::http::Client;
use crate::shell::check_interrupted;

/// Between two writes: fifty a second are enough to see what is old, and leave the machine to others.
const PAUSE: Duration = Duration::from_millis(20);
/// How many answers are seen before a phase counts as seen.
const READS: u64 = 20;
/// Within which they must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was seen so far.
#[derive(Clone, Copy, Default)]
pub struct Seen {
    /// Reads that were answered, and none of them with what is older than the last answered write.
    pub reads: u64,
    /// Reads and writes that were not answered with success.
    pub failed: u64,
}

/// The landlord. Dropped, she stops.
pub struct Witness {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Witness {
    /// Begins with the property at `path`, which has no other writer.
    pub fn start(client: Client, path: String) -> Witness {
        let (seen, stop) = (Arc::<Mutex<Seen>>::default(), Arc::<AtomicBool>::default());
        let thread = {
            let (seen, stop) = (seen.clone(), stop.clone());
            std::thread::spawn(move || watch(&client, &path, &seen, &stop))
        };
        Witness { seen, stop, thread: Some(thread) }
    }

    /// What she has seen.
    pub fn seen(&self) -> Seen {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until she has seen more answers.
    pub fn sees_more(&mut self) -> Result<()> {
        let (wanted, deadline) = (self.seen().reads + READS, Instant::now() + PATIENCE);
        while self.seen().reads < wanted {
            check_interrupted()?;
            if self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
                self.end()?;
                bail!("she has stopped");
            }
            ensure!(Instant::now() < deadline, "a landlord was not answered for {} s", PATIENCE.as_secs());
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Stops. An error if an answer was older than what had been answered before.
    pub fn end(&mut self) -> Result<()> {
        self.stop.store(true, Ordering::SeqCst);
        match self.thread.take() {
            Some(thread) => thread.join().map_err(|_| anyhow!("the witness broke"))?,
            None => Ok(()),
        }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

fn watch(client: &Client, path: &str, seen: &Mutex<Seen>, stop: &AtomicBool) -> Result<()> {
    let note = |failed: u64, reads: u64| {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        (seen.failed, seen.reads) = (seen.failed + failed, seen.reads + reads);
    };
    let mut answered = 0;
    for number in 1_u64.. {
        if stop.load(Ordering::SeqCst) {
            return Ok(());
        }
        match client.put(path, &json!({ "address": format!("{number} Witness Street") })) {
            Ok(()) => answered = number,
            // It may have been carried out.
            Err(_) => note(1, 0),
        }
        match client.get(path) {
            Ok(answer) if answered > 0 => {
                current(&answer.body, answered..=number)?;
                note(0, 1);
            }
            Ok(_) => {}
            Err(_) => note(1, 0),
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// An error unless the property is as a write left it that is no older than the last answered one.
fn current(property: &Value, writes: RangeInclusive<u64>) -> Result<()> {
    let address = property["address"].as_str().context("a property without an address")?;
    let number = address.split(' ').next().and_then(|number| number.parse().ok());
    let is_current = number.is_some_and(|number: u64| writes.contains(&number));
    ensure!(is_current, "stale: \"{address}\" was read after write {} was answered", writes.start());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_the_last_answered_write_is_stale() {
        let check = |number: u64, expected: bool| {
            let property = json!({ "address": format!("{number} Witness Street") });
            assert_eq!(current(&property, 5..=7).is_ok(), expected, "{number}");
        };
        check(4, false);
        check(5, true);
        // Not answered, but carried out.
        check(7, true);
        check(8, false);
        assert!(current(&json!({ "address": "1 Main Street" }), 5..=7).is_err());
    }
}
