//! Under load while Redis is killed, stopped, slowed and returned: nothing fails, nothing hangs, and PostgreSQL is not
//! overrun.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use postgres::NoTls;
use serde_json::json;

use crate::support::outages::BRISK;
use crate::support::{Answer, Cache, Place, Private, Tenant, eventually, property_path, together, trials};

trials![
    no_request_fails_while_redis_is_killed_and_restarted,
    no_request_fails_while_redis_is_stopped_and_resumed,
    no_request_fails_while_redis_is_slow,
    without_redis_concurrent_requests_for_one_row_share_reads,
    reads_beyond_the_queue_are_503_and_succeed_later,
];

/// How many clients there are, and for how long the fault lasts.
const CLIENTS: usize = 12;
const FAULT: Duration = Duration::from_secs(4);
/// The longest that an answer may take: its wait for PostgreSQL's turn (500 ms) and answer (4,000 ms), for Redis or a
/// connection to it twice (fence and unfence, 500 ms each), for the key-value store twice (100 ms each), for the leases of
/// others before and after a write without a fence (500 ms and as much for clocks, twice), and a second for a busy machine.
const LONGEST: Duration = Duration::from_millis(500 + 4_000 + 2 * 500 + 2 * 100 + 2 * 1_000 + 1_000);
/// How long the breaker stays open. A write without a fence holds it open for as long as its statement may take, 6.5 s with
/// the deadlines here (4.5 s with the defaults), so a reset of less would promise what writes do not let it keep.
const RESET: Duration = Duration::from_secs(10);
/// Beyond the reset: until an instance notices that a probe is due and another that it has succeeded (a lease of 500 ms
/// each), the probe's connection (500 ms), and two seconds for its drain and for a busy machine.
const NOTICED: Duration = Duration::from_millis(2 * 500 + 500 + 2_000);
/// The suites share two processors with a dozen servers: a well Redis and a well PostgreSQL must not look dead for that.
const PATIENT: [(&str, &str); 5] = [
    ("redis_timeout_ms", "250"),
    ("redis_connect_timeout_ms", "500"),
    ("database_timeout_ms", "4000"),
    ("breaker_reset_seconds", "10"),
    ("breaker_max_reset_seconds", "10"),
];
/// Between two requests of a client: a load, not as much as the machine can take.
const PAUSE: Duration = Duration::from_millis(10);
/// One load at a time: two would measure each other.
static LOADED: Mutex<()> = Mutex::new(());

/// Is set when it goes, also when a trial fails: the clients must come to an end.
pub struct Over<'a>(pub &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Seen {
    sent: AtomicU64,
    /// What was answered otherwise than it should have been.
    failed: Mutex<Vec<String>>,
    slowest_micros: AtomicU64,
}

impl Seen {
    fn ask(&self, request: impl FnOnce() -> Answer) {
        let began = Instant::now();
        let answer = request();
        let took = u64::try_from(began.elapsed().as_micros()).expect("not for ever");
        self.sent.fetch_add(1, Ordering::Relaxed);
        if answer.status != 200 {
            self.failed.lock().expect("nobody panics with it").push(format!("after {took} µs: {answer}"));
        }
        self.slowest_micros.fetch_max(took, Ordering::Relaxed);
    }
}

/// Loads two hosts, does `fault`, and after a while `mend`; prints and asserts what the clients saw. The cache must be used
/// again by itself, within one reset.
fn under_load(name: &str, fault: impl FnOnce(&mut Private), mend: impl FnOnce(&mut Private)) {
    let _alone = LOADED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut own = Private::with(&PATIENT);
    let (_host, other) = own.another_host();
    let places: Vec<Place> = (0..CLIENTS).map(|_| Place::of(own.tenant())).collect();
    let elsewhere: Vec<Tenant> = places.iter().map(|place| other.tenant_named(&place.who.id)).collect();
    eventually("the cache is used", || {
        (places[0].who.get(&places[0].property_path()).is(200).cache() == Cache::Hit).then_some(())
    });

    let (seen, over) = (Seen::default(), AtomicBool::new(false));
    let recovered = std::thread::scope(|scope| {
        let _end = Over(&over);
        for (number, (place, there)) in places.iter().zip(&elsewhere).enumerate() {
            let (seen, over) = (&seen, &over);
            scope.spawn(move || {
                let mut round = number;
                while !over.load(Ordering::Relaxed) {
                    let who = if round.is_multiple_of(2) { &place.who } else { there };
                    for route in place.routes() {
                        seen.ask(|| who.get(&route));
                        std::thread::sleep(PAUSE);
                    }
                    if round.is_multiple_of(10) {
                        let body = json!({ "address": format!("{round} Load St") });
                        seen.ask(|| who.put(&place.property_path(), &body));
                    }
                    round += 1;
                }
            });
        }
        std::thread::sleep(Duration::from_secs(1));
        fault(&mut own);
        std::thread::sleep(FAULT);
        mend(&mut own);
        let mended = Instant::now();
        for who in [&places[0].who, &elsewhere[0]] {
            eventually("the cache is used again", || {
                (who.get(&places[0].payment_path()).cache() == Cache::Hit).then_some(())
            });
        }
        mended.elapsed()
    });
    let [sent, slowest] = [&seen.sent, &seen.slowest_micros].map(|it| it.load(Ordering::Relaxed));
    let failed = seen.failed.into_inner().expect("nobody panics with it");
    println!(
        "{name}: {sent} requests, {} failed, slowest {} ms, cache used again {} ms after Redis was back",
        failed.len(),
        slowest / 1_000,
        recovered.as_millis()
    );
    assert!(failed.is_empty(), "{name}: {failed:#?}");
    assert!(sent > 100, "{name}: {sent} requests are no load");
    assert!(Duration::from_micros(slowest) < LONGEST, "{name}: an answer took {slowest} µs");
    // One probe may come to nothing on a busy machine.
    assert!(recovered < 2 * RESET + NOTICED, "{name}: the cache was used again only after {recovered:?}");
}

