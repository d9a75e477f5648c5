//! Several regions on one PostgreSQL: each host has a Redis and a key-value store of its own. (`tests/regions` has standbys, links
//! that fail, and a checker.)

use std::time::{Duration, Instant};

use serde_json::json;
use stack::{Host, Redis};

use crate::support::{Answer, Cache, Place, Private, Tenant, World, eventually, scratch, trials};

trials![
    a_write_is_seen_at_once_in_its_region_and_elsewhere_within_the_bound,
    a_region_that_cannot_read_the_log_does_not_use_its_cache,
    a_late_commit_of_an_early_transaction_is_worked_off,
    a_row_of_the_log_stays_until_each_region_has_read_it,
    a_region_that_was_dropped_serves_nothing_from_before,
    a_region_that_was_silent_registers_once,
    a_log_of_many_pages_is_worked_off,
    a_region_that_is_only_written_to_reads_the_log,
    a_redis_that_lost_what_it_knew_of_the_log_begins_anew,
    a_fence_from_before_a_registration_comes_down_with_it,
    a_fence_that_has_run_out_is_put_up_again_after_the_statement,
    a_missed_invalidation_is_made_good_before_the_cache_is_used,
    a_session_reads_its_writes_in_every_region,
    a_hit_costs_one_command_as_without_a_region,
    hosts_without_a_region_leave_the_log_alone,
];

/// 32 bytes in base64.
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// A run that has the record in PostgreSQL has it for one region.
const RECORD: (&str, &str) = ("breaker_store", "key-value");
/// `region_staleness_ms` by default.
const BOUND: Duration = Duration::from_secs(1);

/// A region, and another one whose Redis is its own.
struct Regions {
    here: Private,
    there: World,
    _host: Host,
    _redis: Redis,
}

impl Regions {
    fn start() -> Regions {
        Regions::with(&[])
    }

    fn with(changes: &[(&str, &str)]) -> Regions {
        let here = Private::with(&[&[("region", "eu"), ("session_key", KEY), RECORD], changes].concat());
        let redis = Redis::start(&scratch("redis")).expect("Redis starts");
        let address = redis.url();
        let (host, there) = here.host_apart(&[("region", "us"), ("redis_url", &address), ("redis_address", &address)]);
        let there = World { redis_url: redis.url(), ..there };
        Regions { here, there, _host: host, _redis: redis }
    }

    /// A property, whose entry each region has.
    fn place(&self) -> (Place, Tenant) {
        let place = Place::of(self.here.tenant());
        let there = self.there.tenant_named(&place.who.id);
        place.who.await_hit(&place.property_path());
        there.await_hit(&place.property_path());
        (place, there)
    }
}

fn address(answer: &Answer) -> String {
    answer.json()["address"].as_str().expect("an address").to_owned()
}

fn write(who: &Tenant, place: &Place, address: &str) -> Answer {
    who.put(&place.property_path(), &json!({ "address": address })).is(200)
}

/// Also in the cache: the lease on it is over by then, and the first read is the primary's.
#[track_caller]
fn is_seen_after_the_bound(who: &Tenant, place: &Place, expected: &str) {
    std::thread::sleep(BOUND);
    assert_eq!(address(&who.get(&place.property_path()).is(200)), expected);
    assert_eq!(address(&who.await_hit(&place.property_path())), expected);
}

/// How many rows the log has of a tenant.
fn logged(world: &World, who: &Tenant) -> i64 {
    world.query("SELECT count(*) FROM cache_invalidations WHERE tenant_id = $1", &[&who.id])[0].get(0)
}

fn a_write_is_seen_at_once_in_its_region_and_elsewhere_within_the_bound() {
    let regions = Regions::start();
    let (place, there) = regions.place();
    for round in 0..10 {
        let new = format!("{round} Main St");
        let (writer, other) = if round % 2 == 0 { (&place.who, &there) } else { (&there, &place.who) };
        write(writer, &place, &new);
        let answered = Instant::now();
        assert_eq!(address(&writer.get(&place.property_path()).is(200)), new, "in the region of the write");
        loop {
            let begins = answered.elapsed();
            let seen = address(&other.get(&place.property_path()).is(200));
            assert!(seen == new || begins < BOUND, "{seen} was read {begins:?} after {new} was answered");
            if begins >= BOUND {
                break;
            }
        }
        place.who.await_hit(&place.property_path());
        there.await_hit(&place.property_path());
    }
}

