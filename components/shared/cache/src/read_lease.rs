//! Read leases: for a moment an instance answers again from what it got from Redis, without asking again. So that no such answer is
//! older than a write that was answered before, a write waits between its fence and its statement until every lease from before
//! the fence has run out.
//!
//! - A lease counts from before Redis was asked, on the reader's clock; the wait counts from when the fence was confirmed, on the
//!   writer's. In between Redis has answered the one and then the other, so the wait ends later if it is no shorter.
//! - The clocks of two hosts run at different speeds while they are corrected, by 8.3 % either way with chrony's defaults. A
//!   reader therefore uses less of the time ([`reader_share`]) than a writer waits ([`writer_share`]): that bears 18.7 %.
//! - An instance registers in Redis before it keeps anything, and each fence is answered with the longest lease that is registered: a
//!   writer waits for that even if its own variable says 0.
//! - A lease ends with the lease on the breaker's record under which Redis was asked. A write without a fence waits for that one.
//!
//! - A fence can be lost while its write runs (`FLUSHALL`, a clock that is set forward). `unfence.lua` says so, and then the write
//!   waits once more ([`wait_after_unfence`]).
//!
//! The model checker explores all of this but the times (`tests/model/world/read_lease.rs`). Gray and Cheriton, "Leases: an efficient
//! fault-tolerant mechanism for distributed file cache consistency" (1989), have the idea.

use crate::{Entry, Slot};
use lru::LruCache;
use std::time::Duration;

/// The longest read lease, in milliseconds: a third of what a write may take (150 ms, `RentTrackerWritesSlow`), and of a key that is
/// asked for a hundred times a second it already saves three of four commands.
pub const MAX_READ_LEASE_MS: u64 = 50;
/// How long a registration stands in Redis, in milliseconds: as long as any key may live.
pub const REGISTRATION_MS: u64 = 900 * 1_000;
/// How long an instance relies on its registration. It is far less than [`REGISTRATION_MS`], as Redis's clock may be set.
const REGISTRATION_VALID_FOR: Duration = Duration::from_mins(2);
/// How often an instance registers: well before [`REGISTRATION_VALID_FOR`] is over.
const REGISTER_EVERY: Duration = Duration::from_mins(1);
/// How soon it tries again when Redis has not confirmed it.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How many entries an instance keeps. In 50 ms it answers some hundred requests.
const MAX_ENTRIES: usize = 1_024;
/// How many bytes their names, notes and bodies have together. An instance does not give memory back, so this stays low.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// How much of a lease a reader uses: see the head of this file.
pub fn reader_share(lease: Duration) -> Duration {
    lease * 4 / 5
}

/// How much of a lease a write waits. The rest is for timers, which are late by 1 to 3 ms.
pub fn writer_share(lease: Duration) -> Duration {
    lease * 19 / 20
}

/// How long a write waits after its fence, whose scripts have answered this. `lease` is what its own variable says. An invalid answer
/// counts as the longest lease.
///
/// ```
/// use cache::read_lease::wait_after_fence;
/// use std::time::Duration;
///
/// let wait = |registered: &str, lease| {
///     wait_after_fence(&[b"fenced".to_vec(), registered.into()], Duration::from_millis(lease)).as_micros()
/// };
/// assert_eq!((wait("0", 0), wait("0", 20), wait("40", 20)), (0, 19_000, 38_000));
/// assert_eq!((wait("1e9", 0), wait("x", 0)), (47_500, 47_500));
/// ```
pub fn wait_after_fence(answers: &[Vec<u8>], lease: Duration) -> Duration {
    let (pairs, rest) = answers.as_chunks::<2>();
    let registered = pairs.iter().map(|[_, longest]| milliseconds(longest)).max();
    let registered = registered.filter(|_| rest.is_empty()).unwrap_or(MAX_READ_LEASE_MS);
    writer_share(Duration::from_millis(registered).max(lease))
}

