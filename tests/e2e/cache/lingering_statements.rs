//! Statements that are over for their clients and not for PostgreSQL: once a new row has been shown no read shows the older
//! one, however long that took and whatever the statement waited for.
//!
//! - A commit waits for a synchronous standby, and `statement_timeout` does not end that wait (PostgreSQL 15,
//!   `SyncRepWaitForLSN`, which reacts to `pg_cancel_backend` and to termination, after the timeout was disabled).
//! - A pooler may keep what its clients ask for to itself (PgBouncer 1.18, `ignore_startup_parameters = options`), so that
//!   there is no `statement_timeout`; and it may keep a statement in its queue.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use postgres::Client;
use serde_json::json;
use stack::{Pooler, Postgres};

use crate::support::outages::BRISK;
use crate::support::{self, Answer, Cache, Place, Private, World, eventually, together, trials};

trials![
    a_commit_that_waits_for_a_standby_past_its_fence_is_never_followed_by_a_stale_read,
    a_write_without_a_fence_that_waits_for_a_standby_keeps_the_cache_out_of_use,
    behind_a_pooler_without_the_limit_a_write_does_not_outwait_its_client,
    a_statement_that_starts_after_its_deadline_changes_nothing,
];

/// A PostgreSQL of the test's own, with the schema and the components' role.
struct Server {
    postgres: Postgres,
    /// The database, as its owner.
    url: String,
    /// The database, as the components.
    login_url: String,
}

impl Server {
    fn start() -> Server {
        let postgres = Postgres::start_for_tests(&support::scratch("postgres")).expect("PostgreSQL starts");
        postgres.create_database("own").expect("a database");
        let url = postgres.url("own");
        stack::migrate(&url).expect("the schema");
        let login_url = support::ensure_login(&url);
        let server = Server { postgres, url, login_url };
        // The servers of tests do not wait for the disk, and so for no standby.
        server.administer("ALTER DATABASE own SET synchronous_commit = on");
        server
    }

    /// Runs a statement where no commit waits.
    fn administer(&self, statement: &str) {
        let mut client = Client::connect(&self.postgres.url("postgres"), postgres::NoTls).expect("PostgreSQL answers");
        client.batch_execute(statement).expect(statement);
    }

    /// From now on each commit waits for a standby that does not exist; until [`Server::standby_returns`].
    fn standby_is_lost(&self) {
        self.administer("ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (ghost)'");
        self.administer("SELECT pg_reload_conf()");
        let mut client = Client::connect(&self.url, postgres::NoTls).expect("PostgreSQL answers");
        eventually("the standby is asked for", || {
            let names: String = client.query_one("SHOW synchronous_standby_names", &[]).expect("a setting").get(0);
            (names == "ANY 1 (ghost)").then_some(())
        });
    }

    fn standby_returns(&self) {
        self.administer("ALTER SYSTEM RESET synchronous_standby_names");
        self.administer("SELECT pg_reload_conf()");
    }

    fn log(&self) -> PathBuf {
        self.postgres.data_dir().join("postgres.log")
    }
}

/// How many writes there are whose sessions are in this state.
fn writes(own: &World, condition: &str) -> i64 {
    let statement = format!(
        "SELECT count(*) FROM pg_stat_activity \
         WHERE query ~ 'FROM begin_write' AND pid <> pg_backend_pid() AND {condition}"
    );
    own.query(&statement, &[])[0].get(0)
}

fn all_cached(place: &Place) {
    eventually("everything is a hit", || {
        place.routes().iter().all(|route| place.who.get(route).is(200).cache() == Cache::Hit).then_some(())
    });
}

#[track_caller]
fn is_old(answer: &Answer) {
    let body = answer.json();
    assert!(body["address"] == "1 Main St" || body["amount"] == 100 || body["totalCount"] == 1, "{answer}");
}

/// The fences of writes that are over have run out by themselves.
fn fences_are_gone(own: &World, place: &Place) -> bool {
    let locks = own.keys_of(&place.who).into_iter().filter_map(|key| key.strip_prefix("lock:").map(str::to_owned));
    // A reader's lock is a field of the same key.
    let fields = |lock: String| -> Vec<String> {
        own.redis_command(&["HKEYS", &format!("lock:{}", own.key(&place.who, &lock))])
    };
    locks.flat_map(fields).all(|field| !field.starts_with("fence:"))
}