/// The primary answers all the while.
fn a_region_that_cannot_read_the_log_does_not_use_its_cache() {
    let regions = Regions::start();
    let (place, there) = regions.place();
    let function = "read_log(text, text, bigint, text, text, text, text, text, bigint)";
    regions.here.execute(&format!("REVOKE EXECUTE ON FUNCTION {function} FROM renttracker_app"), &[]);
    eventually("the bound is over", || {
        (there.get(&place.property_path()).is(200).cache() == Cache::Bypass).then_some(())
    });
    for round in 0..5 {
        let new = format!("{round} Main St");
        write(&place.who, &place, &new);
        let seen = there.get(&place.property_path()).is(200);
        assert_eq!((address(&seen), seen.cache()), (new, Cache::Bypass));
    }
    regions.here.execute(&format!("GRANT EXECUTE ON FUNCTION {function} TO renttracker_app"), &[]);
    assert_eq!(address(&there.await_hit(&place.property_path())), "4 Main St");
}

/// Its row is behind others in the order of ids, and appears when those were worked off long ago.
fn a_late_commit_of_an_early_transaction_is_worked_off() {
    let regions = Regions::start();
    let (place, there) = regions.place();
    let mut sql = regions.here.sql();
    let mut early = sql.transaction().expect("a transaction");
    let change = "UPDATE properties SET address = 'Late St', row_version = row_version + 1 WHERE tenant_id = $1 AND id::text = $2";
    let log = "INSERT INTO cache_invalidations (tenant_id, id, resources) VALUES ($1, gen_random_uuid(), $2)";
    assert_eq!(early.execute(change, &[&place.who.id, &place.property]).expect("a row"), 1);
    let resources = vec![format!("property:{}", place.property)];
    early.execute(log, &[&place.who.id, &resources]).expect("a row of the log");
    // Others begin later, commit, and are worked off.
    let (neighbours, elsewhere) = regions.place();
    write(&neighbours.who, &neighbours, "2 Main St");
    eventually("the later one is worked off there", || {
        (address(&elsewhere.get(&neighbours.property_path()).is(200)) == "2 Main St").then_some(())
    });
    there.await_hit(&place.property_path());
    early.commit().expect("it commits");
    is_seen_after_the_bound(&there, &place, "Late St");
}

fn a_row_of_the_log_stays_until_each_region_has_read_it() {
    let regions = Regions::start();
    let (place, there) = regions.place();
    // Nobody asks over there, and so nobody reads the log there.
    std::thread::sleep(BOUND);
    write(&place.who, &place, "2 Main St");
    for _ in 0..3 {
        std::thread::sleep(BOUND / 2);
        place.who.get(&place.property_path()).is(200);
        assert_eq!(logged(&regions.here, &place.who), 1);
    }
    let mut seen = String::new();
    eventually("the row is gone", || {
        place.who.get(&place.property_path()).is(200);
        seen = address(&there.get(&place.property_path()).is(200));
        (logged(&regions.here, &place.who) == 0).then_some(())
    });
    assert_eq!(seen, "2 Main St");
}

/// As after an hour without requests: the log has kept nothing for it.
fn a_region_that_was_dropped_serves_nothing_from_before() {
    let regions = Regions::start();
    let (place, there) = regions.place();
    std::thread::sleep(BOUND);
    regions.here.execute("UPDATE log_regions SET seen_at = seen_at - interval '2 minutes' WHERE region = 'us'", &[]);
    write(&place.who, &place, "2 Main St");
    eventually("the row is gone", || {
        place.who.get(&place.property_path()).is(200);
        (logged(&regions.here, &place.who) == 0).then_some(())
    });
    assert_eq!(address(&there.get(&place.property_path()).is(200)), "2 Main St");
    assert_eq!(address(&there.await_hit(&place.property_path())), "2 Main St");
}

