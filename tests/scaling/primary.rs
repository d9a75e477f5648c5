//! PostgreSQL: transactions that get their numbers in one order and commit in another, the log of what they invalidate, and
//! replicas that apply the commits in their order, later.

use std::collections::{BTreeMap, BTreeSet};

/// A transaction of the log, committed.
#[derive(Clone, Debug, PartialEq)]
pub struct Commit {
    /// `pg_current_xact_id()`: given when the transaction begins to write.
    pub xid: u64,
    /// What a sequence gave the log's row.
    pub sequence: u64,
    /// When the row was inserted, milliseconds.
    pub inserted_at: u64,
    /// When it committed, milliseconds.
    pub committed_at: u64,
    /// What changed; `None` for a heartbeat.
    pub change: Option<usize>,
}

/// The primary.
#[derive(Default)]
pub struct Primary {
    next_xid: u64,
    next_sequence: u64,
    running: BTreeSet<u64>,
    /// All commits, in the order of their commit: the order of the WAL.
    pub commits: Vec<Commit>,
    /// For each commit, the lowest transaction that was still running behind it: `pg_snapshot_xmin`.
    horizons: Vec<u64>,
    /// By key: which commits changed it, and when.
    changes: BTreeMap<usize, Vec<(usize, u64)>>,
}

/// A transaction that has begun.
pub struct Transaction {
    /// Its number.
    pub xid: u64,
    sequence: u64,
    inserted_at: u64,
}

/// What a query sees.
pub struct Snapshot {
    /// So many of the commits.
    pub commits: usize,
    /// Every transaction below is over, and seen if it committed.
    pub horizon: u64,
}

impl Primary {
    /// Begins a transaction, and inserts its row into the log.
    pub fn begin(&mut self, now: u64) -> Transaction {
        self.next_xid += 1;
        self.next_sequence += 1;
        self.running.insert(self.next_xid);
        Transaction { xid: self.next_xid, sequence: self.next_sequence, inserted_at: now }
    }

    /// Commits it.
    pub fn commit(&mut self, transaction: &Transaction, change: Option<usize>, now: u64) {
        self.running.remove(&transaction.xid);
        let &Transaction { xid, sequence, inserted_at } = transaction;
        if let Some(key) = change {
            self.changes.entry(key).or_default().push((self.commits.len(), now));
        }
        self.commits.push(Commit { xid, sequence, inserted_at, committed_at: now, change });
        self.horizons.push(self.running.first().copied().unwrap_or(self.next_xid + 1));
    }

    /// What is seen by who has applied so many commits.
    pub fn snapshot(&self, commits: usize) -> Snapshot {
        Snapshot { commits, horizon: commits.checked_sub(1).map_or(0, |last| self.horizons[last]) }
    }

    /// A key's version as of the first `commits` commits.
    pub fn version(&self, key: usize, commits: usize) -> u64 {
        self.count(key, |(index, _)| *index < commits)
    }

    /// A key's version now.
    pub fn current_version(&self, key: usize) -> u64 {
        self.version(key, self.commits.len())
    }

    /// A key's version at a time.
    pub fn version_at(&self, key: usize, time: u64) -> u64 {
        self.count(key, |(_, committed_at)| *committed_at <= time)
    }

    /// When a version of a key was replaced; `None` while it is current.
    pub fn replaced_at(&self, key: usize, version: u64) -> Option<u64> {
        let changes = self.changes.get(&key)?;
        changes.get(usize::try_from(version).ok()?).map(|(_, committed_at)| *committed_at)
    }

    /// Each change makes the next version, so a version is how many there were.
    fn count(&self, key: usize, is_in: impl Fn(&(usize, u64)) -> bool) -> u64 {
        self.changes.get(&key).map_or(0, |changes| changes.partition_point(is_in) as u64)
    }
}
