//! Two masters at once: after a failover the one from before is alive, and instances with a connection to it go on with it.

use super::state::{ReaderAt, Value, WriterAt};
use super::{Step, Switch, World};
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
        self.former = Some((self.redis.run, self.redis.value));
        self.another_redis(self.redis.value);
        Some(())
    }

    /// The value there, if `run` is the master from before.
    pub(super) fn in_former(&self, run: u8) -> Option<Value> {
        self.former.filter(|(its, _)| *its == run).map(|(_, value)| value)
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
        let (run, value) = self.former.as_mut()?;
        match self.writers[w] {
            WriterAt::Decided(known) if known.run == *run => {
                let length = super::LENGTH;
                if before_statement(Some(&known.record()), 1, length, length) != BeforeStatement::Fence {
                    return None;
                }
                if off != Some(Switch::Fence) {
                    *value = None;
                }
                self.writers[w] = WriterAt::Sent { fenced: Some(*run) };
            }
            WriterAt::Committed { fenced: Some(fenced) } if fenced == *run => {
                *value = None;
                self.writers[w] = WriterAt::Invalidated(*run);
            }
            _ => return None,
        }
        Some(())
    }
}