/// As after a minute without requests, where PostgreSQL is so far that a registration takes longer than a reader of the log is waited for. A
/// second one would make the first void, and empty the cache again.
fn a_region_that_was_silent_registers_once() {
    const SLOWLY: &str = "ALTER FUNCTION register_region(text, text) RENAME TO register_region_at_once;
        CREATE FUNCTION register_region(for_namespace text, for_region text) RETURNS bigint
            LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
            AS 'SELECT pg_sleep(0.7); SELECT register_region_at_once(for_namespace, for_region)';
        GRANT EXECUTE ON FUNCTION register_region(text, text) TO renttracker_app";
    let regions = Regions::start();
    let (place, _there) = regions.place();
    let (_host, beside) = regions.here.another_host();
    let beside = beside.tenant_named(&place.who.id);
    beside.await_hit(&place.property_path());
    let mut sql = regions.here.sql();
    sql.batch_execute(SLOWLY).expect("another function");
    let mut registration = || -> i64 {
        sql.query_one("SELECT generation FROM log_regions WHERE region = 'eu'", &[]).expect("a region").get(0)
    };
    let silent = "UPDATE log_regions SET seen_at = seen_at - interval '70 s' WHERE region = 'eu'";
    let before = registration();
    std::thread::sleep(BOUND);
    regions.here.execute(silent, &[]);
    let mut registrations = std::collections::BTreeSet::new();
    let (mut last, mut hits) = (before, 0);
    eventually("the cache is used for a while", || {
        for who in [&place.who, &beside] {
            hits += u32::from(who.get(&place.property_path()).is(200).cache() == Cache::Hit);
        }
        last = registration();
        registrations.insert(last);
        (last != before && hits > 400).then_some(())
    });
    registrations.remove(&before);
    assert_eq!(registrations.len(), 1, "{registrations:?}");
}

fn a_log_of_many_pages_is_worked_off() {
    let regions = Regions::start();
    let (place, there) = regions.place();
    let log = "INSERT INTO cache_invalidations (tenant_id, id, resources)
        SELECT $1, gen_random_uuid(), ARRAY['property:' || gen_random_uuid()] FROM generate_series(1, 1200)";
    let mut sql = regions.here.sql();
    let mut transaction = sql.transaction().expect("a transaction");
    transaction.execute(log, &[&place.who.id]).expect("rows");
    let change = "UPDATE properties SET address = 'Last St', row_version = row_version + 1 WHERE tenant_id = $1 AND id::text = $2";
    transaction.execute(change, &[&place.who.id, &place.property]).expect("a row");
    let resources = vec![format!("property:{}", place.property)];
    // Behind all others of its transaction.
    let last = "INSERT INTO cache_invalidations (tenant_id, id, resources) VALUES ($1, 'ffffffff-ffff-4fff-8fff-ffffffffffff', $2)";
    transaction.execute(last, &[&place.who.id, &resources]).expect("a row of the log");
    transaction.commit().expect("it commits");
    is_seen_after_the_bound(&there, &place, "Last St");
    eventually("the rows are gone", || {
        place.who.get(&place.property_path()).is(200);
        there.get(&place.property_path()).is(200);
        (logged(&regions.here, &place.who) == 0).then_some(())
    });
}

/// Its fences would pile up over a row that is written again and again.
fn a_region_that_is_only_written_to_reads_the_log() {
    let regions = Regions::start();
    let (place, _there) = regions.place();
    let readings = || -> String {
        let state = "SELECT cursor::text FROM log_regions WHERE region = 'eu'";
        regions.here.query(state, &[])[0].get(0)
    };
    // The first two may be of readings that were under way.
    for round in 0..5 {
        let before = readings();
        eventually("the log is read", || {
            write(&place.who, &place, &format!("{round} Main St"));
            (readings() != before).then_some(())
        });
    }
}

fn a_redis_that_lost_what_it_knew_of_the_log_begins_anew() {
    let regions = Regions::start();
    let (place, there) = regions.place();
    let registration = "SELECT generation FROM log_regions WHERE region = 'us'";
    let before: i64 = regions.here.query(registration, &[])[0].get(0);
    let removed: u64 = regions.there.redis_command(&["DEL", &format!("{}~log", regions.there.instance)]);
    assert_eq!(removed, 1);
    write(&place.who, &place, "2 Main St");
    is_seen_after_the_bound(&there, &place, "2 Main St");
    assert!(regions.here.query(registration, &[])[0].get::<_, i64>(0) > before);
}

/// The log brings the write to the new registration as well, whose cache would else have to do without its keys for as long as a fence.
fn a_fence_from_before_a_registration_comes_down_with_it() {
    let regions = Regions::start();
    let (place, _there) = regions.place();
    let log = format!("{}~log", regions.here.instance);
    for round in 0..5 {
        let removed: u64 = regions.here.redis_command(&["DEL", &log]);
        write(&place.who, &place, &format!("{round} Main St"));
        let answered = Instant::now();
        place.who.await_hit(&place.property_path());
        assert!(removed == 1 && answered.elapsed() < Duration::from_millis(cache::protocol::FENCE_MS / 2));
    }
}

