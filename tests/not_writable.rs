//! PostgreSQL that answers and does not take what it is asked: read-only, locked, short of connections, a standby, or a server
//! that another has taken the place of. Each is 503 with `Retry-After` and told by health; nothing of it is 500, or old.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use stack::Postgres;

use crate::world::{self, Answer, Place, Private, Tenant, World, eventually, together, trials};

trials![
    every_error_of_postgresql_has_its_answer,
    a_primary_that_takes_no_writes_is_read_and_told,
    a_standby_is_not_read_and_told,
    sessions_to_a_server_that_was_demoted_are_not_used_again,
    a_lock_that_is_held_is_unavailable,
    no_connection_left_is_unavailable_and_told,
    another_default_isolation_does_not_reach_the_statements,
];

/// 503 with `Retry-After`.
#[track_caller]
fn unavailable(answer: &Answer) {
    answer.problem(503);
    answer.needs("retry-after");
}

fn health(own: &World) -> (u16, Value, Value) {
    let public = own.get("/api/health");
    let told = own.administrator().get("/api/health").json();
    (public.status, public.json(), told["databaseReason"].clone())
}

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

/// A server of the test's own with a world on it.
fn with_postgres() -> (Postgres, Private) {
    let postgres = server();
    let url = postgres.url("own");
    (postgres, Private::on_database(&url, &[]))
}

fn server() -> Postgres {
    let postgres = Postgres::start_for_tests(&world::scratch("postgres")).expect("PostgreSQL starts");
    postgres.create_database("own").expect("a database");
    let url = postgres.url("own");
    stack::migrate(&url).expect("the schema");
    world::ensure_login(&url);
    postgres
}

fn sql(postgres: &Postgres) -> postgres::Client {
    postgres::Client::connect(&postgres.url("own"), postgres::NoTls).expect("PostgreSQL answers")
}

/// Has a running server take no writes any more, or take them again, in sessions that are open too.
fn set_read_only(postgres: &Postgres, value: &str) {
    let mut sql = sql(postgres);
    sql.batch_execute(&format!("ALTER SYSTEM SET default_transaction_read_only = {value}")).expect("a setting");
    sql.execute("SELECT pg_reload_conf()", &[]).expect("it is read anew");
    eventually("the setting is in force", || {
        let now: String = sql.query_one("SHOW transaction_read_only", &[]).expect("it is shown").get(0);
        (now == value).then_some(())
    });
}

fn writes(place: &Place) -> Vec<Answer> {
    let who = &place.who;
    vec![
        who.post("/api/properties", &json!({ "address": "x" })),
        who.put(&place.property_path(), &json!({ "address": "x" })),
        who.delete(&place.property_path()),
        who.post(&place.payments_path(), &json!({ "amount": 1, "paymentDate": "2025-03-01", "paymentMethod": "Cash" })),
        who.put(&place.payment_path(), &json!({ "amount": 1, "paymentDate": "2025-03-01", "paymentMethod": "Cash" })),
        who.delete(&place.payment_path()),
    ]
}

/// Managed services do it when a disk is nearly full.
fn a_primary_that_takes_no_writes_is_read_and_told() {
    let (postgres, own) = with_postgres();
    let (place, fresh) = (Place::of(own.tenant()), own.tenant());
    eventually("all is well", || (health(&own).1["status"] == "Healthy").then_some(()));
    set_read_only(&postgres, "on");
    for round in 0..3 {
        for answer in writes(&place) {
            unavailable(&answer);
        }
        // By sessions that were open, and by new ones.
        for route in place.routes() {
            place.who.get(&route).is(200);
        }
        fresh.get(&format!("/api/properties?pageNumber={}", round + 1)).is(200);
        let (status, told, reason) = health(&own);
        assert_eq!((status, told), (200, json!({ "status": "Degraded", "database": "ReadOnly" })));
        assert!(reason.as_str().is_some_and(|reason| reason.contains("no writes")), "{reason}");
        own.get("/readyz").is(200);
    }
    set_read_only(&postgres, "off");
    eventually("writes go on", || {
        (place.who.put(&place.property_path(), &json!({ "address": "after" })).status == 200).then_some(())
    });
    assert_eq!(place.who.get(&place.property_path()).is(200).json()["address"], "after");
    eventually("all is well again", || (health(&own).1["status"] == "Healthy").then_some(()));
}

