//! Read leases: an instance answers again from what it got, and asks nobody. Time is left out here as well: such a lease may run out
//! at any moment, and a write that waits for it goes on when it has. So is a process that is stopped: it looks at its clock after
//! a read has started, and what it answers later was right when it looked.
//!
//! Explored are crashes, a lost Redis, a failover, a fence that is lost in a flush, and statements that outlive their fences. Left out are
//! a registration that runs out, and a crash and a lost Redis in the same run.
//!
//! What times mean is decided in `cache::read_lease`: a reader's share of the time, so that clocks which run at different speeds do no
//! harm, and that a lease ends with the lease on the breaker's record under which Redis was asked.

use super::state::{ReaderAt, WriterAt};
use super::{Redis, Step, Switch, World};

impl World {
    /// This world, whose readers may answer again from what they got.
    pub fn with_read_leases(mut self) -> Self {
        self.has_read_leases = true;
        self.redis.value = Some((1, 1));
        self
    }

    /// This world, whose Redis may lose everything and go on.
    pub fn that_may_be_flushed(mut self) -> Self {
        self.may_be_flushed = true;
        self
    }

    pub(super) fn read_lease_steps(&self, steps: &mut Vec<Step>) {
        if !self.has_read_leases {
            return;
        }
        if self.redis.up && self.registered_in != self.redis.run {
            steps.push(Step::Register);
        }
        if self.redis.up && self.may_be_flushed {
            steps.push(Step::RedisIsFlushed);
        }
        for (r, reader) in self.readers.iter().enumerate() {
            match reader.at {
                ReaderAt::Kept(_) => steps.extend([Step::ReadAgain(r), Step::LeaseLapses(r)]),
                ReaderAt::Found { .. } | ReaderAt::Get(_) => steps.push(Step::LeaseLapses(r)),
                _ => {}
            }
        }
    }

    /// The readers are registered in Redis (`lease.lua`).
    pub(super) fn register(&mut self) -> Option<()> {
        if !self.redis.up || self.registered_in == self.redis.run {
            return None;
        }
        self.redis.knows_of_leases = true;
        self.registered_in = self.redis.run;
        Some(())
    }

    /// Redis loses values, locks, fences and registrations.
    pub(super) fn flush(&mut self) -> Option<()> {
        self.faults_left = self.faults_left.checked_sub(1)?;
        if !self.redis.up || !self.may_be_flushed {
            return None;
        }
        let run = self.redis.run;
        self.redis = Redis { up: true, run, value: None, fences: 0, knows_of_leases: false };
        self.break_locks();
        Some(())
    }

    /// The Redis `run` has answered a reader with this version.
    pub(super) fn find(&mut self, r: usize, version: u8, run: u8, off: Option<Switch>) {
        if self.has_read_leases {
            let may_keep = self.registered_in == run || off == Some(Switch::Registration);
            self.readers[r].at = ReaderAt::Found { version, may_keep };
        } else {
            self.answer_read(r, version);
        }
    }

    /// The answer has come, and is kept if the lease has not run out meanwhile.
    pub(super) fn keep(&mut self, r: usize, version: u8, may_keep: bool) {
        let reader = self.readers[r];
        self.answer_read(r, version);
        if may_keep && reader.lease.is_some() {
            self.readers[r].at = ReaderAt::Kept(version);
            self.readers[r].lease = reader.lease;
            self.readers[r].awaited_by = reader.awaited_by;
        }
    }

    /// A read that starts now is answered from what was kept. Any number of times.
    pub(super) fn read_again(&mut self, r: usize) -> Option<()> {
        let ReaderAt::Kept(version) = self.readers[r].at else {
            return None;
        };
        self.is_stale |= version < self.answered.max(self.seen);
        if self.is_strict {
            self.seen = self.seen.max(version);
        }
        Some(())
    }

    /// What was found is not kept, or not any more.
    pub(super) fn read_lease_runs_out(&mut self, r: usize) -> Option<()> {
        let reader = &mut self.readers[r];
        reader.lease = None;
        reader.awaited_by = 0;
        if let ReaderAt::Kept(_) = reader.at {
            reader.at = ReaderAt::Done;
        }
        Some(())
    }

    /// A write has fenced in `run`, and waits until every read lease from before has run out. Who asks that Redis from now on gets
    /// nothing to keep.
    pub(super) fn wait_for_read_leases(&mut self, w: usize, run: u8, knows_of_leases: bool, off: Option<Switch>) {
        let waits = off != Some(Switch::ReadLeaseWait) && self.await_read_leases(w, knows_of_leases);
        self.writers[w] = if waits { WriterAt::Fenced(run) } else { WriterAt::Sent { fenced: Some(run) } };
    }

    /// Notes for which read leases a writer waits; whether it waits at all.
    pub(super) fn await_read_leases(&mut self, w: usize, knows_of_leases: bool) -> bool {
        if !self.has_read_leases || !(knows_of_leases || self.may_be_flushed) {
            return false;
        }
        for reader in &mut self.readers {
            let may_answer_again = matches!(reader.at, ReaderAt::Found { may_keep: true, .. } | ReaderAt::Kept(_));
            if may_answer_again && reader.lease.is_some() {
                reader.awaited_by |= 1 << w;
            }
        }
        true
    }
}