/// How long a write waits after it has taken its fence down, if that was lost or never there. Readers may have stored the old value
/// since then, and answer again from it.
///
/// ```
/// use cache::read_lease::wait_after_unfence;
/// use std::time::Duration;
///
/// let wait = |answers: &[&str]| {
///     let answers: Vec<_> = answers.iter().map(|part| part.as_bytes().to_vec()).collect();
///     wait_after_unfence(&answers, Duration::from_millis(20)).as_millis()
/// };
/// assert_eq!(wait(&["fenced", "0", "fenced", "0"]), 0);
/// assert_eq!(wait(&["fenced", "0", "unfenced", "40"]), 38);
/// assert_eq!(wait(&["unfenced", "0"]), 19);
/// ```
pub fn wait_after_unfence(answers: &[Vec<u8>], lease: Duration) -> Duration {
    let (pairs, _) = answers.as_chunks::<2>();
    if pairs.iter().all(|[fence, _]| fence == b"fenced") {
        return Duration::ZERO;
    }
    wait_after_fence(answers, lease)
}

fn milliseconds(text: &[u8]) -> u64 {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    number.unwrap_or(MAX_READ_LEASE_MS).min(MAX_READ_LEASE_MS)
}

/// That Redis knows of this instance's read leases.
struct Registration {
    /// Which Redis.
    run_id: String,
    sent_at: Duration,
    confirmed_at: Duration,
}

/// An entry in the memory of an instance.
enum Cached {
    /// Opened.
    Open(Entry),
    /// It stays encrypted in memory, as in Redis.
    Sealed(Vec<u8>),
}

struct Lease {
    entry: Cached,
    epoch: u64,
    ends_at: Duration,
    bytes: usize,
}

/// The start of a read whose answer may be kept: when Redis is asked, and until when the answer may be answered again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadStart {
    at: Duration,
    ends_at: Duration,
}

impl ReadStart {
    /// A read that asks Redis at `now` and not earlier. `lease` is how long writes wait, and `lapses_at` when the lease on the breaker's
    /// record lapses. `None` when there is nothing to keep. All moments are on the instance's monotonic clock.
    pub fn at(now: Duration, lease: Duration, lapses_at: Duration) -> Option<Self> {
        let ends_at = (now + reader_share(lease)).min(lapses_at);
        (ends_at > now).then_some(Self { at: now, ends_at })
    }
}

/// What an instance may answer again, the least recently used first to go.
pub struct ReadLeases {
    registration: Option<Registration>,
    /// When Redis was last asked to register this instance.
    tried_at: Option<Duration>,
    leases: LruCache<String, Lease>,
    bytes: usize,
}

impl Default for ReadLeases {
    fn default() -> Self {
        Self { registration: None, tried_at: None, leases: LruCache::unbounded(), bytes: 0 }
    }
}

impl ReadLeases {
    /// The entry of `slot` in `epoch`, if it may be answered again at `now`: a moment at which the request had begun.
    pub fn answer(&mut self, slot: &Slot<'_>, epoch: u64, now: Duration) -> Option<Entry> {
        let lease = self.leases.get(slot.name()).filter(|lease| lease.epoch == epoch && now < lease.ends_at)?;
        match &lease.entry {
            Cached::Open(entry) => Some(entry.clone()),
            Cached::Sealed(bytes) => slot.open(bytes.clone(), epoch).ok(),
        }
    }

    /// Whether what the Redis `run_id` answers to `asked` may be kept: the instance was registered before.
    pub fn may_keep(&self, run_id: &str, asked: ReadStart) -> bool {
        self.registration.as_ref().is_some_and(|it| {
            it.run_id == run_id && it.confirmed_at < asked.at && asked.at < it.sent_at + REGISTRATION_VALID_FOR
        })
    }

    /// Keeps what Redis answered to `asked`: `entry`, or its `sealed` bytes, as they came.
    pub fn keep(&mut self, slot: &Slot<'_>, epoch: u64, asked: ReadStart, entry: &Entry, sealed: Option<Vec<u8>>) {
        let bytes = slot.name().len() + sealed.as_ref().map_or(entry.body.len() + entry.note.len(), Vec::len);
        let cached = sealed.map_or_else(|| Cached::Open(entry.clone()), Cached::Sealed);
        let lease = Lease { entry: cached, epoch, ends_at: asked.ends_at, bytes };
        self.bytes += bytes;
        if let Some(before) = self.leases.put(slot.name().to_owned(), lease) {
            self.bytes -= before.bytes;
        }
        while let Some((_, oldest)) = self.leases.peek_lru() {
            let is_over = oldest.ends_at <= asked.at;
            if !is_over && self.leases.len() <= MAX_ENTRIES && self.bytes <= MAX_BYTES {
                break;
            }
            self.bytes -= self.leases.pop_lru().map_or(0, |(_, lease)| lease.bytes);
        }
    }