/// Readers may have kept the lock's key, and what is in it, past the fence's time.
fn a_fence_that_has_run_out_is_put_up_again_after_the_statement() {
    const REFENCE: &str = include_str!("../../../components/shared/cache/src/redis/scripts/refence.lua");
    const IN_NO_LOG: &str = "9000000000000000";
    let regions = Regions::start();
    let (place, _there) = regions.place();
    let key = regions.here.key(&place.who, &format!("property:{}", place.property));
    let (lock, log) = (format!("lock:{key}"), format!("{}~log", regions.here.instance));
    let _: u64 = regions.here.redis_command(&["HSET", &lock, "fence:of-a-write", "1"]);
    let _: u64 = regions.here.redis_command(&["PEXPIRE", &lock, "600000"]);
    let _: String =
        regions.here.redis_command(&["EVAL", REFENCE, "3", &key, &lock, &log, "of-a-write", "600000", IN_NO_LOG]);
    // Nobody has asked here while the other region started: perhaps the log must be read first.
    let asked =
        || Some(place.who.get(&place.property_path()).is(200).cache()).filter(|status| *status != Cache::Bypass);
    assert_eq!(eventually("the cache is asked", asked), Cache::Unstored);
}

/// A write whose region's Redis cannot be reached: its row is in the log, and the probe reads it.
fn a_missed_invalidation_is_made_good_before_the_cache_is_used() {
    let mut here = Private::with(&[
        ("region", "eu"),
        ("session_key", KEY),
        RECORD,
        ("breaker_reset_seconds", "1"),
        ("breaker_max_reset_seconds", "1"),
    ]);
    let place = Place::of(here.tenant());
    place.who.await_hit(&place.property_path());
    here.redis().pause();
    write(&place.who, &place, "2 Main St");
    here.redis().resume();
    assert_eq!(address(&place.who.await_hit(&place.property_path())), "2 Main St");
}

fn a_session_reads_its_writes_in_every_region() {
    const SESSION: &str = "RentTracker-Session";
    let regions = Regions::start();
    let (place, there) = regions.place();
    for round in 0..30 {
        let new = format!("{round} Main St");
        let (writer, reader) = if round % 2 == 0 { (&place.who, &there) } else { (&there, &place.who) };
        let token = write(writer, &place, &new).needs(SESSION);
        let read = reader.request("GET", &place.property_path()).header(SESSION, &token).send().is(200);
        assert_eq!(address(&read), new);
        // And goes on from what it read.
        let token = read.needs(SESSION);
        let back = writer.request("GET", &place.property_path()).header(SESSION, &token).send().is(200);
        assert_eq!(address(&back), new);
    }
    eventually("a session hits", || {
        let token = place.who.get(&place.property_path()).is(200).needs(SESSION);
        let read = there.request("GET", &place.property_path()).header(SESSION, &token).send().is(200);
        (read.cache() == Cache::Hit).then_some(())
    });
}

/// The bound is long, so that a busy machine keeps it.
fn a_hit_costs_one_command_as_without_a_region() {
    const HITS: u64 = 400;
    const LONG_BOUND: Duration = Duration::from_secs(9);
    let regions = Regions::with(&[("region_staleness_ms", &LONG_BOUND.as_millis().to_string())]);
    let (place, _there) = regions.place();
    let mut redis =
        redis::Client::open(regions.here.redis_url.as_str()).expect("a URL").get_connection().expect("Redis");
    let mut calls = |command: &str| -> u64 {
        let info: String = redis::cmd("INFO").arg("commandstats").query(&mut redis).expect("INFO");
        let line = info.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls="))).unwrap_or("0");
        line.split(',').next().and_then(|count| count.parse().ok()).expect("a count")
    };
    let (got, ran) = (calls("getrange"), calls("evalsha"));
    for _ in 0..HITS {
        assert_eq!(place.who.get(&place.property_path()).is(200).cache(), Cache::Hit);
    }
    let (got, ran) = (calls("getrange") - got, calls("evalsha") - ran);
    println!("a region: {HITS} hits, {got} GETRANGE, {ran} scripts in the background");
    assert_eq!(got, HITS);
    // Each instance that is made on the way sends two.
    assert!(ran < HITS / 4, "{ran} scripts");
}

/// Its rows would be gone before others have read them.
fn hosts_without_a_region_leave_the_log_alone() {
    let regions = Regions::start();
    let (_host, plain) = regions.here.host_apart(&[("region", "")]);
    let (place, there) = regions.place();
    let writer = plain.tenant_named(&place.who.id);
    write(&writer, &place, "2 Main St");
    is_seen_after_the_bound(&there, &place, "2 Main St");
}
