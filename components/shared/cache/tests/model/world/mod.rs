//! The cache protocol around one row and one cache key, small enough to explore whole: writers, readers, a probe, Redis,
//! PostgreSQL and the breaker's record. Each action is one step that the real system takes atomically.
//!
//! The decisions are those that the components call: `breaker::next` and the functions of `protocol`. What the Lua
//! scripts do is written out here step for step, and time is left out: a lease, a lock or a fence may run out at any moment
//! at which the real clocks allow it.
//!
//! The record is one value: a step reads it, or replaces what it has read by compare-and-swap. Both stores are that
//! (`breaker_store`), so what is explored here holds for the key-value store and for PostgreSQL. What tells them apart is left out
//! with time: whose clock tells the record's times (`cache::breaker::RecordClock` has the tests), and that a PostgreSQL which went
//! back in time takes the record with it, which ends in a new epoch before the record is used again
//! (`Event::RecordIsOfAnotherRun`). So is a store that cannot be reached: a reader then does without the cache.

mod failover;
mod outliving;
mod probe;
mod read_lease;
mod reader;
mod state;
mod writer;

use cache::breaker::{Event, next};
use state::{BreakerState, Former, Known, LENGTH, NONE, ProbeAt, Reader, ReaderAt, Redis, Value, WriterAt};
use std::time::Duration;

pub const WRITERS: usize = 2;
/// The most readers; a world may start with fewer.
pub const READERS: usize = 3;

/// The moment at which everything is reported, and a reset for which another's vote, of the moment before, stands.
const NOW_MS: u64 = 1;
const RESET: Duration = Duration::from_millis(2);

/// One part of the protocol, switched off to see what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Switch {
    /// Writes put up no fence and break no locks: they delete the value after their statement.
    Fence,
    /// A value is stored without the lock.
    LockToken,
    /// The probe lets the cache in without draining the outbox.
    Drain,
    /// Another Redis is let in without a new epoch.
    Epoch,
    /// A write that cannot invalidate leaves the breaker alone.
    Quarantine,
    /// An instance keeps what it once read of the breaker, and writers do not wait.
    Lease,
    /// The probe lets another Redis in while the one from before may still be read, or what it answered may be answered again.
    ProbeWait,
    /// A leader stores whatever the database says of writes in progress.
    DatabaseLease,
    /// The probe lets the cache in while writes from before are in progress.
    WritesAwaited,
    /// A write does not wait for read leases after its fence.
    ReadLeaseWait,
    /// A read lease may outlast the lease on the breaker's record under which Redis was asked.
    ReadLeaseWithinLease,
    /// A reader keeps what it got before it is registered in that Redis.
    Registration,
    /// A write whose fence was lost does not wait for read leases after it has invalidated.
    LostFenceWait,
}

/// Everything there is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    row: u8,
    /// A bit for each writer whose outbox row is there.
    outbox: u8,
    redis: Redis,
    former: Option<Former>,
    may_fail_over: bool,
    /// Readers may answer again from what they got.
    has_read_leases: bool,
    /// Redis may lose everything and go on. Then all hosts have the same `read_lease_ms`; else the writers' is 0.
    may_be_flushed: bool,
    /// The run of Redis in which readers are registered, as far as they know.
    registered_in: u8,
    /// Statements may go on in PostgreSQL for any time, and Redis is never replaced.
    may_outlive: bool,
    /// What an older snapshot of Redis holds, once one was taken.
    snapshot: Option<Value>,
    breaker: Known,
    writers: [WriterAt; WRITERS],
    /// The version that each writer made.
    made: [u8; WRITERS],
    readers: [Reader; READERS],
    probe: ProbeAt,
    /// The newest version that was answered to a writer.
    answered: u8,
    /// The newest version that a read was answered with; kept at 0 where that is not asked for.
    seen: u8,
    is_strict: bool,
    crashes_left: u8,
    faults_left: u8,
    /// A read was answered with an older version than one that had been answered before it started.
    pub is_stale: bool,
}

/// One atomic step. Numbers name a writer or a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    Read(usize),
    ReadUnderLapsedLease(usize),
    ReadAnew(usize),
    TakeLease(usize),
    Register,
    RedisIsFlushed,
    ReadAgain(usize),
    GiveUpWaiting(usize),
    LeaseLapses(usize),
    LockRunsOut(usize),
    ReaderReportsFailing,
    Write(usize),
    WriteToFormer(usize),
    WriterIsCutFromRedis(usize),
    WriterCrashes(usize),
    StatementNeverRuns(usize),
    StatementHangs(usize),
    WriterGivesUp(usize),
    ComesInDoubt(usize),
    TakeDatabaseLease(usize),
    Search,
    FenceRunsOut(usize),
    RemoveOutboxRow(usize),
    HoldRunsOut,
    Probe,
    Failover,
    RedisGoesDown,
    RedisComesBack,
    RedisRestartsEmpty,
    TakeSnapshot,
    RestoreSnapshot,
}