pub fn no_request_fails_while_redis_is_killed_and_restarted() {
    under_load("Redis killed", |own| own.redis().kill(), |own| own.redis().restart().expect("Redis comes back"));
}

fn no_request_fails_while_redis_is_stopped_and_resumed() {
    under_load("Redis stopped", |own| own.redis().pause(), |own| own.redis().resume());
}

/// Every command of Redis takes up to half a second, twice the deadline.
fn no_request_fails_while_redis_is_slow() {
    let slow = std::sync::Arc::new(AtomicBool::new(true));
    let still = std::sync::Arc::clone(&slow);
    let fault = move |own: &mut Private| {
        let client = redis::Client::open(own.redis_url.as_str()).expect("an address");
        let mut connection = client.get_connection().expect("Redis answers");
        std::thread::spawn(move || {
            while still.load(Ordering::Relaxed) {
                let () = redis::cmd("CLIENT").arg("PAUSE").arg(500).query(&mut connection).expect("a pause");
                std::thread::sleep(Duration::from_millis(500));
            }
        });
    };
    under_load("Redis slow", fault, move |_| slow.store(false, Ordering::Relaxed));
}

fn without_redis_concurrent_requests_for_one_row_share_reads() {
    /// No more than one instance takes at a time. How many there are is the host's choice, and each flies for itself
    /// (`components/shared/cache/src/flight` has the exact counts of one), so here only that reads are shared at all.
    const AT_ONCE: usize = 12;
    const ROUNDS: usize = 10;
    /// How far apart they come, while the first read of a round is held up: for one that comes while every instance is busy
    /// with taking another in, the host makes a new one.
    const APART: Duration = Duration::from_millis(25);
    let own = Private::without_redis(&BRISK);
    let who = own.tenant();
    let path = property_path(&who.property_at("1 Herd St"));
    // The instances know that there is no Redis.
    eventually("a bypass", || (who.get(&path).is(200).cache() == Cache::Bypass).then_some(()));
    let mut client = postgres::Client::connect(&own.database_url, NoTls).expect("PostgreSQL answers");
    let before = own.reads();
    for _ in 0..ROUNDS {
        let mut transaction = client.transaction().expect("a transaction");
        transaction.batch_execute("LOCK TABLE properties IN ACCESS EXCLUSIVE MODE").expect("a lock");
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| who.get(&path).is(200));
                std::thread::sleep(APART);
            }
            transaction.rollback().expect("it is given back");
        });
    }
    let (reads, requests) = (own.reads() - before, i64::try_from(ROUNDS * AT_ONCE).expect("a number"));
    println!("without Redis: {requests} requests, {AT_ONCE} at once for one property, {reads} reads of PostgreSQL");
    assert!(reads < requests, "{reads} reads for {requests} requests");
}

fn reads_beyond_the_queue_are_503_and_succeed_later() {
    let changes = [&BRISK[..], &[("database_concurrency", "1"), ("database_queue_ms", "50")]].concat();
    let own = Private::without_redis(&changes);
    let who = own.tenant();
    let paths: Vec<String> = (0..24).map(|_| property_path(&who.property_at("1 Herd St"))).collect();
    // While this lock is held every read waits.
    let mut client = postgres::Client::connect(&own.database_url, NoTls).expect("PostgreSQL answers");
    let mut transaction = client.transaction().expect("a transaction");
    transaction.batch_execute("LOCK TABLE properties IN ACCESS EXCLUSIVE MODE").expect("a lock");
    // A host may make an instance for each request of the first burst, and then none has to wait for another's. Those of the next find them.
    eventually("the refused ones are counted", || {
        let answers = together(3 * paths.len(), |number| who.get(&paths[number % paths.len()]));
        for answer in &answers {
            answer.needs("retry-after");
        }
        assert!(answers.iter().all(|answer| answer.status == 503), "{answers:?}");
        let text = own.get("/metrics").is(200).text();
        let line = text.lines().find_map(|line| line.strip_prefix("renttracker_postgres_rejected_total "))?;
        (line.parse::<u64>().expect("a number") > 0).then_some(())
    });
    transaction.rollback().expect("it is given back");
    for path in &paths {
        who.get(path).is(200);
    }
}