fn a_commit_that_waits_for_a_standby_past_its_fence_is_never_followed_by_a_stale_read() {
    let server = Server::start();
    let own = Private::on_database(&server.url, &[]);
    let (changed, deleted) = (Place::of(own.tenant()), Place::of(own.tenant()));
    all_cached(&changed);
    all_cached(&deleted);

    server.standby_is_lost();
    together(2, |number| match number {
        0 => changed.who.put(&changed.property_path(), &json!({ "address": "2 New St" })).problem(503),
        _ => deleted.who.delete(&deleted.property_path()).problem(503),
    });
    assert_eq!(writes(&own, "wait_event = 'SyncRep'"), 2, "both commits wait");
    let read_all = |status: Cache| {
        for route in [changed.property_path(), changed.routes()[0].clone()] {
            let answer = changed.who.get(&route).is(200);
            is_old(&answer);
            assert_eq!(answer.cache(), status, "{answer}");
        }
        for route in deleted.routes() {
            let answer = deleted.who.get(&route).is(200);
            is_old(&answer);
            assert_eq!(answer.cache(), status, "{answer}");
        }
    };
    eventually("the fences have run out", || {
        read_all(Cache::Unstored);
        std::thread::sleep(Duration::from_millis(200));
        (fences_are_gone(&own, &changed) && fences_are_gone(&own, &deleted)).then_some(())
    });
    // What is in doubt is not stored, though nothing else would hold it back. And it is told.
    for _ in 0..5 {
        read_all(Cache::Unstored);
    }
    let told = own.administrator().get("/api/health").is(200).json();
    assert_eq!((&told["status"], &told["tenantsInDoubt"]), (&json!("Degraded"), &json!(2)), "{told}");
    assert!(told["warnings"][0].as_str().is_some_and(|text| text.contains("SyncRep")), "{told}");
    assert_eq!(writes(&own, "wait_event = 'SyncRep'"), 2, "both commits still wait");

    server.standby_returns();
    eventually("a search shows the new row", || {
        let found = changed.who.column("/api/properties?searchTerm=New", "address");
        (found == ["2 New St"]).then_some(())
    });
    eventually("a search shows no property", || {
        deleted.who.ids("/api/properties?searchTerm=Main").is_empty().then_some(())
    });
    let cached = eventually("the new row is cached", || {
        for route in [deleted.property_path(), deleted.payments_path(), deleted.payment_path()] {
            deleted.who.get(&route).problem(404);
        }
        let answer = changed.who.get(&changed.property_path()).is(200);
        assert_eq!(answer.json()["address"], "2 New St", "{answer}");
        (answer.cache() == Cache::Hit).then_some(answer)
    });
    assert_eq!(cached.json()["rowVersion"], 2);
    // What their writers left in the outbox goes with the next write.
    changed.who.put(&changed.property_path(), &json!({ "address": "3 New St" })).is(200);
    eventually("the outbox is empty", || own.query("SELECT FROM cache_invalidations", &[]).is_empty().then_some(()));
}

fn a_write_without_a_fence_that_waits_for_a_standby_keeps_the_cache_out_of_use() {
    let server = Server::start();
    let mut own = Private::on_database(&server.url, &BRISK);
    let place = Place::of(own.tenant());
    all_cached(&place);

    own.redis().pause();
    server.standby_is_lost();
    place.who.put(&place.property_path(), &json!({ "address": "2 New St" })).problem(503);
    // The entry from before is there, and Redis is the one that it was.
    own.redis().resume();
    eventually("a probe has waited for the write in vain", || {
        let answer = place.who.get(&place.property_path()).is(200);
        is_old(&answer);
        assert_eq!(answer.cache(), Cache::Bypass, "{answer}");
        let log = std::fs::read_to_string(own.log()).expect("the host's log");
        log.contains("1 writes are still in progress").then_some(())
    });
    assert_eq!(writes(&own, "wait_event = 'SyncRep'"), 1, "the commit still waits");

    server.standby_returns();
    eventually("a search shows the new row", || {
        (place.who.column("/api/properties?searchTerm=New", "address") == ["2 New St"]).then_some(())
    });
    eventually("the new row is cached", || {
        let answer = place.who.get(&place.property_path()).is(200);
        assert_eq!(answer.json()["address"], "2 New St", "{answer}");
        (answer.cache() == Cache::Hit).then_some(())
    });
}