/// It may be behind.
fn a_standby_is_not_read_and_told() {
    let (mut postgres, own) = with_postgres();
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
        let (status, told, reason) = health(&own);
        let is_told = told == json!({ "status": "Unhealthy", "database": "ReadOnly" }) && status == 503;
        (is_told && reason.as_str().is_some_and(|reason| reason.contains("read-only"))).then_some(())
    });
    unavailable(&uncached(2));
    for answer in writes(&place) {
        unavailable(&answer);
    }
    own.get("/readyz").problem(503);
    assert!(sql(&postgres).query_one("SELECT pg_promote()", &[]).expect("an answer").get::<_, bool>(0));
    eventually("reads go on", || (uncached(3).status == 200).then_some(()));
    eventually("writes go on", || {
        (place.who.put(&place.property_path(), &json!({ "address": "after" })).status == 200).then_some(())
    });
    eventually("health says so", || (health(&own).1["database"] == "Connected").then_some(()));
}

/// An address that leads to one server and then to another, while connections to the first stay open: a name in DNS, a
/// Kubernetes service, a proxy.
struct Switch {
    address: SocketAddr,
    leads_to: Arc<Mutex<SocketAddr>>,
}

impl Switch {
    fn to(port: u16) -> Switch {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let leads_to = Arc::new(Mutex::new(SocketAddr::from(([127, 0, 0, 1], port))));
        let target = Arc::clone(&leads_to);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(*target.lock().expect("a target"));
                let Ok(server) = server else { continue };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (from.try_clone().expect("a stream"), to.try_clone().expect("a stream"));
                    std::thread::spawn(move || carry(from, to));
                }
            }
        });
        Switch { address, leads_to }
    }

    fn turn_to(&self, port: u16) {
        self.leads_to.lock().expect("a target").set_port(port);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 8192];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = (to.shutdown(Shutdown::Both), from.shutdown(Shutdown::Both));
}

fn sessions_to_a_server_that_was_demoted_are_not_used_again() {
    let mut first = server();
    let switch = Switch::to(first.port());
    let url = first.url("own").replace(&format!(":{}/", first.port()), &format!(":{}/", switch.address.port()));
    let own = Private::on_database(&url, &[]);
    let place = Place::of(own.tenant());
    // The second server has what the first had, as a standby has.
    first.stop();
    let home = world::scratch("postgres");
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
    assert!(sql(&first).query_one(count, &[]).expect("a count").get::<_, i64>(0) > 2);

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
        sql(postgres).query_one(count, &[&like]).expect("a count").get(0)
    };
    assert_eq!((addresses(&second, "% New St"), addresses(&first, "% New St")), (12, 0));
    assert_eq!(health(&own).1["database"], "Connected");
}

/// Of somebody who set `lock_timeout`, or is slow.
fn a_lock_that_is_held_is_unavailable() {
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
    for answer in &writes(&place)[1..] {
        unavailable(answer);
    }
    transaction.rollback().expect("it is let go");
    for answer in &writes(&place)[1..2] {
        assert_eq!(answer.status, 200, "{answer}");
    }
}

fn no_connection_left_is_unavailable_and_told() {
    let own = Private::start();
    let place = Place::of(own.tenant());
    let database: String = own.query("SELECT current_database()::text", &[])[0].get(0);
    own.sql().batch_execute(&format!("ALTER DATABASE {database} CONNECTION LIMIT 0")).expect("a limit");
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'renttracker_edge' \
        AND datname = current_database()";
    own.query(end, &[]);
    eventually("health says so", || {
        let (status, told, reason) = health(&own);
        let is_told = told == json!({ "status": "Unhealthy", "database": "Disconnected" }) && status == 503;
        (is_told && reason == "it has no connection left").then_some(())
    });
    unavailable(&place.who.get("/api/properties?pageNumber=2"));
    for answer in writes(&place) {
        unavailable(&answer);
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

fn another_default_isolation_does_not_reach_the_statements() {
    for isolation in ["repeatable read", "serializable"] {
        let url = world::new_database();
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
        let path = crate::world::property_path(created["id"].as_str().expect("an id"));
        let body = json!({ "address": "y" });
        let answers = together(8, |_| who.request("PUT", &path).header("If-Match", "\"1\"").json(&body).send().status);
        assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
        assert!(answers.iter().all(|status| [200, 412].contains(status)), "{answers:?}");
        for answer in race(&who) {
            assert!([201, 409].contains(&answer.status), "{answer}");
        }
        eventually("all is well", || (health(&own).1["status"] == "Healthy").then_some(()));
    }
}
