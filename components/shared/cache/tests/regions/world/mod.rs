//! One row, one primary, and two regions that each have a Redis, a standby and a cursor in the log. Time goes on in ticks.

mod log;
mod reader;
mod writer;

use reader::Reader;
use writer::Writer;

/// How many regions there are.
const REGIONS: usize = 2;
/// A read that starts this many ticks after a write was answered sees it, in every region.
const BOUND: u8 = 1;
/// The region whose reads are looked at. Sessions go to the other one as well.
const HERE: usize = 1;

/// How much happens.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// One in the other region, one here.
    pub writers: usize,
    /// How many begin here.
    pub readers: usize,
    /// How many reads each makes, one after the other; each but the first with the token of the one before, in the other region.
    pub reads: u8,
    /// How many instances of a region may read the log at the same time: one that was thought dead, and its successor.
    pub log_readers: usize,
    /// For how many ticks time goes on.
    pub ticks: u8,
    /// How often a region is dropped from the log.
    pub drops: u8,
    /// How often a region's Redis is replaced by an empty one.
    pub losses: u8,
}

/// A part of the design that can be switched off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Switch {
    /// The cursor stops at the oldest transaction that was running. Without it: behind the last that was seen.
    CommitOrder,
    /// The cache is used for a bounded time after the log was read.
    LeaseBound,
    /// That time begins before the log is read. Without it: when it was worked off.
    LeaseFromBegin,
    /// The record moves when Redis has been told. Without it: before.
    RedisFirst,
    /// Redis is told how far the log is worked off before the first entry is deleted. Without it: after the last.
    DemandFirst,
    /// A Redis that has not been told how far the log is worked off has leaders read the primary.
    UnknownDemand,
    /// A value that is stored was read where everything is visible that was worked off.
    StandbyRule,
    /// A write's fence stands until the log brings the write. Without it: until the write is answered.
    FenceUntilLogged,
    /// A read with a token is answered from where everything is visible that the session has seen.
    TokenCheck,
    /// The same at the primary, where a commit becomes visible after it was sent to the standbys.
    TokenAtPrimary,
    /// The token that a read answers is asked for behind it. Without it: before.
    TokenAfterRead,
    /// An entry carries the token of its read. Without it: a hit answers how far the log was worked off.
    TokenInEntry,
    /// A region that was dropped begins with an empty cache.
    EmptyOnReturn,
    /// Every instance notices that its region has been registered anew. Without it: the one that did it.
    Generation,
}

/// Which promises were broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Broken {
    pub within: bool,
    pub across: bool,
    pub session: bool,
}

/// A commit in the WAL. Each is a version of the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Commit {
    /// The writer, and so the order in which transactions got their ids: see [`World::xids`].
    writer: u8,
    answered_at: Option<u8>,
}

/// What is in Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Entry {
    version: u8,
    token: u8,
}

/// A Redis, a standby, and what the hosts of the region know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Region {
    value: Option<Entry>,
    /// Which reader has the lock.
    lock: Option<u8>,
    /// A bit for each writer whose fence is up.
    fences: u8,
    /// How many commits a stored value must have been read behind: in Redis, beside the values.
    worked_off: Option<u8>,
    /// Which Redis it is.
    epoch: u8,
    /// How many commits the standby has applied.
    standby: u8,
    record: Record,
    log_readers: Vec<Option<log::Batch>>,
    /// Whether the log keeps rows for it.
    is_registered: bool,
    /// How often it was registered, and the instance that did it last.
    generation: u8,
    registered_by: Option<u8>,
    /// How many commits the log had no rows of when it was registered.
    forgotten: u8,
}

