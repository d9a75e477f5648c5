//! Statements that are over for their clients and not for PostgreSQL: a commit that waits for a synchronous standby, a row's
//! lock, a pooler's queue. Each may take any time, and its fence runs out meanwhile. Redis keeps its data here.

use super::state::{ReaderAt, WriterAt};
use super::{Step, Switch, WRITERS, World};
use cache::breaker::Event;
use cache::protocol::{AfterStatement, after_fenced, after_unfenced};

impl World {
    /// A world with something in the cache.
    pub fn with_statements_that_outlive(readers: usize, crashes: u8, faults: u8) -> Self {
        let mut world = Self::new(readers, crashes, faults, true, false);
        world.may_outlive = true;
        world.redis.value = Some((1, 1));
        world
    }

    pub(super) fn outliving_steps(&self, steps: &mut Vec<Step>) {
        if !self.may_outlive {
            return;
        }
        for (w, writer) in self.writers.iter().enumerate() {
            match writer {
                WriterAt::Sent { .. } | WriterAt::Dead { sent: true } => steps.push(Step::StatementHangs(w)),
                WriterAt::Hanging { .. } => {
                    steps.extend([Step::Write(w), Step::WriterGivesUp(w), Step::WriterCrashes(w)])
                }
                WriterAt::Orphan { in_doubt: false } => steps.extend([Step::Write(w), Step::ComesInDoubt(w)]),
                WriterAt::Orphan { in_doubt: true } => steps.push(Step::Write(w)),
                _ => {}
            }
        }
        let asks = |reader: &super::Reader| reader.at == ReaderAt::Start && !reader.is_vouched_for;
        steps.extend((0..self.readers.len()).filter(|r| asks(&self.readers[*r])).map(Step::TakeDatabaseLease));
        steps.push(Step::Search);
    }

    /// It has begun, and waits inside PostgreSQL.
    pub(super) fn hang(&mut self, w: usize) -> Option<()> {
        self.writers[w] = match self.writers[w] {
            WriterAt::Sent { fenced } => WriterAt::Hanging { fenced },
            WriterAt::Dead { sent: true } => WriterAt::Orphan { in_doubt: false },
            _ => return None,
        };
        Some(())
    }

    /// Its deadline is over: the outcome is told to no client.
    pub(super) fn give_up(&mut self, w: usize) -> Option<()> {
        let WriterAt::Hanging { fenced } = self.writers[w] else {
            return None;
        };
        let (record, length) = (self.breaker.record(), super::LENGTH);
        let next = match fenced {
            Some(run) => after_fenced(Some(&record), &run.to_string(), 1, length),
            None => after_unfenced(Some(&record), 1, length),
        };
        if let AfterStatement::Invalidate | AfterStatement::Quarantine = next {
            self.report(Event::MissedInvalidation);
        }
        self.writers[w] = WriterAt::Orphan { in_doubt: false };
        Some(())
    }

    /// Whether a write has been in progress for too long, so that nothing of its tenant is stored.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.writers.contains(&WriterAt::Orphan { in_doubt: true })
    }

    /// A bit for each writer whose statement is in progress in PostgreSQL.
    pub(super) fn in_progress(&self) -> u8 {
        let is_it = |writer: &WriterAt| matches!(writer, WriterAt::Hanging { .. } | WriterAt::Orphan { .. });
        (0..WRITERS).filter(|w| is_it(&self.writers[*w])).map(|w| 1 << w).sum()
    }

    /// An instance asks PostgreSQL before it needs to know, or finds that it must.
    pub(super) fn ask_database(&mut self, r: usize) {
        self.readers[r].is_vouched_for = !self.is_in_doubt();
    }

    /// A fence stands for so long that a statement under it is in doubt by then, and that no answer from before that counts
    /// any more.
    pub(super) fn fence_runs_out(&mut self, w: usize, off: Option<Switch>) -> Option<()> {
        match self.writers[w] {
            WriterAt::Dead { sent: false } | WriterAt::Done { .. } => {}
            WriterAt::Orphan { in_doubt: true } => {
                for reader in &mut self.readers {
                    reader.is_vouched_for &= off == Some(Switch::DatabaseLease);
                }
            }
            _ => return None,
        }
        self.redis.fences &= !(1 << w);
        Some(())
    }

    /// A search shows the row as it is: others read it from then on.
    pub(super) fn search(&mut self) {
        self.seen = self.seen.max(self.row);
    }
}
