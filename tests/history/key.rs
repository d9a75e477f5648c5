//! What is known of one property or payment: the smallest state from which an old answer is recognised when it comes.
//!
//! A version is a number that every write raises by one. What was deleted has the version [`GONE`], above all others, so
//! that something that comes back is simply an older version.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::http::Cache;

/// The version of what was deleted.
pub const GONE: u64 = u64::MAX;

/// How many of its latest requests a key remembers as evidence.
const REMEMBERED: usize = 60;

/// A request that has been answered.
#[derive(Clone, Debug)]
pub struct Event {
    /// What it was: `GET one`, `PUT`, …
    pub what: &'static str,
    /// Who asked.
    pub client: usize,
    /// Which host.
    pub node: usize,
    /// Nanoseconds since the run began.
    pub start: u64,
    /// Nanoseconds since the run began.
    pub end: u64,
    /// The version that it told; 0 when it told none.
    pub version: u64,
    /// What the cache had to do with it.
    pub cache: Cache,
}

/// What every read that starts now must reach.
#[derive(Clone, Copy, Debug, Default)]
pub struct Floor {
    /// The newest version whose write has been answered.
    pub answered: u64,
    /// The newest version that any read has been answered with.
    pub seen: u64,
}

/// Something that an answer may not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Older than a write that had been answered before the read began.
    Stale,
    /// Older than what the same client had seen before.
    WentBack,
    /// Older than what another client had been told before the read began.
    Reordered,
    /// A version that no write can have made yet.
    Future,
    /// Two writes were answered with the same version.
    Twice,
    /// The version of one write with the content of another.
    Mixed,
}

#[derive(Default)]
struct Past {
    events: VecDeque<Event>,
    /// Versions and what was written with them.
    contents: VecDeque<(u64, u64)>,
    /// A bit for each version whose write has been answered.
    answered: Vec<u64>,
}

/// One property or payment.
#[derive(Default)]
pub struct Key {
    /// Counted through the run.
    pub index: u32,
    /// Its id.
    pub id: String,
    answered: AtomicU64,
    seen: AtomicU64,
    puts_started: AtomicU64,
    puts_answered: AtomicU64,
    puts_without_effect: AtomicU64,
    is_delete_started: AtomicBool,
    gone_at: AtomicU64,
    past: Mutex<Past>,
}

impl Key {
    /// Something whose creation has been answered, with this content.
    pub fn new(index: u32, id: &str, content: u64) -> Key {
        let key = Key { index, id: id.into(), gone_at: AtomicU64::new(u64::MAX), ..Key::default() };
        key.answered.store(1, Ordering::SeqCst);
        key.past().contents.push_back((1, content));
        key
    }

    fn past(&self) -> std::sync::MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be taken before a request is sent.
    pub fn floor(&self) -> Floor {
        Floor { answered: self.answered.load(Ordering::SeqCst), seen: self.seen.load(Ordering::SeqCst) }
    }

    /// To be called before a PUT is sent.
    pub fn start_put(&self) {
        self.puts_started.fetch_add(1, Ordering::SeqCst);
    }

    /// A PUT that was answered, or never sent, and changed nothing.
    pub fn put_had_no_effect(&self) {
        self.puts_without_effect.fetch_add(1, Ordering::SeqCst);
    }

    /// A PUT was answered with `version`, and wrote `content`.
    pub fn put_answered(&self, version: u64, content: u64) -> Result<(), Fault> {
        self.puts_answered.fetch_add(1, Ordering::SeqCst);
        let mut past = self.past();
        past.contents.push_back((version, content));
        if past.contents.len() > REMEMBERED {
            past.contents.pop_front();
        }
        let (word, bit) = (usize::try_from(version / 64).unwrap_or_default(), 1 << (version % 64));
        if past.answered.len() <= word {
            past.answered.resize(word + 1, 0);
        }
        let is_known = past.answered[word] & bit != 0;
        past.answered[word] |= bit;
        drop(past);
        self.answered.fetch_max(version, Ordering::SeqCst);
        if is_known { Err(Fault::Twice) } else { Ok(()) }
    }