/// What the hosts of a region share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Record {
    /// Every transaction with a lower id is over, and worked off.
    cursor: u8,
    /// How many commits were visible when the log was read: what a session's token is held against.
    position: u8,
    /// When the log was read for the last time.
    read_at: u8,
    /// The registration that it is of.
    generation: u8,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// Time goes on.
    Tick,
    /// A commit becomes visible on the primary.
    Show,
    /// The standby of a region applies a commit.
    Replay(usize),
    /// A writer goes on.
    Write(usize),
    /// A reader goes on.
    Read(usize),
    /// An instance of a region goes on with reading the log.
    ReadLog(usize, usize),
    /// The log drops a region, and what it kept for that one alone.
    Drop(usize),
    /// A region's Redis is replaced by an empty one, and a probe has let it in.
    LoseRedis(usize),
}

/// The whole.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    now: u8,
    ticks: u8,
    drops: u8,
    losses: u8,
    /// The transactions in the order of their ids: which writers have begun.
    xids: Vec<u8>,
    wal: Vec<Commit>,
    /// How many commits are visible on the primary.
    visible: u8,
    regions: [Region; REGIONS],
    writers: Vec<Writer>,
    readers: Vec<Reader>,
    pub broken: Broken,
}

impl World {
    pub fn new(plan: &Plan) -> Self {
        let region = Region {
            worked_off: Some(0),
            is_registered: true,
            log_readers: vec![None; plan.log_readers],
            ..Region::default()
        };
        Self {
            now: 0,
            ticks: plan.ticks,
            drops: plan.drops,
            losses: plan.losses,
            xids: Vec::new(),
            wal: Vec::new(),
            visible: 0,
            regions: [region.clone(), region],
            writers: (0..plan.writers).map(|number| Writer::new(number % REGIONS)).collect(),
            readers: (0..plan.readers).map(|_| Reader::new(plan.reads)).collect(),
            broken: Broken::default(),
        }
    }

    pub fn steps(&self, steps: &mut Vec<Step>) {
        steps.extend([Step::Tick, Step::Show]);
        steps.extend((0..self.writers.len()).map(Step::Write));
        steps.extend((0..self.readers.len()).map(Step::Read));
        // What happens in a region where nobody reads any more is of no matter.
        for region in (0..REGIONS).filter(|region| self.readers.iter().any(|reader| reader.may_read_in(*region))) {
            let log_readers = self.regions[region].log_readers.len();
            steps.extend([Step::Replay(region), Step::Drop(region), Step::LoseRedis(region)]);
            steps.extend((0..log_readers).map(|reader| Step::ReadLog(region, reader)));
        }
    }

    pub fn step(&self, step: Step, off: Option<Switch>) -> Option<Self> {
        let mut next = self.clone();
        match step {
            Step::Tick => {
                next.ticks = next.ticks.checked_sub(1)?;
                next.now += 1;
            }
            Step::Show => {
                next.visible = Some(next.visible + 1).filter(|count| usize::from(*count) <= next.wal.len())?
            }
            Step::Replay(region) => {
                let standby = &mut next.regions[region].standby;
                *standby = Some(*standby + 1).filter(|count| usize::from(*count) <= next.wal.len())?;
            }
            Step::Write(writer) => next.write(writer, off)?,
            Step::Read(reader) => next.read(reader, off)?,
            Step::ReadLog(region, reader) => next.read_log(region, reader, off)?,
            Step::Drop(region) => {
                next.drops = next.drops.checked_sub(1)?;
                next.regions[region].is_registered = false;
            }
            Step::LoseRedis(region) => {
                next.losses = next.losses.checked_sub(1)?;
                let region = &mut next.regions[region];
                region.epoch += 1;
                (region.value, region.lock, region.fences, region.worked_off) = (None, None, 0, None);
            }
        }
        Some(next)
    }

    /// The lowest id of a transaction that is not among the first `commits`: every one below is over, and seen.
    fn horizon(&self, commits: u8) -> u8 {
        let is_over = |writer: &u8| self.wal.iter().take(commits.into()).any(|commit| commit.writer == *writer);
        self.xids.iter().take_while(|writer| is_over(writer)).count() as u8
    }
}
