//! What each part of the world can be: the record, Redis, readers, writers and the probe.

use cache::breaker::{Admission, Lease, Record, State, Suspicion, admission};
use std::time::Duration;

/// Leases and resets have no length here: what is due is always due.
pub(super) const LENGTH: Duration = Duration::from_millis(1);

/// A time that does not come by itself: `Step::HoldRunsOut` makes it come.
pub(super) const LATER: u64 = 1_000_000;

/// The run id of no Redis: none is trusted.
pub(super) const NONE: u8 = 0;

/// The breaker's record, without its texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Known {
    pub(super) state: BreakerState,
    pub(super) epoch: u8,
    pub(super) run: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum BreakerState {
    Closed,
    Open,
    /// Open for as long as a write without a fence may take.
    Held,
    HalfOpen,
}

impl Known {
    pub(super) fn record(self) -> Record {
        let state = match self.state {
            BreakerState::Closed => State::Closed,
            BreakerState::Open => State::Open { retry_at_ms: 0 },
            BreakerState::Held => State::Open { retry_at_ms: LATER },
            BreakerState::HalfOpen => State::HalfOpen { probe: "probe".into(), lease_until_ms: 1 },
        };
        let run_id = (self.run != NONE).then(|| self.run.to_string());
        // Another instance has always voted already: when failures open the breaker is of no matter to safety.
        let suspicion = Some(Suspicion { voter: "another".into(), at_ms: 0 });
        let times = Record { since_ms: 0, left_ms: 0, has_been_used: true, ..Record::initial(0) };
        Record { state, epoch: self.epoch.into(), run_id, suspicion, ..times }
    }

    pub(super) fn from(record: &Record) -> Self {
        let state = match record.state {
            State::Closed => BreakerState::Closed,
            State::Open { retry_at_ms: LATER.. } => BreakerState::Held,
            State::Open { .. } => BreakerState::Open,
            State::HalfOpen { .. } => BreakerState::HalfOpen,
        };
        let epoch = u8::try_from(record.epoch).expect("few epochs");
        let run = record.run_id.as_deref().map_or(NONE, |run| run.parse().expect("a run id"));
        Self { state, epoch, run }
    }

    pub(super) fn admission(self, lapsed: bool) -> Admission {
        let now = if lapsed { LENGTH } else { Duration::ZERO };
        admission(Some(&Lease::new(self.record(), Duration::ZERO)), now, LENGTH)
    }
}

/// A cached value: the version of the row and the epoch that it was stored in.
pub(super) type Value = Option<(u8, u8)>;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Redis {
    pub(super) up: bool,
    pub(super) run: u8,
    pub(super) value: Value,
    /// A bit for each writer whose fence is up.
    pub(super) fences: u8,
    /// Whether it knows of read leases: a fence is then answered with how long they last.
    pub(super) knows_of_leases: bool,
}

/// The master from before a failover, which is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Former {
    pub(super) run: u8,
    pub(super) value: Value,
    pub(super) knows_of_leases: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum ReaderAt {
    Start,
    /// Asked Redis under a lapsed lease; the record is being read again.
    Renewing {
        found: Value,
        under: Known,
    },
    Get(Known),
    /// Redis has answered with this version; the answer is on its way.
    Found {
        version: u8,
        may_keep: bool,
    },
    /// Answered, and may answer again from what it got, until its read lease runs out.
    Kept(u8),
    Lookup(Known),
    /// Has the lock, and has to know whether it may store.
    Vouch(Known),
    Lead(Known),
    Fill {
        under: Known,
        read: u8,
    },
    /// Answered. A read that goes to PostgreSQL without the cache is answered at once: what it finds there is never older
    /// than what was answered.
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Reader {
    pub(super) at: ReaderAt,
    pub(super) lease: Option<Known>,
    /// A bit for each writer, and one for the probe, that waits for this reader's lease to run out.
    pub(super) awaited_by: u8,
    pub(super) has_lock: bool,
    /// The database has said, not too long ago, that no write is in doubt.
    pub(super) is_vouched_for: bool,
    /// The newest version that had been answered when the read started.
    pub(super) floor: u8,
}

/// What a writer waits to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Then {
    FenceAnyway,
    /// Send the statement without a fence.
    Send,
    Answer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum WriterAt {
    Start,
    Decided(Known),
    /// Waits until the leases of before are over.
    Waiting(Then),
    /// Has fenced in this Redis, and waits until the read leases of before are over.
    Fenced(u8),
    /// The statement is on its way. `fenced` is the Redis that the fence is in.
    Sent {
        fenced: Option<u8>,
    },
    /// The statement has begun, and takes its time in PostgreSQL.
    Hanging {
        fenced: Option<u8>,
    },
    /// The same, after the writer gave up or died.
    Orphan {
        /// For so long that it shows.
        in_doubt: bool,
    },
    Committed {
        fenced: Option<u8>,
    },
    /// Invalidated in this Redis, where its fence was lost, and waits until the read leases of before are over.
    Unfenced(u8),
    /// Fenced and invalidated in this Redis.
    Invalidated(u8),
    /// Not fenced, and has read the record after the statement.
    Looked(Known),
    Answering {
        is_clean: bool,
    },
    Done {
        is_clean: bool,
    },
    Dead {
        sent: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum ProbeAt {
    Idle,
    Offered,
    /// Waits until the leases of before are over.
    Waiting {
        run: u8,
    },
    /// Waits until these writes are over.
    Awaiting {
        run: u8,
        writes: u8,
    },
    Connected {
        run: u8,
    },
    Draining {
        run: u8,
        rows: u8,
    },
    Drained {
        run: u8,
        rows: u8,
    },
    Succeeding {
        run: u8,
    },
}