    /// To be called before a DELETE is sent.
    pub fn start_delete(&self) {
        self.is_delete_started.store(true, Ordering::SeqCst);
    }

    /// A DELETE was answered.
    pub fn delete_answered(&self, now: u64) {
        self.start_delete();
        self.answered.store(GONE, Ordering::SeqCst);
        self.gone_at.fetch_min(now, Ordering::SeqCst);
    }

    /// Whether somebody has begun to delete it.
    pub fn may_be_gone(&self) -> bool {
        self.is_delete_started.load(Ordering::SeqCst)
    }

    /// Whether its deletion had been answered at `time`.
    pub fn was_gone_at(&self, time: u64) -> bool {
        self.gone_at.load(Ordering::SeqCst) < time
    }

    /// Judges a read that told `version`, and perhaps `content`. `before` is what the same client had seen.
    pub fn judge(&self, floor: Floor, before: u64, version: u64, content: Option<u64>) -> Result<(), Fault> {
        // Not there, and nobody has begun to delete it: from before its creation.
        if version == GONE && !self.may_be_gone() {
            return Err(Fault::Stale);
        }
        self.seen.fetch_max(version, Ordering::SeqCst);
        if version == GONE {
            return Ok(());
        }
        if version < floor.answered {
            return Err(Fault::Stale);
        }
        if version < before {
            return Err(Fault::WentBack);
        }
        if version < floor.seen {
            return Err(Fault::Reordered);
        }
        if version > 1 + self.puts_started.load(Ordering::SeqCst) {
            return Err(Fault::Future);
        }
        let Some(content) = content else {
            return Ok(());
        };
        let past = self.past();
        let written = past.contents.iter().rev().find(|(its, _)| *its == version);
        if written.is_some_and(|(_, written)| *written != content) { Err(Fault::Mixed) } else { Ok(()) }
    }

    /// Remembers an answer as evidence.
    pub fn remember(&self, event: Event) {
        let mut past = self.past();
        if past.events.len() == REMEMBERED {
            past.events.pop_front();
        }
        past.events.push_back(event);
    }

    /// Forgets the evidence of what is long gone.
    pub fn forget(&self) {
        *self.past() = Past::default();
    }

    /// What has been asked and answered lately, in the order of the answers.
    pub fn evidence(&self) -> String {
        let past = self.past();
        let line = |event: &Event| {
            let version = if event.version == GONE { "gone".into() } else { event.version.to_string() };
            let (start, end) = (event.start / 1_000, event.end / 1_000);
            let Event { what, client, node, cache, .. } = event;
            format!(
                "    {start:>10} – {end:>10} µs  host {node}  client {client:>2}  {what:<9} {version:>5}  {cache:?}\n"
            )
        };
        past.events.iter().map(line).collect()
    }

    /// Compares with the row in the database, when nothing is under way any more. Answers how many answered writes are
    /// lost, or what else is wrong.
    pub fn settle(&self, row_version: Option<u64>) -> Result<u64, String> {
        let count = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        let (answered, acknowledged) = (count(&self.answered), count(&self.puts_answered));
        let unknown = count(&self.puts_started) - acknowledged - count(&self.puts_without_effect);
        let Some(row) = row_version else {
            return if self.may_be_gone() { Ok(0) } else { Ok(1 + acknowledged) };
        };
        if answered == GONE || count(&self.seen) == GONE {
            return Err(format!("{}: it was answered as gone, and its row is there at version {row}", self.id));
        }
        if row > 1 + acknowledged + unknown {
            let most = 1 + acknowledged + unknown;
            return Err(format!("{}: version {row} in the database, but at most {most} by its writes", self.id));
        }
        Ok((1 + acknowledged).saturating_sub(row).max(answered.saturating_sub(row)))
    }
}
