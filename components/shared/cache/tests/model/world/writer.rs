//! What a writer does, step by step.

use super::state::{BreakerState, LATER, LENGTH, ReaderAt, Then, WriterAt};
use super::{Switch, World};
use cache::breaker::Event;
use cache::protocol::{AfterStatement, BeforeStatement, after_fenced, after_unfenced, before_statement};

impl World {
    fn quarantine(&mut self, w: usize, off: Option<Switch>) {
        if off == Some(Switch::Quarantine) {
            self.writers[w] = WriterAt::Waiting(Then::Answer);
        } else {
            self.report(Event::MissedInvalidation);
            self.wait_for_leases(w, Then::Answer, off);
        }
    }

    fn hold_open(&mut self, w: usize, off: Option<Switch>) {
        if off == Some(Switch::Quarantine) {
            self.writers[w] = WriterAt::Waiting(Then::Send);
        } else {
            self.report(Event::UnfencedWrite { until_ms: LATER, unfit: None });
            self.wait_for_leases(w, Then::Send, off);
        }
    }

    fn wait_for_leases(&mut self, w: usize, then: Then, off: Option<Switch>) {
        self.await_leases(w, off);
        self.writers[w] = WriterAt::Waiting(then);
    }

    /// Notes for whom `waiter`, a writer or the probe, waits from now on.
    pub(super) fn await_leases(&mut self, waiter: usize, off: Option<Switch>) {
        for reader in &mut self.readers {
            let has_kept = matches!(reader.at, ReaderAt::Found { .. } | ReaderAt::Kept(_));
            let admits = reader.lease.is_some_and(|lease| lease.state == BreakerState::Closed)
                && !(has_kept && off == Some(Switch::ReadLeaseWithinLease));
            if admits && off != Some(Switch::Lease) {
                reader.awaited_by |= 1 << waiter;
            }
        }
    }

    pub(super) fn is_awaiting(&self, waiter: usize) -> bool {
        self.readers.iter().any(|reader| reader.awaited_by & (1 << waiter) != 0)
    }

    /// Whether a write may be under way that counts on the breaker being held open.
    pub(super) fn is_held(&self) -> bool {
        self.writers.iter().any(|writer| match writer {
            WriterAt::Decided(known) => known.state == BreakerState::Held,
            WriterAt::Waiting(Then::Send) | WriterAt::Sent { fenced: None } | WriterAt::Dead { sent: true } => true,
            _ => false,
        })
    }

    /// fence.lua
    fn put_up(&mut self, w: usize, off: Option<Switch>) {
        if off != Some(Switch::Fence) {
            self.redis.value = None;
            self.break_locks();
            self.redis.fences |= 1 << w;
        }
        self.wait_for_read_leases(w, self.redis.run, self.redis.knows_of_leases, off);
    }

    /// unfence.lua; without the fence's part of it, a plain delete.
    pub(super) fn invalidate(&mut self, w: usize, off: Option<Switch>) {
        self.redis.value = None;
        if off != Some(Switch::Fence) {
            self.break_locks();
            self.redis.fences &= !(1 << w);
        }
    }

    pub(super) fn write(&mut self, w: usize, reaches_redis: bool, off: Option<Switch>) -> Option<()> {
        match self.writers[w] {
            WriterAt::Start => self.writers[w] = WriterAt::Decided(self.breaker),
            WriterAt::Decided(known) => match before_statement(Some(&known.record()), 1, LENGTH, LENGTH) {
                BeforeStatement::GoOn(_) => self.wait_for_leases(w, Then::Send, off),
                BeforeStatement::FenceAnyway(_) => self.wait_for_leases(w, Then::FenceAnyway, off),
                BeforeStatement::Fence if reaches_redis && self.reaches(known.run) => self.put_up(w, off),
                BeforeStatement::Fence => self.hold_open(w, off),
            },
            WriterAt::Waiting(then) => {
                if self.is_awaiting(w) {
                    return None;
                }
                match then {
                    Then::FenceAnyway if reaches_redis && self.redis.up => {
                        self.report_redis();
                        self.put_up(w, off);
                    }
                    Then::FenceAnyway => self.hold_open(w, off),
                    Then::Send => self.writers[w] = WriterAt::Sent { fenced: None },
                    Then::Answer => self.writers[w] = WriterAt::Answering { is_clean: false },
                }
            }
            WriterAt::Fenced(_) | WriterAt::Unfenced(_) if self.is_awaiting(w) => return None,
            WriterAt::Unfenced(run) => self.writers[w] = WriterAt::Invalidated(run),
            WriterAt::Fenced(run) => self.writers[w] = WriterAt::Sent { fenced: Some(run) },
            WriterAt::Sent { fenced } | WriterAt::Hanging { fenced } => {
                self.commit(w);
                self.writers[w] = WriterAt::Committed { fenced };
            }
            WriterAt::Orphan { .. } => {
                self.commit(w);
                self.writers[w] = WriterAt::Dead { sent: false };
            }
            WriterAt::Committed { fenced: Some(run) } => {
                if reaches_redis && self.redis.up && self.redis.run == run {
                    let is_lost = self.redis.fences & (1 << w) == 0 && off != Some(Switch::LostFenceWait);
                    self.invalidate(w, off);
                    self.writers[w] = WriterAt::Invalidated(run);
                    if is_lost && self.await_read_leases(w, self.redis.knows_of_leases) {
                        self.writers[w] = WriterAt::Unfenced(run);
                    }
                } else {
                    self.quarantine(w, off);
                }
            }
            WriterAt::Invalidated(run) => {
                match after_fenced(Some(&self.breaker.record()), &run.to_string(), 1, LENGTH) {
                    AfterStatement::Done => self.writers[w] = WriterAt::Answering { is_clean: true },
                    AfterStatement::Wait(_) => self.wait_for_leases(w, Then::Answer, off),
                    AfterStatement::Invalidate | AfterStatement::Quarantine => self.quarantine(w, off),
                }
            }
            WriterAt::Committed { fenced: None } => match after_unfenced(Some(&self.breaker.record()), 1, LENGTH) {
                AfterStatement::Wait(_) => self.wait_for_leases(w, Then::Answer, off),
                AfterStatement::Done | AfterStatement::Invalidate | AfterStatement::Quarantine => {
                    self.writers[w] = WriterAt::Looked(self.breaker);
                }
            },
            WriterAt::Looked(known) => {
                let reached = reaches_redis
                    && if known.state == BreakerState::Closed { self.reaches(known.run) } else { self.redis.up };
                if reached {
                    self.invalidate(w, off);
                    self.writers[w] = WriterAt::Answering { is_clean: true };
                } else {
                    self.quarantine(w, off);
                }
            }
            WriterAt::Answering { is_clean } => {
                self.answered = self.answered.max(std::mem::take(&mut self.made[w]));
                self.writers[w] = WriterAt::Done { is_clean };
            }
            WriterAt::Dead { sent: true } => {
                self.commit(w);
                self.writers[w] = WriterAt::Dead { sent: false };
            }
            WriterAt::Dead { sent: false } | WriterAt::Done { .. } => return None,
        }
        Some(())
    }

    fn commit(&mut self, w: usize) {
        self.row += 1;
        self.made[w] = self.row;
        self.outbox |= 1 << w;
    }
}
