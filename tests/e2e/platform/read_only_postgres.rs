//! PostgreSQL that takes no writes: a read-only primary, a standby, or a server that another has taken the place of. Each is
//! 503 with `Retry-After` and told by health; nothing of it is 500, or old.

use std::process::Command;

use serde_json::json;
use stack::Postgres;

use crate::support::switch::Switch;
use crate::support::{Place, Private, eventually, own_postgres, scratch, sql_of, together, trials, url_of};

trials![
    a_read_only_primary_is_read_and_reported,
    a_standby_is_not_read_and_reported,
    sessions_to_a_server_that_was_demoted_are_not_used_again,
];

/// Has a running server take no writes any more, or take them again, in sessions that are open too.
fn set_read_only(postgres: &Postgres, value: &str) {
    let mut sql = sql_of(postgres);
    sql.batch_execute(&format!("ALTER SYSTEM SET default_transaction_read_only = {value}")).expect("a setting");
    sql.execute("SELECT pg_reload_conf()", &[]).expect("it is read anew");
    eventually("the setting is in force", || {
        let now: String = sql.query_one("SHOW transaction_read_only", &[]).expect("it is shown").get(0);
        (now == value).then_some(())
    });
}

/// Managed services do it when a disk is nearly full.
fn a_read_only_primary_is_read_and_reported() {
    let (postgres, own) = Private::with_postgres(&[]);
    let (place, fresh) = (Place::of(own.tenant()), own.tenant());
    eventually("all is well", || (own.health().1["status"] == "Healthy").then_some(()));
    set_read_only(&postgres, "on");
    for round in 0..3 {
        for answer in place.writes() {
            answer.unavailable();
        }
        // By sessions that were open, and by new ones.
        for route in place.routes() {
            place.who.get(&route).is(200);
        }
        fresh.get(&format!("/api/properties?pageNumber={}", round + 1)).is(200);
        let (status, told, reason) = own.health();
        assert_eq!((status, told), (200, json!({ "status": "Degraded", "database": "ReadOnly" })));
        assert!(reason.as_str().is_some_and(|reason| reason.contains("no writes")), "{reason}");
        own.get("/readyz").is(200);
    }
    set_read_only(&postgres, "off");
    eventually("writes go on", || {
        (place.who.put(&place.property_path(), &json!({ "address": "after" })).status == 200).then_some(())
    });
    assert_eq!(place.who.get(&place.property_path()).is(200).json()["address"], "after");
    eventually("all is well again", || (own.health().1["status"] == "Healthy").then_some(()));
}

/// It may be behind.
fn a_standby_is_not_read_and_reported() {
    let (mut postgres, own) = Private::with_postgres(&[]);
    let place = Place::of(own.tenant());
    let signal = postgres.data_dir().join("data/standby.signal");
    postgres.stop();
    std::fs::write(&signal, "").expect("a file");
    Command::new("chown")
        .arg("--reference")
        .arg(signal.with_file_name("PG_VERSION"))
        .arg(&signal)
        .status()
        .expect("chown");
    postgres.restart().expect("a standby");
    let uncached = |number: u32| place.who.get(&format!("/api/properties?pageNumber={number}"));
    eventually("health says so", || {
        let (status, told, reason) = own.health();
        let is_told = told == json!({ "status": "Unhealthy", "database": "ReadOnly" }) && status == 503;
        (is_told && reason.as_str().is_some_and(|reason| reason.contains("read-only"))).then_some(())
    });
    uncached(2).unavailable();
    for answer in place.writes() {
        answer.unavailable();
    }
    own.get("/readyz").problem(503);
    assert!(sql_of(&postgres).query_one("SELECT pg_promote()", &[]).expect("an answer").get::<_, bool>(0));
    eventually("reads go on", || (uncached(3).status == 200).then_some(()));
    eventually("writes go on", || {
        (place.who.put(&place.property_path(), &json!({ "address": "after" })).status == 200).then_some(())
    });
    eventually("health says so", || (own.health().1["database"] == "Connected").then_some(()));
}

fn sessions_to_a_server_that_was_demoted_are_not_used_again() {
    let mut first = own_postgres();
    let switch = Switch::to(first.port());
    let url = url_of(&first).replace(&format!(":{}/", first.port()), &format!(":{}/", switch.address.port()));
    // Twelve readers at once, and none is turned away for one that PostgreSQL is slow to let in.
    let own = Private::on_database(&url, &[("database_concurrency", "16")]);
    let place = Place::of(own.tenant());
    // The second server has what the first had, as a standby has.
    first.stop();
    let home = scratch("postgres");
    let copied = Command::new("cp").arg("-a").arg(first.data_dir()).arg(&home).status().expect("cp");
    assert!(copied.success(), "a copy of the data");
    first.restart().expect("the first server");
    let second = Postgres::start_for_tests(&home).expect("the second server");
    let path = place.property_path();
    let change = |address: &str| place.who.put(&path, &json!({ "address": address }));
    eventually("the first is back", || (change("on the first").status == 200).then_some(()));
    // Several sessions of each component, all of them idle then.
    together(12, |number| {
        place.who.get(&format!("/api/properties?pageNumber={}", 100 + number)).is(200);
        place.who.property_at(&format!("{number} Old St"));
    });
    let count = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'renttracker_edge'";
    assert!(sql_of(&first).query_one(count, &[]).expect("a count").get::<_, i64>(0) > 2);

    set_read_only(&first, "on");
    // Who reads while nobody takes writes must not go on reading there when another server does.
    place.who.get("/api/properties?pageNumber=200").is(200);
    switch.turn_to(second.port());
    change("on the second").is(200);
    let answer = place.who.get(&path).is(200);
    assert_eq!(answer.json()["address"], "on the second", "an old row: {answer}");
    together(12, |number| {
        let page = place.who.get(&format!("/api/properties?pageNumber=1&pageSize={}", 1 + number)).is(200);
        assert_eq!(page.json()["items"][0]["address"], "on the second", "an old row: {page}");
    });
    together(12, |number| place.who.property_at(&format!("{number} New St")));
    let addresses = |postgres: &Postgres, like: &str| -> i64 {
        let count = "SELECT count(*) FROM properties WHERE address LIKE $1";
        sql_of(postgres).query_one(count, &[&like]).expect("a count").get(0)
    };
    assert_eq!((addresses(&second, "% New St"), addresses(&first, "% New St")), (12, 0));
    assert_eq!(own.health().1["database"], "Connected");
}