/// A world behind a pooler that keeps its clients' `options` to itself.
fn pooled(server: &Server, changes: &[(&str, &str)]) -> (Pooler, Private) {
    let pooler = Pooler::start(&support::scratch("pooler"), &server.login_url).expect("PgBouncer starts");
    let address = stack::database_address(pooler.url()).expect("an address");
    let way = [("database_url", pooler.url()), ("database_address", address.as_str())];
    let own = Private::on_database(&server.url, &[&way[..], changes].concat());
    (pooler, own)
}

fn behind_a_pooler_without_the_limit_a_write_does_not_outwait_its_client() {
    let server = Server::start();
    // As the guides would have it not.
    server.administer("ALTER ROLE renttracker_edge RESET statement_timeout");
    let (_pooler, own) = pooled(&server, &[]);
    let place = Place::of(own.tenant());
    let health = || own.administrator().get("/api/health").is(200).json();
    let told = health();
    assert_eq!((&told["status"], &told["statementTimeoutMs"]), (&json!("Degraded"), &json!(0)), "{told}");
    assert!(told["warnings"][0].as_str().is_some_and(|text| text.contains("ALTER ROLE")), "{told}");

    let mut owner = own.sql();
    let mut transaction = owner.transaction().expect("a transaction");
    transaction.execute("SELECT FROM properties FOR UPDATE", &[]).expect("the row's lock");
    let change = json!({ "address": "2 New St" });
    place.who.put(&place.property_path(), &change).problem(503);
    eventually("the write has ended", || (writes(&own, "state = 'active'") == 0).then_some(()));
    transaction.rollback().expect("the lock is given back");
    assert_eq!(place.who.get(&place.property_path()).is(200).json()["rowVersion"], 1);
    place.who.put(&place.property_path(), &change).is(200);

    // What mends it: the role's own setting, for the sessions that are opened from then on.
    server.administer("ALTER ROLE renttracker_edge SET statement_timeout = '1500ms'");
    server.administer("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'renttracker_edge'");
    eventually("all is well", || {
        let told = health();
        (told["status"] == "Healthy" && told["statementTimeoutMs"] == 1_500 && told["warnings"] == json!([]))
            .then_some(())
    });
}

fn a_statement_that_starts_after_its_deadline_changes_nothing() {
    let server = Server::start();
    server.administer("ALTER ROLE renttracker_edge RESET statement_timeout");
    let (_pooler, own) = pooled(&server, &BRISK);
    let place = Place::of(own.tenant());

    // What a write does first has to wait, as the whole statement would in a pooler's queue.
    let mut owner = own.sql();
    let seconds = "SELECT pg_advisory_lock(write_lock_key($1), (extract(epoch FROM now())::bigint + n)::integer) \
        FROM generate_series(-2, 30) AS n";
    owner.execute(seconds, &[&place.who.id]).expect("locks");
    let sent_at = Instant::now();
    place.who.put(&place.property_path(), &json!({ "address": "2 New St" })).problem(503);
    assert_eq!(writes(&own, "wait_event_type = 'Lock'"), 1, "the statement is still there");
    // As long as its client had waited, and some.
    std::thread::sleep(Duration::from_millis(2_500).saturating_sub(sent_at.elapsed()));
    owner.execute("SELECT pg_advisory_unlock_all()", &[]).expect("the locks are given back");
    eventually("PostgreSQL has refused it", || {
        let log = std::fs::read_to_string(server.log()).expect("PostgreSQL's log");
        log.contains("the write came after its client had stopped waiting").then_some(())
    });
    assert_eq!(place.who.get(&place.property_path()).is(200).json()["rowVersion"], 1);
    place.who.put(&place.property_path(), &json!({ "address": "3 New St" })).is(200);
}
