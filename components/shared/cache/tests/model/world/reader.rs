//! What a reader does, step by step.

use super::state::{Known, Reader, ReaderAt};
use super::{Switch, World};
use cache::breaker::{Admission, still_counts};

impl World {
    /// Starts a read under the lease that the reader has. No write waits for a lease that is not acted on any more: what is
    /// answered before this read does not count for it.
    fn start(&mut self, r: usize) -> Option<Known> {
        self.readers[r].floor = self.answered.max(self.seen);
        if self.has_read_leases {
            // What it gets may be answered again for as long as the lease lasts.
            return self.readers[r].lease;
        }
        self.readers[r].awaited_by = 0;
        self.readers[r].lease.take()
    }

    pub(super) fn answer_read(&mut self, r: usize, version: u8) {
        self.is_stale |= version < self.readers[r].floor;
        if self.is_strict {
            self.seen = self.seen.max(version);
        }
        let has_lock = self.readers[r].has_lock;
        self.readers[r] =
            Reader { at: ReaderAt::Done, lease: None, awaited_by: 0, has_lock, is_vouched_for: false, floor: 0 };
    }

    pub(super) fn bypass(&mut self, r: usize) {
        self.answer_read(r, self.row);
    }

    pub(super) fn read(&mut self, r: usize, off: Option<Switch>) -> Option<()> {
        match self.readers[r].at {
            ReaderAt::Start => {
                let known = self.start(r)?;
                match known.admission(false) {
                    Admission::Admitted(_) => self.readers[r].at = ReaderAt::Get(known),
                    _ => self.bypass(r),
                }
            }
            ReaderAt::Renewing { found, under } => {
                let renewed = self.breaker;
                let counts = still_counts(&under.record(), &renewed.record());
                match found.filter(|(_, epoch)| *epoch == under.epoch) {
                    Some((version, _)) if counts => self.answer_read(r, version),
                    None if counts => self.readers[r].at = ReaderAt::Lookup(under),
                    _ => self.bypass(r),
                }
            }
            // On a connection from before the failover, with what is there; a reader that finds nothing does not fill it.
            ReaderAt::Get(known) if let Some(former) = self.former(known.run) => {
                match former.value.filter(|(_, epoch)| *epoch == known.epoch) {
                    Some((version, _)) => self.find(r, version, known.run, off),
                    None => self.bypass(r),
                }
            }
            ReaderAt::Get(known) => {
                if !self.reaches(known.run) {
                    self.bypass(r);
                } else if let Some((version, _)) = self.redis.value.filter(|(_, epoch)| *epoch == known.epoch) {
                    self.find(r, version, known.run, off);
                } else {
                    // It keeps only what its first look finds.
                    self.readers[r].lease = None;
                    self.readers[r].awaited_by = 0;
                    self.readers[r].at = ReaderAt::Lookup(known);
                }
            }
            ReaderAt::Found { version, may_keep } => self.keep(r, version, may_keep),
            // lookup.lua
            ReaderAt::Lookup(known) => {
                if !self.redis.up || self.redis.run != known.run {
                    self.bypass(r);
                } else if let Some((version, _)) = self.redis.value.filter(|(_, epoch)| *epoch == known.epoch) {
                    self.answer_read(r, version);
                } else if self.redis.fences != 0 {
                    self.bypass(r);
                } else if self.readers.iter().any(|reader| reader.has_lock) {
                    return None;
                } else {
                    self.redis.value = None;
                    self.readers[r].has_lock = true;
                    self.readers[r].at = if self.may_outlive { ReaderAt::Vouch(known) } else { ReaderAt::Lead(known) };
                }
            }
            ReaderAt::Vouch(known) => {
                if !self.readers[r].is_vouched_for {
                    self.ask_database(r);
                }
                if self.readers[r].is_vouched_for || off == Some(Switch::DatabaseLease) {
                    self.readers[r].at = ReaderAt::Lead(known);
                } else {
                    self.readers[r].has_lock = false;
                    self.bypass(r);
                }
            }
            ReaderAt::Lead(under) => self.readers[r].at = ReaderAt::Fill { under, read: self.row },
            // fill.lua
            ReaderAt::Fill { under, read } => {
                let owns = self.readers[r].has_lock || off == Some(Switch::LockToken);
                if self.redis.up && self.redis.run == under.run && owns && self.redis.fences == 0 {
                    self.redis.value = Some((read, under.epoch));
                }
                self.readers[r].has_lock = false;
                self.answer_read(r, read);
            }
            ReaderAt::Kept(_) | ReaderAt::Done => return None,
        }
        Some(())
    }

    /// The first look of a reader whose lease has lapsed: Redis is asked while the record is read again.
    pub(super) fn read_under_lapsed_lease(&mut self, r: usize, off: Option<Switch>) -> Option<()> {
        let under = self.readers[r].lease.filter(|_| self.readers[r].at == ReaderAt::Start)?;
        if off == Some(Switch::Lease) || !matches!(under.admission(true), Admission::Lapsed(_)) {
            return None;
        }
        self.start(r)?;
        self.readers[r].lease = None;
        self.readers[r].awaited_by = 0;
        if self.reaches(under.run) {
            self.readers[r].at = ReaderAt::Renewing { found: self.redis.value, under };
        } else {
            self.bypass(r);
        }
        Some(())
    }
}
