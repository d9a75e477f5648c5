//! What a reader does, and what its answers are held against. A version is how many commits the row has.

use super::{BOUND, Entry, HERE, REGIONS, Switch, World};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum ReaderAt {
    Start,
    /// The lease admits; Redis is asked.
    Look,
    /// Has the lock, and asks a standby how far it is, for which this is far enough; `None` where only the primary will do.
    Lead(Option<u8>),
    /// Reads the standby, which was this far.
    Standby(u8),
    /// Has the lock, and reads the primary.
    LeadAtPrimary,
    /// Reads the primary, and stores nothing.
    Primary,
    /// Has read, and stores.
    Fill(Entry),
}

/// The least version that each promise allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Floor {
    within: u8,
    across: u8,
    session: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Reader {
    region: usize,
    reads: u8,
    at: ReaderAt,
    floor: Floor,
    /// At least how many commits were visible where the session has read.
    token: u8,
}

impl Reader {
    pub(super) fn new(reads: u8) -> Self {
        Self { region: HERE, reads, at: ReaderAt::Start, floor: Floor::default(), token: 0 }
    }

    /// Whether it is in this region, or will be.
    pub(super) fn may_read_in(&self, region: usize) -> bool {
        let is_reading = self.at != ReaderAt::Start;
        (self.region == region && (is_reading || self.reads > 0)) || self.reads > u8::from(!is_reading)
    }
}

impl World {
    pub(super) fn read(&mut self, r: usize, off: Option<Switch>) -> Option<()> {
        let region = self.readers[r].region;
        let token = if off == Some(Switch::TokenCheck) { 0 } else { self.readers[r].token };
        match self.readers[r].at {
            ReaderAt::Start => {
                self.readers[r].reads = self.readers[r].reads.checked_sub(1)?;
                self.readers[r].floor = Floor {
                    within: self.answered_in(region),
                    across: self.answered_by(self.now.checked_sub(BOUND)),
                    session: self.readers[r].floor.session,
                };
                let record = self.regions[region].record;
                let is_bounded = self.now < record.read_at + BOUND || off == Some(Switch::LeaseBound);
                // What is cached is as new as what was worked off.
                let admits = is_bounded && record.position >= token;
                self.readers[r].at = if admits { ReaderAt::Look } else { ReaderAt::Primary };
            }
            ReaderAt::Look => {
                let cache = &mut self.regions[region];
                if let Some(Entry { version, token }) = cache.value {
                    let worked_off = cache.record.position;
                    self.answer(r, version, if off == Some(Switch::TokenInEntry) { worked_off } else { token });
                } else if cache.fences != 0 || cache.lock.is_some() {
                    self.readers[r].at = ReaderAt::Primary;
                } else {
                    cache.lock = Some(r as u8);
                    let unknown = (off == Some(Switch::UnknownDemand)).then_some(0);
                    let demand = if off == Some(Switch::StandbyRule) { Some(0) } else { cache.worked_off.or(unknown) };
                    self.readers[r].at = ReaderAt::Lead(demand.map(|demand| demand.max(token)));
                }
            }
            ReaderAt::Lead(needed) => {
                let standby = self.regions[region].standby;
                let is_far_enough = needed.is_some_and(|needed| standby >= needed);
                self.readers[r].at = if is_far_enough { ReaderAt::Standby(standby) } else { ReaderAt::LeadAtPrimary };
            }
            ReaderAt::Standby(before) => {
                let version = self.regions[region].standby;
                let token = if off == Some(Switch::TokenAfterRead) { before } else { version };
                self.readers[r].at = ReaderAt::Fill(Entry { version, token });
            }
            ReaderAt::LeadAtPrimary => {
                let version = self.at_primary(token, off)?;
                self.readers[r].at = ReaderAt::Fill(Entry { version, token: version });
            }
            ReaderAt::Primary => {
                let version = self.at_primary(token, off)?;
                self.answer(r, version, version);
            }
            ReaderAt::Fill(entry) => {
                let cache = &mut self.regions[region];
                if cache.lock == Some(r as u8) {
                    cache.lock = None;
                    if cache.fences == 0 {
                        cache.value = Some(entry);
                    }
                }
                self.answer(r, entry.version, entry.token);
            }
        }
        Some(())
    }

    /// The version that the primary shows; it waits until everything is visible that the session has seen.
    fn at_primary(&self, token: u8, off: Option<Switch>) -> Option<u8> {
        (self.visible >= token || off == Some(Switch::TokenAtPrimary)).then_some(self.visible)
    }

    fn answer(&mut self, r: usize, version: u8, seen: u8) {
        let reader = &mut self.readers[r];
        self.broken.within |= version < reader.floor.within;
        self.broken.across |= version < reader.floor.across;
        self.broken.session |= version < reader.floor.session;
        reader.floor = Floor { session: reader.floor.session.max(version), ..Floor::default() };
        reader.token = reader.token.max(seen);
        reader.region = (reader.region + 1) % REGIONS;
        reader.at = ReaderAt::Start;
    }
}
