//! The traffic, the faults, the clock, and what is held against every read.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt;

use crate::primary::{Primary, Transaction};
use crate::random::Random;
use crate::region::{BOUND_MS, Batch, Design, Region};

const REGIONS: usize = 3;
const KEYS: u64 = 12;
/// How long traffic goes on, in milliseconds of the simulation.
const DURATION_MS: u64 = 60_000;
/// How far a host's clock may be from the primary's, either way.
const SKEW_MS: u64 = 100;
/// The longest statement: `STATEMENT_TIMEOUT_MS` of `components/shared/rental/src/config/mod.rs`.
const STATEMENT_MS: u64 = 1_500;
const HEARTBEAT_MS: u64 = 250;
const POLL_MS: u64 = 100;

/// What happens next.
enum Event {
    /// A client of a region writes.
    Write(usize),
    /// A transaction commits: a key and the region that it came from, or a heartbeat.
    Commit(Transaction, Option<(usize, usize)>),
    Heartbeat,
    /// A commit reaches a region's replica.
    Applied(usize),
    /// What tails the log of a region asks.
    Poll(usize),
    /// An answer arrives.
    Answer(usize, Batch),
    Restart(usize),
    /// A client of a region reads a key; it may carry the token of a write.
    Read {
        region: usize,
        key: usize,
        must_see: Demand,
    },
    /// A leader, or one who waits for none, has the replica's or the primary's row.
    Fetched {
        region: usize,
        read: Read,
        lock: Option<u64>,
        version: u64,
    },
}

/// What a read has to show at least.
#[derive(Clone, Copy, Default)]
struct Demand {
    /// The version that the reader itself wrote in this region.
    own: u64,
    /// The version and transaction of the write whose token it carries.
    token: Option<(u64, u64)>,
}

#[derive(Clone, Copy)]
struct Read {
    key: usize,
    began_at: u64,
    must_see: Demand,
}

/// What was seen.
#[derive(Debug, Default, PartialEq)]
pub struct Outcome {
    pub reads: u64,
    pub hits: u64,
    /// Reads that went to the primary.
    pub bypassed: u64,
    pub writes: u64,
    pub older_than_the_bound: u64,
    pub own_write_not_seen: u64,
    pub token_not_honoured: u64,
    /// The age of the oldest answer: for how long it had been replaced when the read began.
    pub oldest_ms: u64,
    pub lost: u64,
    pub replayed: u64,
    pub reordered: u64,
    pub restarts: u64,
    pub refused_fills: u64,
    /// Commits of a lower sequence number than one before them.
    pub out_of_sequence: u64,
}

impl Outcome {
    /// Both together.
    pub fn and(self, other: Outcome) -> Outcome {
        Outcome {
            reads: self.reads + other.reads,
            hits: self.hits + other.hits,
            bypassed: self.bypassed + other.bypassed,
            writes: self.writes + other.writes,
            older_than_the_bound: self.older_than_the_bound + other.older_than_the_bound,
            own_write_not_seen: self.own_write_not_seen + other.own_write_not_seen,
            token_not_honoured: self.token_not_honoured + other.token_not_honoured,
            oldest_ms: self.oldest_ms.max(other.oldest_ms),
            lost: self.lost + other.lost,
            replayed: self.replayed + other.replayed,
            reordered: self.reordered + other.reordered,
            restarts: self.restarts + other.restarts,
            refused_fills: self.refused_fills + other.refused_fills,
            out_of_sequence: self.out_of_sequence + other.out_of_sequence,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} reads ({} hits, {} at the primary), {} writes; {} older than {BOUND_MS} + {SKEW_MS} ms, the oldest {} ms; {} own \
             writes and {} tokens not honoured",
            self.reads,
            self.hits,
            self.bypassed,
            self.writes,
            self.older_than_the_bound,
            self.oldest_ms,
            self.own_write_not_seen,
            self.token_not_honoured
        )
    }
}

struct Simulation<'a> {
    design: &'a Design,
    random: Random,
    now: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    events: BTreeMap<u64, Event>,
    next_event: u64,
    primary: Primary,
    regions: Vec<Region>,
    /// What a host's clock is ahead of the primary's by, plus [`SKEW_MS`].
    clocks: Vec<u64>,
    /// By region: until when its link to the primary is cut.
    cut_until: Vec<u64>,
    /// Rows are locked: one write of a key at a time.
    being_written: Vec<bool>,
    /// By region and key: the version that was last answered to a writer there.
    own: Vec<Vec<u64>>,
    next_lock: u64,
    next_poll: u64,
    outcome: Outcome,
}

