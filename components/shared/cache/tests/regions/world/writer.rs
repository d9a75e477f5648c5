//! What a writer does: its region's fence, the statement on the primary, its region's invalidation, the answer.

use super::{Commit, Switch, World};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum WriterAt {
    Start,
    Fenced,
    /// The statement has an id, and waits for the row.
    Begun,
    /// It is in the WAL.
    Committed,
    Answered,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Writer {
    region: usize,
    at: WriterAt,
}

impl Writer {
    pub(super) fn new(region: usize) -> Self {
        Self { region, at: WriterAt::Start }
    }
}

impl World {
    pub(super) fn write(&mut self, w: usize, off: Option<Switch>) -> Option<()> {
        let Writer { region, at } = self.writers[w];
        let writer = w as u8;
        self.writers[w].at = match at {
            WriterAt::Start => {
                self.invalidate(region);
                self.regions[region].fences |= 1 << writer;
                WriterAt::Fenced
            }
            WriterAt::Fenced => {
                self.xids.push(writer);
                WriterAt::Begun
            }
            WriterAt::Begun => {
                // The row is locked until the commit before is visible.
                if usize::from(self.visible) < self.wal.len() {
                    return None;
                }
                self.wal.push(Commit { writer, answered_at: None });
                WriterAt::Committed
            }
            WriterAt::Committed => {
                let index = self.wal.iter().position(|commit| commit.writer == writer)?;
                if usize::from(self.visible) <= index {
                    return None;
                }
                self.invalidate(region);
                // It may have been lost with Redis. Where leaders are told of the write already, it is not needed any more.
                let is_demanded = |worked_off: u8| usize::from(worked_off) > index;
                if !self.regions[region].worked_off.is_some_and(is_demanded) {
                    self.regions[region].fences |= 1 << writer;
                }
                if off == Some(Switch::FenceUntilLogged) {
                    self.regions[region].fences &= !(1 << writer);
                }
                self.wal[index].answered_at = Some(self.now);
                WriterAt::Answered
            }
            WriterAt::Answered => return None,
        };
        Some(())
    }

    fn invalidate(&mut self, region: usize) {
        self.regions[region].value = None;
        self.regions[region].lock = None;
    }

    /// The version of the last write that was answered in this region.
    pub(super) fn answered_in(&self, region: usize) -> u8 {
        let answered =
            |commit: &Commit| commit.answered_at.is_some() && self.writers[usize::from(commit.writer)].region == region;
        self.wal.iter().rposition(answered).map_or(0, |index| index as u8 + 1)
    }

    /// The version of the last write that was answered at this tick or before.
    pub(super) fn answered_by(&self, tick: Option<u8>) -> u8 {
        let answered = |commit: &Commit| commit.answered_at.is_some_and(|at| tick.is_some_and(|tick| at <= tick));
        self.wal.iter().rposition(answered).map_or(0, |index| index as u8 + 1)
    }
}