impl World {
    pub fn new(readers: usize, crashes: u8, faults: u8, is_strict: bool, may_fail_over: bool) -> Self {
        let breaker = Known { state: BreakerState::Closed, epoch: 1, run: 1 };
        let reader = |r| Reader {
            at: if r < readers { ReaderAt::Start } else { ReaderAt::Done },
            lease: None,
            awaited_by: 0,
            has_lock: false,
            is_vouched_for: false,
            floor: 0,
        };
        Self {
            row: 1,
            outbox: 0,
            // What two readers and a failover can show begins with something cached.
            redis: Redis {
                up: true,
                run: 1,
                value: may_fail_over.then_some((1, 1)),
                fences: 0,
                knows_of_leases: false,
            },
            former: None,
            may_fail_over,
            has_read_leases: false,
            may_be_flushed: false,
            registered_in: NONE,
            may_outlive: false,
            snapshot: None,
            breaker,
            writers: [WriterAt::Start; WRITERS],
            made: [0; WRITERS],
            readers: std::array::from_fn(reader),
            probe: ProbeAt::Idle,
            answered: 1,
            seen: 0,
            is_strict,
            crashes_left: crashes,
            faults_left: faults,
            is_stale: false,
        }
    }

    /// This world with so many writers.
    pub fn with_writers(mut self, writers: usize) -> Self {
        self.writers[writers..].fill(WriterAt::Done { is_clean: true });
        self
    }

    /// The steps that are worth trying; [`World::step`] says which of them can happen.
    pub fn steps(&self, steps: &mut Vec<Step>) {
        // No request is left that could be misled.
        if self.readers.iter().all(|reader| reader.at == ReaderAt::Done) {
            return;
        }
        for (r, reader) in self.readers.iter().enumerate() {
            match reader.at {
                ReaderAt::Start if reader.lease.is_none() => steps.push(Step::TakeLease(r)),
                ReaderAt::Start => steps.extend([Step::Read(r), Step::ReadUnderLapsedLease(r), Step::LeaseLapses(r)]),
                ReaderAt::Lookup(_) => steps.extend([Step::Read(r), Step::GiveUpWaiting(r)]),
                ReaderAt::Kept(_) | ReaderAt::Done => {}
                _ => steps.push(Step::Read(r)),
            }
            if reader.has_lock {
                steps.push(Step::LockRunsOut(r));
            }
        }
        for (w, writer) in self.writers.iter().enumerate() {
            match writer {
                WriterAt::Dead { sent: false } => {}
                WriterAt::Dead { sent: true } => steps.extend([Step::Write(w), Step::StatementNeverRuns(w)]),
                WriterAt::Done { .. } => steps.push(Step::RemoveOutboxRow(w)),
                WriterAt::Hanging { .. } | WriterAt::Orphan { .. } => {}
                _ => steps.extend([Step::Write(w), Step::WriterIsCutFromRedis(w), Step::WriterCrashes(w)]),
            }
            if self.redis.fences & (1 << w) != 0 {
                steps.push(Step::FenceRunsOut(w));
            }
        }
        self.failover_steps(steps);
        self.read_lease_steps(steps);
        self.outliving_steps(steps);
        if self.may_outlive {
            steps.push(if self.redis.up { Step::RedisGoesDown } else { Step::RedisComesBack });
        } else if self.redis.up {
            steps.extend([Step::RedisGoesDown, Step::TakeSnapshot]);
        } else {
            steps.extend([
                Step::RedisComesBack,
                Step::RedisRestartsEmpty,
                Step::RestoreSnapshot,
                Step::ReaderReportsFailing,
            ]);
        }
        if self.breaker.state != BreakerState::Closed || self.probe != ProbeAt::Idle {
            steps.extend([Step::Probe, Step::HoldRunsOut]);
        }
    }

    /// The world after a step, or `None` when it cannot happen now.
    pub fn step(&self, step: Step, off: Option<Switch>) -> Option<Self> {
        let mut world = self.clone();
        world.take(step, off)?;
        // Readers are alike, so which is which makes no difference.
        world.readers.sort_unstable();
        (world != *self).then_some(world)
    }

