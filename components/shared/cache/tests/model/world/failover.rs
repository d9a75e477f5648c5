//! Two masters at once: after a failover the one from before is alive, and instances with a connection to it go on with it.

use super::state::{Former, ReaderAt, WriterAt};
use super::{Redis, Step, Switch, World};
use cache::protocol::{BeforeStatement, before_statement};

impl World {
    pub(super) fn failover_steps(&self, steps: &mut Vec<Step>) {
        if self.may_fail_over && self.former.is_none() && self.redis.up {
            steps.push(Step::Failover);
        }
        if self.former.is_some() {
            steps.extend((0..self.writers.len()).map(Step::WriteToFormer));
            steps.extend((0..self.readers.len()).map(Step::ReadAnew));
        }
    }

    /// The replica had all but what comes last, and so may have the value of now.
    pub(super) fn fail_over(&mut self) -> Option<()> {
        if self.former.is_some() || !self.redis.up {
            return None;
        }
        let Redis { run, value, knows_of_leases, .. } = self.redis;
        self.former = Some(Former { run, value, knows_of_leases });
        self.another_redis(self.redis.value);
        Some(())
    }

    /// The master from before, if that is `run`.
    pub(super) fn former(&self, run: u8) -> Option<Former> {
        self.former.filter(|former| former.run == run)
    }

    /// A reader whose connection was to be opened anew, and leads to the new master.
    pub(super) fn read_anew(&mut self, r: usize, off: Option<Switch>) -> Option<()> {
        let former = self.former.take()?;
        let step = if matches!(self.readers[r].at, ReaderAt::Get(_)) { self.read(r, off) } else { None };
        self.former = Some(former);
        step
    }

    /// A writer fences, or invalidates, where it had a connection.
    pub(super) fn write_to_former(&mut self, w: usize, off: Option<Switch>) -> Option<()> {
        let former = self.former.as_mut()?;
        match self.writers[w] {
            WriterAt::Decided(known) if known.run == former.run => {
                let length = super::LENGTH;
                if before_statement(Some(&known.record()), 1, length, length) != BeforeStatement::Fence {
                    return None;
                }
                if off != Some(Switch::Fence) {
                    former.value = None;
                }
                let Former { run, knows_of_leases, .. } = *former;
                self.wait_for_read_leases(w, run, knows_of_leases, off);
            }
            WriterAt::Committed { fenced: Some(fenced) } if fenced == former.run => {
                former.value = None;
                self.writers[w] = WriterAt::Invalidated(fenced);
            }
            _ => return None,
        }
        Some(())
    }
}