/// A minute of it.
pub fn simulate(design: &Design, seed: u64) -> Outcome {
    let mut random = Random::new(seed);
    let keys = usize::try_from(KEYS).expect("a few");
    let clocks = (0..REGIONS).map(|_| random.below(2 * SKEW_MS + 1)).collect();
    let mut simulation = Simulation {
        design,
        random,
        now: 0,
        queue: BinaryHeap::new(),
        events: BTreeMap::new(),
        next_event: 0,
        primary: Primary::default(),
        regions: (0..REGIONS).map(|_| Region::default()).collect(),
        clocks,
        cut_until: vec![0; REGIONS],
        being_written: vec![false; keys],
        own: vec![vec![0; keys]; REGIONS],
        next_lock: 0,
        next_poll: 0,
        outcome: Outcome::default(),
    };
    simulation.run();
    simulation.outcome
}

impl Simulation<'_> {
    fn after(&mut self, delay: u64, event: Event) {
        self.next_event += 1;
        self.queue.push(Reverse((self.now + delay, self.next_event)));
        self.events.insert(self.next_event, event);
    }

    fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.random.below(to - from + 1)
    }

    fn run(&mut self) {
        self.after(0, Event::Heartbeat);
        for region in 0..REGIONS {
            self.after(0, Event::Poll(region));
            self.after(1_000, Event::Write(region));
            self.after(2_000, Event::Restart(region));
            self.read_soon(region);
        }
        while let Some(Reverse((time, number))) = self.queue.pop() {
            self.now = time;
            if time > DURATION_MS {
                break;
            }
            let event = self.events.remove(&number).expect("each happens once");
            self.happen(event);
        }
        for region in &self.regions {
            self.outcome.replayed += region.replayed;
            self.outcome.refused_fills += region.refused_fills;
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Write(region) => self.write(region),
            Event::Commit(transaction, origin) => self.commit(&transaction, origin),
            Event::Heartbeat => {
                let transaction = self.primary.begin(self.now);
                self.after(1, Event::Commit(transaction, None));
                self.after(HEARTBEAT_MS, Event::Heartbeat);
            }
            Event::Applied(region) => self.regions[region].applied += 1,
            Event::Poll(region) => self.poll(region),
            Event::Answer(region, batch) => self.answer(region, &batch),
            Event::Restart(region) => {
                // What it knew is gone, and what was on its way to it: the next one begins at the cursor that was kept.
                self.outcome.restarts += 1;
                self.events.retain(|_, event| !matches!(event, Event::Answer(of, _) if *of == region));
                let live: Vec<_> = self.queue.drain().filter(|it| self.events.contains_key(&it.0.1)).collect();
                self.queue.extend(live);
                let pause = self.between(1_000, 15_000);
                self.after(pause, Event::Restart(region));
            }
            Event::Read { region, key, must_see } => self.read(region, key, must_see),
            Event::Fetched { region, read, lock, version } => {
                if let Some(owner) = lock {
                    let now = self.now;
                    self.regions[region].fill(read.key, owner, version, now);
                }
                self.judge(&read, version);
            }
        }
    }

    fn write(&mut self, region: usize) {
        let pause = self.between(20, 400);
        self.after(pause, Event::Write(region));
        let key = self.random.index(self.being_written.len());
        if std::mem::replace(&mut self.being_written[key], true) {
            return;
        }
        let transaction = self.primary.begin(self.now);
        let now = self.now;
        self.regions[region].fence(key, transaction.xid, now);
        // Most take a moment, and some as long as they may.
        let longest = if self.random.permille(150) { STATEMENT_MS } else { 40 };
        let duration = self.between(1, longest);
        self.after(duration, Event::Commit(transaction, Some((key, region))));
    }

    fn commit(&mut self, transaction: &Transaction, origin: Option<(usize, usize)>) {
        self.primary.commit(transaction, origin.map(|(key, _)| key), self.now);
        let highest = self.primary.commits.iter().rev().skip(1).take(50).map(|commit| commit.sequence).max();
        let sequence = self.primary.commits.last().map(|commit| commit.sequence);
        self.outcome.out_of_sequence += u64::from(highest > sequence);
        for region in 0..REGIONS {
            self.ship(region);
        }
        let Some((key, region)) = origin else {
            return;
        };
        let version = self.primary.current_version(key);
        self.outcome.writes += 1;
        self.being_written[key] = false;
        if !self.design.keeps_the_fence {
            self.regions[region].unfence(key, transaction.xid);
        }
        // It is answered. Its client reads it again, here and elsewhere.
        self.own[region][key] = version;
        let elsewhere = self.random.index(REGIONS);
        let must_see = Demand { own: 0, token: Some((version, transaction.xid)) };
        let pause = self.between(0, 500);
        self.after(pause, Event::Read { region: elsewhere, key, must_see });
    }

    /// The WAL arrives in its order, some time later; sometimes nothing arrives for seconds.
    fn ship(&mut self, region: usize) {
        if self.random.permille(4) {
            self.cut_until[region] = self.now + self.between(500, 8_000);
        }
        let delay = self.between(5, 120);
        let region_of = &mut self.regions[region];
        region_of.arrives_at = region_of.arrives_at.max(self.now + delay).max(self.cut_until[region]);
        let delay = region_of.arrives_at - self.now;
        self.after(delay, Event::Applied(region));
    }

    fn poll(&mut self, region: usize) {
        self.after(POLL_MS, Event::Poll(region));
        if self.random.permille(100) {
            self.outcome.lost += 1;
            return;
        }
        self.next_poll += 1;
        let commits =
            if self.design.tails_the_replica { self.regions[region].applied } else { self.primary.commits.len() };
        let snapshot = self.primary.snapshot(commits);
        let batch = self.regions[region].poll(self.design, &self.primary, &snapshot, self.next_poll);
        // Answers overtake each other, come twice, or never.
        let copies = if self.random.permille(100) { 2 } else { 1 };
        for _ in 0..copies {
            if self.random.permille(50) {
                self.outcome.lost += 1;
                continue;
            }
            let longest = if self.random.permille(100) { 1_500 } else { 30 };
            let delay = self.between(1, longest);
            self.after(delay, Event::Answer(region, batch.clone()));
        }
    }

    fn answer(&mut self, region: usize, batch: &Batch) {
        let rows = Region::rows_of(batch);
        let told = if rows > 0 && self.random.permille(50) { self.random.index(rows) } else { rows };
        self.outcome.reordered += u64::from(batch.number < self.regions[region].last_poll);
        self.regions[region].work_off(self.design, batch, told);
    }

    fn read_soon(&mut self, region: usize) {
        let key = self.random.index(self.being_written.len());
        let pause = self.between(1, 12);
        let must_see = Demand::default();
        self.after(pause, Event::Read { region, key, must_see });
    }

    fn read(&mut self, region: usize, key: usize, mut must_see: Demand) {
        if must_see.token.is_none() {
            self.read_soon(region);
            must_see.own = self.own[region][key];
        }
        self.outcome.reads += 1;
        let read = Read { key, began_at: self.now, must_see };
        let (design, now) = (self.design, self.now);
        // The host's clock, on which the lease runs.
        let here = (now + self.clocks[region]).saturating_sub(SKEW_MS);
        let of = &mut self.regions[region];
        let waits = must_see.token.is_some_and(|(_, xid)| design.honours_tokens && !of.is_past(xid));
        if waits || !of.admits(design, here) || of.is_fenced(key, now) {
            self.outcome.bypassed += 1;
            let delay = self.between(20, 150);
            // Fenced, or unsure: the primary knows.
            let version = self.primary.current_version(key);
            return self.after(delay, Event::Fetched { region, read, lock: None, version });
        }
        if let Some(version) = of.get(key) {
            self.outcome.hits += 1;
            return self.judge(&read, version);
        }
        self.next_lock += 1;
        let owner = self.next_lock;
        let lock = of.lock(key, owner).then_some(owner);
        let version = self.primary.version(key, self.regions[region].applied);
        // A leader may be slow to store what it has read.
        let longest = if self.random.permille(50) { 1_000 } else { 20 };
        let delay = self.between(1, longest);
        self.after(delay, Event::Fetched { region, read, lock, version });
    }

    fn judge(&mut self, read: &Read, version: u64) {
        let &Read { key, began_at, must_see } = read;
        let allowed = began_at.saturating_sub(BOUND_MS + SKEW_MS);
        self.outcome.older_than_the_bound += u64::from(version < self.primary.version_at(key, allowed));
        self.outcome.own_write_not_seen += u64::from(version < must_see.own);
        self.outcome.token_not_honoured += u64::from(must_see.token.is_some_and(|(wanted, _)| version < wanted));
        let replaced_at = self.primary.replaced_at(key, version).filter(|at| *at <= began_at);
        self.outcome.oldest_ms = self.outcome.oldest_ms.max(replaced_at.map_or(0, |at| began_at - at));
    }
}