    fn take(&mut self, step: Step, off: Option<Switch>) -> Option<()> {
        match step {
            Step::Read(r) => self.read(r, off),
            Step::ReadUnderLapsedLease(r) => self.read_under_lapsed_lease(r, off),
            Step::ReadAnew(r) => self.read_anew(r, off),
            Step::GiveUpWaiting(r) => {
                let is_waiting = matches!(self.readers[r].at, ReaderAt::Lookup(_));
                self.when(is_waiting, |world| world.bypass(r))
            }
            Step::TakeLease(r) => {
                let is_free = self.readers[r].at == ReaderAt::Start && self.readers[r].lease.is_none();
                self.when(is_free, |world| world.readers[r].lease = Some(world.breaker))
            }
            Step::LeaseLapses(r) if matches!(self.readers[r].at, ReaderAt::Found { .. } | ReaderAt::Kept(_)) => {
                self.read_lease_runs_out(r)
            }
            Step::Register => self.register(),
            Step::RedisIsFlushed => self.flush(),
            Step::ReadAgain(r) => self.read_again(r),
            Step::LeaseLapses(r) => {
                let has_lease = self.readers[r].lease.is_some() && off != Some(Switch::Lease);
                self.when(has_lease, |world| {
                    world.readers[r].lease = None;
                    world.readers[r].awaited_by = 0;
                })
            }
            Step::LockRunsOut(r) => self.when(self.readers[r].has_lock, |world| world.readers[r].has_lock = false),
            Step::ReaderReportsFailing => self.when(!self.redis.up, |world| {
                world.report(Event::Failing { voter: "a reader", lease: Duration::ZERO })
            }),
            Step::Write(w) => self.write(w, true, off),
            Step::WriteToFormer(w) => self.write_to_former(w, off),
            Step::Failover => self.fail_over(),
            Step::WriterIsCutFromRedis(w) => {
                self.faults_left = self.faults_left.checked_sub(1)?;
                let reaches_redis =
                    matches!(self.writers[w], WriterAt::Decided(_) | WriterAt::Committed { .. } | WriterAt::Looked(_));
                if reaches_redis { self.write(w, false, off) } else { None }
            }
            Step::WriterCrashes(w) => {
                self.crashes_left = self.crashes_left.checked_sub(1)?;
                if matches!(self.writers[w], WriterAt::Start | WriterAt::Done { .. } | WriterAt::Dead { .. }) {
                    return None;
                }
                self.writers[w] = match self.writers[w] {
                    WriterAt::Hanging { .. } => WriterAt::Orphan { in_doubt: false },
                    WriterAt::Orphan { .. } => return None,
                    at => WriterAt::Dead { sent: matches!(at, WriterAt::Sent { .. }) },
                };
                Some(())
            }
            Step::StatementNeverRuns(w) => self.when(self.writers[w] == WriterAt::Dead { sent: true }, |world| {
                world.writers[w] = WriterAt::Dead { sent: false };
            }),
            // A living writer takes it down long before.
            Step::FenceRunsOut(w) => self.fence_runs_out(w, off),
            Step::StatementHangs(w) => self.hang(w),
            Step::WriterGivesUp(w) => self.give_up(w),
            Step::ComesInDoubt(w) => self.when(self.writers[w] == WriterAt::Orphan { in_doubt: false }, |world| {
                world.writers[w] = WriterAt::Orphan { in_doubt: true };
            }),
            Step::TakeDatabaseLease(r) => {
                self.when(self.readers[r].at == ReaderAt::Start, |world| world.ask_database(r))
            }
            Step::Search => self.when(self.may_outlive, Self::search),
            Step::RemoveOutboxRow(w) => {
                self.when(self.writers[w] == WriterAt::Done { is_clean: true }, |world| world.outbox &= !(1 << w))
            }
            // It lasts until every statement has begun that counts on it.
            Step::HoldRunsOut => {
                let is_over = self.breaker.state == BreakerState::Held && !self.is_held();
                self.when(is_over, |world| world.breaker.state = BreakerState::Open)
            }
            Step::Probe => self.probe(off),
            Step::RedisGoesDown => {
                self.faults_left = self.faults_left.checked_sub(1)?;
                self.when(self.redis.up, |world| world.redis.up = false)
            }
            Step::RedisComesBack => self.when(!self.redis.up, |world| world.redis.up = true),
            Step::RedisRestartsEmpty => self.when(!self.redis.up, |world| world.another_redis(None)),
            Step::TakeSnapshot => {
                // A snapshot matters only if it can still be restored.
                let is_useful = self.snapshot.is_none() && self.faults_left > 0 && self.redis.value.is_some();
                self.when(is_useful, |world| world.snapshot = Some(world.redis.value))
            }
            Step::RestoreSnapshot => {
                let value = self.snapshot?;
                self.when(!self.redis.up, |world| world.another_redis(value))
            }
        }
    }

    fn when(&mut self, possible: bool, change: impl FnOnce(&mut Self)) -> Option<()> {
        possible.then(|| change(self))
    }

    fn another_redis(&mut self, value: Value) {
        self.redis = Redis { up: true, run: self.redis.run + 1, value, fences: 0, knows_of_leases: false };
        self.break_locks();
    }

    fn break_locks(&mut self) {
        for reader in &mut self.readers {
            reader.has_lock = false;
        }
    }

    fn report(&mut self, event: Event<'_>) {
        if let Some(changed) = next(&self.breaker.record(), event, NOW_MS, RESET) {
            self.breaker = Known::from(&changed);
        }
    }

    /// Whether Redis answers an instance that trusts `run`; another one at its place is reported.
    fn reaches(&mut self, run: u8) -> bool {
        if self.redis.up {
            self.report_redis();
        }
        self.redis.up && self.redis.run == run
    }

    /// Says which Redis answered.
    fn report_redis(&mut self) {
        let run_id = self.redis.run.to_string();
        self.report(Event::AnotherRedis { run_id: &run_id });
    }
}
