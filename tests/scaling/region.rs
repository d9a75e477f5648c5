//! A region: its Redis with the protocol of `components/shared/cache/src`, its replica, and what tails the log.

use std::collections::{BTreeMap, BTreeSet};

use crate::primary::{Commit, Primary, Snapshot};

/// What a design does; the default is the one of `SCALING.md`.
#[derive(Clone, Debug)]
pub struct Design {
    /// What the cursor counts.
    pub cursor: Cursor,
    /// Whether the log is read from the replica that fills come from, or from the primary.
    pub tails_the_replica: bool,
    /// Whether the cursor moves after Redis was told, or before.
    pub moves_the_cursor_after: bool,
    /// Whether the cache is used only for [`BOUND_MS`] after the last heartbeat that was applied.
    pub has_a_lease: bool,
    /// Whether a write's fence stays in its own region until the log brings its row, or goes with the answer.
    pub keeps_the_fence: bool,
    /// Whether a read that carries the token of a write waits for no cursor and goes to the primary.
    pub honours_tokens: bool,
}

/// What a cursor counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cursor {
    /// Transactions, up to the oldest that still ran.
    Horizon,
    /// The numbers of a sequence.
    Sequence,
    /// Times of insertion.
    Timestamp,
}

impl Default for Design {
    fn default() -> Design {
        Design {
            cursor: Cursor::Horizon,
            tails_the_replica: true,
            moves_the_cursor_after: true,
            has_a_lease: true,
            keeps_the_fence: true,
            honours_tokens: true,
        }
    }
}

/// How old the data of a read may be, when the clocks agree.
pub const BOUND_MS: u64 = 3_000;
/// `FENCE_MS` of `components/shared/rental/src/config/mod.rs`.
const FENCE_MS: u64 = 23_000;

/// What a poll of the log brings.
#[derive(Clone)]
pub struct Batch {
    rows: Vec<Commit>,
    cursor: u64,
    /// When the last heartbeat in the snapshot was made, by the primary's clock.
    heartbeat: u64,
    /// The number of the poll.
    pub number: u64,
}

/// Redis, and the record that the hosts of the region share.
#[derive(Default)]
pub struct Region {
    /// How many commits the replica has applied.
    pub applied: usize,
    /// When the last of those that are on their way arrives.
    pub arrives_at: u64,
    values: BTreeMap<usize, u64>,
    locks: BTreeMap<usize, u64>,
    /// By key: the writes that hold a fence, and until when.
    fences: BTreeMap<usize, BTreeMap<u64, u64>>,
    /// Up to where the log was worked off. It is kept with the region's record: a restart finds it.
    pub cursor: u64,
    heartbeat: u64,
    /// The highest poll whose answer was worked off.
    pub last_poll: u64,
    seen: BTreeSet<u64>,
    /// How often a row was worked off again.
    pub replayed: u64,
    /// How often a fill was refused.
    pub refused_fills: u64,
}

impl Region {
    /// Whether the cache may be used, by a host whose clock shows `now`.
    pub fn admits(&self, design: &Design, now: u64) -> bool {
        !design.has_a_lease || now < self.heartbeat + BOUND_MS
    }

    /// Whether every write up to this one was worked off.
    pub fn is_past(&self, xid: u64) -> bool {
        self.cursor > xid
    }

    /// The value of a key.
    pub fn get(&self, key: usize) -> Option<u64> {
        self.values.get(&key).copied()
    }

    /// Whether a fence is up.
    pub fn is_fenced(&self, key: usize, now: u64) -> bool {
        self.fences.get(&key).is_some_and(|fences| fences.values().any(|until| *until > now))
    }

    /// Takes the lock for populating a key, unless somebody has it.
    pub fn lock(&mut self, key: usize, owner: u64) -> bool {
        *self.locks.entry(key).or_insert(owner) == owner
    }

    /// Stores what a leader has read, if the lock is still its own and no fence is up.
    pub fn fill(&mut self, key: usize, owner: u64, version: u64, now: u64) {
        if self.locks.get(&key) == Some(&owner) && !self.is_fenced(key, now) {
            self.values.insert(key, version);
        } else {
            self.refused_fills += 1;
        }
        if self.locks.get(&key) == Some(&owner) {
            self.locks.remove(&key);
        }
    }

    /// Puts up the fence of a write.
    pub fn fence(&mut self, key: usize, write: u64, now: u64) {
        self.invalidate(key);
        self.fences.entry(key).or_default().insert(write, now + FENCE_MS);
    }

    /// Takes it down.
    pub fn unfence(&mut self, key: usize, write: u64) {
        self.invalidate(key);
        if let Some(fences) = self.fences.get_mut(&key) {
            fences.remove(&write);
        }
    }

    fn invalidate(&mut self, key: usize) {
        self.values.remove(&key);
        self.locks.remove(&key);
    }

    /// Answers a poll from a snapshot: the rows behind the cursor, and where the cursor may go.
    pub fn poll(&self, design: &Design, primary: &Primary, snapshot: &Snapshot, number: u64) -> Batch {
        let visible = &primary.commits[..snapshot.commits];
        let position = |commit: &Commit| match design.cursor {
            Cursor::Horizon => commit.xid,
            Cursor::Sequence => commit.sequence,
            Cursor::Timestamp => commit.inserted_at,
        };
        let rows: Vec<Commit> = visible.iter().filter(|commit| position(commit) >= self.cursor).cloned().collect();
        let cursor = match design.cursor {
            // What commits later has a higher number, or runs: it lies behind the cursor then too.
            Cursor::Horizon => snapshot.horizon,
            Cursor::Sequence | Cursor::Timestamp => {
                rows.iter().map(position).max().map_or(self.cursor, |last| last + 1)
            }
        };
        let heartbeat =
            visible.iter().rev().find(|commit| commit.change.is_none()).map_or(0, |commit| commit.inserted_at);
        Batch { rows, cursor, heartbeat, number }
    }

    /// Works off what a poll brought, `told` of its rows; the rest failed at Redis.
    pub fn work_off(&mut self, design: &Design, batch: &Batch, told: usize) {
        for commit in batch.rows.iter().take(told) {
            if let Some(key) = commit.change {
                self.unfence(key, commit.xid);
            }
            self.replayed += u64::from(!self.seen.insert(commit.xid));
        }
        let is_complete = told >= batch.rows.len();
        if is_complete || !design.moves_the_cursor_after {
            // A late answer is an old one: it moves nothing back.
            self.cursor = self.cursor.max(batch.cursor);
            self.heartbeat = self.heartbeat.max(batch.heartbeat);
        }
        self.last_poll = self.last_poll.max(batch.number);
    }

    /// How many rows a batch has.
    pub fn rows_of(batch: &Batch) -> usize {
        batch.rows.len()
    }
}
