//! PostgreSQL that answers and refuses: every error, a lock that is held, no connection left, and another default isolation.
//! What it may take later is 503 with `Retry-After`, and health tells.

use serde_json::json;

use crate::support::{
    Answer, Place, Private, Tenant, World, eventually, new_database, property_path, together, trials,
};

trials![
    every_error_of_postgresql_has_its_answer,
    a_held_lock_is_503,
    no_connection_left_is_503_and_reported,
    statements_are_read_committed_under_another_default_isolation,
];

/// A SQLSTATE for each class of appendix A (PostgreSQL 14 to 18), those that have a place of their own, and the answer.
const ANSWERS: &[(&str, u16)] = &[
    ("01000", 500),
    ("02000", 500),
    ("03000", 500),
    ("08000", 503),
    ("08003", 503),
    ("08006", 503),
    ("08P01", 503),
    ("09000", 500),
    ("0A000", 500),
    ("0B000", 500),
    ("0F000", 500),
    ("0L000", 500),
    ("0P000", 500),
    ("0Z000", 500),
    ("20000", 500),
    ("21000", 500),
    ("22000", 500),
    ("22P05", 500),
    ("23000", 500),
    ("23503", 503),
    ("23505", 503),
    ("23514", 500),
    ("24000", 500),
    ("25001", 500),
    ("25006", 503),
    ("25P02", 503),
    ("26000", 500),
    ("27000", 500),
    ("28000", 503),
    ("28P01", 503),
    ("2B000", 500),
    ("2D000", 500),
    ("2F000", 500),
    ("34000", 500),
    ("38000", 500),
    ("39000", 500),
    ("3B000", 500),
    ("3D000", 503),
    ("3F000", 500),
    ("40000", 503),
    ("40001", 503),
    ("40003", 503),
    ("40P01", 503),
    ("42000", 500),
    ("42501", 500),
    ("42P01", 500),
    ("44000", 500),
    ("53000", 503),
    ("53100", 503),
    ("53200", 503),
    ("53300", 503),
    ("54000", 500),
    ("55000", 500),
    ("55006", 503),
    ("55P03", 503),
    ("57000", 503),
    ("57014", 503),
    ("57P01", 503),
    ("57P02", 503),
    ("57P03", 503),
    ("57P05", 503),
    ("58000", 503),
    ("58030", 503),
    ("72000", 503),
    ("F0000", 500),
    ("HV000", 500),
    ("P0001", 500),
    ("XX000", 500),
    ("XX001", 500),
];

fn every_error_of_postgresql_has_its_answer() {
    let own = Private::start();
    own.sql()
        .batch_execute(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION 'on purpose' USING ERRCODE = NEW.address;
            END
            $$;
            CREATE TRIGGER fail BEFORE INSERT ON properties FOR EACH ROW EXECUTE FUNCTION fail()",
        )
        .expect("a trigger");
    let who = own.tenant();
    for (code, status) in ANSWERS {
        let answer = who.post("/api/properties", &json!({ "address": code }));
        answer.problem(*status);
        assert_eq!(answer.header("retry-after").is_some(), *status == 503, "{code}: {answer}");
    }
}

/// Of somebody who set `lock_timeout`, or is slow.
fn a_held_lock_is_503() {
    let own = Private::start();
    let place = Place::of(own.tenant());
    let database: String = own.query("SELECT current_database()::text", &[])[0].get(0);
    own.sql().batch_execute(&format!("ALTER DATABASE {database} SET lock_timeout = '50ms'")).expect("a setting");
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'renttracker_edge' \
        AND datname = current_database()";
    own.query(end, &[]);
    let mut holder = own.sql();
    let mut transaction = holder.transaction().expect("a transaction");
    transaction.execute("SELECT FROM properties WHERE tenant_id = $1 FOR UPDATE", &[&place.who.id]).expect("the lock");
    transaction.execute("SELECT FROM payments WHERE tenant_id = $1 FOR UPDATE", &[&place.who.id]).expect("the lock");
    for answer in &place.writes()[1..] {
        answer.unavailable();
    }
    transaction.rollback().expect("it is let go");
    for answer in &place.writes()[1..2] {
        assert_eq!(answer.status, 200, "{answer}");
    }
}

fn no_connection_left_is_503_and_reported() {
    let own = Private::start();
    let place = Place::of(own.tenant());
    let database: String = own.query("SELECT current_database()::text", &[])[0].get(0);
    own.sql().batch_execute(&format!("ALTER DATABASE {database} CONNECTION LIMIT 0")).expect("a limit");
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'renttracker_edge' \
        AND datname = current_database()";
    own.query(end, &[]);
    eventually("health says so", || {
        let (status, told, reason) = own.health();
        let is_told = told == json!({ "status": "Unhealthy", "database": "Disconnected" }) && status == 503;
        (is_told && reason == "it has no connection left").then_some(())
    });
    place.who.get("/api/properties?pageNumber=2").unavailable();
    for answer in place.writes() {
        answer.unavailable();
    }
    own.sql().batch_execute(&format!("ALTER DATABASE {database} CONNECTION LIMIT -1")).expect("no limit");
    eventually("writes go on", || {
        (place.who.put(&place.property_path(), &json!({ "address": "after" })).status == 200).then_some(())
    });
}

/// What a statement of a write runs in, put by a trigger where an answer shows it.
fn with_shown_isolation(own: &World) {
    own.sql()
        .batch_execute(
            "CREATE FUNCTION show_isolation() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                NEW.description := current_setting('transaction_isolation');
                RETURN NEW;
            END
            $$;
            CREATE TRIGGER show_isolation BEFORE INSERT OR UPDATE ON properties FOR EACH ROW EXECUTE FUNCTION show_isolation()",
        )
        .expect("a trigger");
}

fn race(who: &Tenant) -> Vec<Answer> {
    let send =
        || who.request("POST", "/api/properties").header("Idempotency-Key", "one").json(&json!({ "address": "x" }));
    together(8, |_| send().send())
}

fn statements_are_read_committed_under_another_default_isolation() {
    for isolation in ["repeatable read", "serializable"] {
        let url = new_database();
        let database = url.rsplit('/').next().expect("a name").to_owned();
        let statement = format!("ALTER DATABASE {database} SET default_transaction_isolation = '{isolation}'");
        postgres::Client::connect(&url, postgres::NoTls)
            .expect("it answers")
            .batch_execute(&statement)
            .expect("a setting");
        let own = Private::on_database(&url, &[]);
        with_shown_isolation(&own);
        let who = own.tenant();
        let created = who.post("/api/properties", &json!({ "address": "x" })).is(201).json();
        assert_eq!(created["description"], "read committed", "under {isolation}");
        // One of those that replace the same version wins, and the others are told what there is.
        let path = property_path(created["id"].as_str().expect("an id"));
        let body = json!({ "address": "y" });
        let answers = together(8, |_| who.request("PUT", &path).header("If-Match", "\"1\"").json(&body).send().status);
        assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
        assert!(answers.iter().all(|status| [200, 412].contains(status)), "{answers:?}");
        for answer in race(&who) {
            assert!([201, 409].contains(&answer.status), "{answer}");
        }
        eventually("all is well", || (own.health().1["status"] == "Healthy").then_some(()));
    }
}