    /// Whether the caller is to register this instance in the Redis `run_id` at `now`; the next may try a second later.
    pub fn begin_registration(&mut self, run_id: &str, now: Duration) -> bool {
        let is_due =
            self.registration.as_ref().is_none_or(|it| it.run_id != run_id || now >= it.sent_at + REGISTER_EVERY);
        let may_try = self.tried_at.is_none_or(|tried_at| now >= tried_at + RETRY_AFTER);
        if is_due && may_try {
            self.tried_at = Some(now);
        }
        is_due && may_try
    }

    /// The Redis `run_id` has confirmed at `confirmed_at` the registration that was sent at `sent_at`.
    pub fn registered(&mut self, run_id: &str, sent_at: Duration, confirmed_at: Duration) {
        self.registration = Some(Registration { run_id: run_id.to_owned(), sent_at, confirmed_at });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seals;
    use crate::example::{Named, namespace, owner};

    const LEASE: Duration = Duration::from_millis(50);
    const EPOCH: u64 = 5;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn asked(ms: u64) -> ReadStart {
        ReadStart::at(at(ms), LEASE, at(100_000)).expect("there is something to keep")
    }

    fn with_slot<T>(name: &str, seals: Option<&Seals>, work: impl FnOnce(&Slot<'_>) -> T) -> T {
        work(&Slot::new(&namespace("R_"), seals, &owner("a"), &Named(name.into()), ""))
    }

    fn keep(leases: &mut ReadLeases, name: &str, asked: ReadStart, body: &[u8]) {
        with_slot(name, None, |slot| leases.keep(slot, EPOCH, asked, &Entry::of(body.to_vec()), None));
    }

    fn answer(leases: &mut ReadLeases, name: &str, epoch: u64, ms: u64) -> Option<Vec<u8>> {
        with_slot(name, None, |slot| leases.answer(slot, epoch, at(ms))).map(|entry| entry.body)
    }

    #[test]
    fn a_reader_uses_less_of_a_lease_than_a_writer_waits_however_their_clocks_run() {
        // Chrony corrects a clock by 83,333 parts in a million at most: the reader's runs slow, and the writer's fast.
        let (slowest, fastest) = (1.0 - 0.083_333, 1.0 + 0.083_333);
        for ms in 1..=MAX_READ_LEASE_MS {
            let reader = reader_share(at(ms)).as_secs_f64() / slowest;
            let writer = writer_share(at(ms)).as_secs_f64() / fastest;
            assert!(reader < writer, "a lease of {ms} ms lasts {reader} s, and the write waits {writer} s");
        }
    }

    #[test]
    fn what_was_got_is_answered_until_its_lease_ends() {
        let mut leases = ReadLeases::default();
        keep(&mut leases, "x", asked(100), b"old");
        assert_eq!(answer(&mut leases, "x", EPOCH, 139), Some(b"old".into()));
        assert_eq!(answer(&mut leases, "x", EPOCH, 140), None, "four fifths of 50 ms");
        assert_eq!(answer(&mut leases, "y", EPOCH, 101), None, "another slot");
        assert_eq!(answer(&mut leases, "x", EPOCH + 1, 101), None, "another epoch");
        keep(&mut leases, "x", asked(200), b"new");
        assert_eq!(answer(&mut leases, "x", EPOCH, 239), Some(b"new".into()));
    }

    #[test]
    fn a_lease_ends_with_the_lease_on_the_record() {
        let mut leases = ReadLeases::default();
        keep(&mut leases, "x", ReadStart::at(at(100), LEASE, at(103)).expect("3 ms"), b"old");
        assert!(answer(&mut leases, "x", EPOCH, 102).is_some());
        assert!(answer(&mut leases, "x", EPOCH, 103).is_none());
        assert_eq!(ReadStart::at(at(100), LEASE, at(100)), None, "it has lapsed");
        assert_eq!(ReadStart::at(at(100), Duration::ZERO, at(103)), None, "there are no read leases");
    }

    #[test]
    fn nothing_is_kept_that_redis_was_asked_for_before_the_instance_was_registered() {
        let mut leases = ReadLeases::default();
        assert!(!leases.may_keep("r1", asked(100)));
        leases.registered("r1", at(90), at(100));
        assert!(!leases.may_keep("r1", asked(100)), "perhaps it was asked first");
        assert!(leases.may_keep("r1", asked(101)));
        assert!(!leases.may_keep("r2", asked(101)), "another Redis");
        assert!(!leases.may_keep(
            "r1",
            ReadStart::at(at(90) + REGISTRATION_VALID_FOR, LEASE, REGISTRATION_VALID_FOR * 2).expect("later")
        ));
    }

    #[test]
    fn an_instance_registers_every_minute_and_in_another_redis_but_not_at_each_hit() {
        let mut leases = ReadLeases::default();
        assert!(leases.begin_registration("r1", at(0)));
        assert!(!leases.begin_registration("r1", at(999)), "Redis has not confirmed it");
        assert!(leases.begin_registration("r1", at(1_000)));
        leases.registered("r1", at(1_000), at(1_001));
        assert!(!leases.begin_registration("r1", at(999) + REGISTER_EVERY));
        assert!(leases.begin_registration("r2", at(2_000)));
        assert!(leases.begin_registration("r1", at(1_000) + REGISTER_EVERY));
        assert!(REGISTER_EVERY < REGISTRATION_VALID_FOR && REGISTRATION_VALID_FOR * 3 <= at(REGISTRATION_MS));
    }

    #[test]
    fn what_is_over_does_not_stay_in_memory() {
        let mut leases = ReadLeases::default();
        keep(&mut leases, "x", asked(100), b"old");
        keep(&mut leases, "y", asked(140), b"new");
        assert_eq!((leases.leases.len(), leases.bytes), (1, "R_a:y\nnew".len()));
    }

    #[test]
    fn the_least_recently_used_go_when_there_are_too_many() {
        let mut leases = ReadLeases::default();
        for number in 0..=MAX_ENTRIES {
            keep(&mut leases, &number.to_string(), asked(100), b"x");
            assert!(answer(&mut leases, "0", EPOCH, 101).is_some(), "it is in use");
        }
        assert_eq!(leases.leases.len(), MAX_ENTRIES);
        assert!(answer(&mut leases, "1", EPOCH, 101).is_none());
    }

    #[test]
    fn they_go_when_they_are_too_large_together() {
        let mut leases = ReadLeases::default();
        for number in 0..5 {
            keep(&mut leases, &number.to_string(), asked(100), &vec![0; MAX_BYTES / 4]);
        }
        let kept: Vec<_> =
            (0..5).map(|number| answer(&mut leases, &number.to_string(), EPOCH, 101).is_some()).collect();
        assert_eq!(kept, [false, false, true, true, true]);
        keep(&mut leases, "4", asked(100), b"x");
        let sizes: usize = leases.leases.iter().map(|(_, lease)| lease.bytes).sum();
        assert_eq!(leases.bytes, sizes);
    }

    #[test]
    fn what_is_sealed_stays_sealed() {
        let key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
        let seals = Seals::parse(key, b"test entry 1\0").expect("a key").expect("one key");
        let mut leases = ReadLeases::default();
        with_slot("x", Some(&seals), |slot| {
            let entry = Entry::of(b"a secret".to_vec());
            let bytes = slot.wrap(&entry, EPOCH, Some(&[7; size_of::<crate::Nonce>()]));
            leases.keep(slot, EPOCH, asked(100), &entry, Some(bytes.clone()));
            assert!(
                leases
                    .leases
                    .iter()
                    .all(|(_, lease)| matches!(&lease.entry, Cached::Sealed(cached) if *cached == bytes))
            );
            assert_eq!(leases.answer(slot, EPOCH, at(101)), Some(entry));
        });
        // The name is that of the same slot, and its owner's key another.
        let other = Seals::parse("MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=", b"test entry 1\0").expect("a key");
        assert_eq!(with_slot("x", other.as_ref(), |slot| leases.answer(slot, EPOCH, at(101))), None);
    }
}
