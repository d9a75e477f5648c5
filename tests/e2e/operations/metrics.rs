//! `GET /metrics`, and what every answer says of itself.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::outages::BRISK;
use crate::support::{Answer, Cache, Place, Private, World, eventually, property_path, trials, world};

trials![
    promtool_accepts_the_metrics,
    counts_of_two_hosts_add_up,
    counts_of_instances_that_live_for_one_request_arrive_once,
    counting_goes_on_without_redis,
    a_failure_is_counted_with_its_status,
    metrics_name_no_tenant,
    every_answer_has_a_server_timing,
    server_timing_has_the_parts_of_redis_and_postgresql,
    a_timeout_is_counted_apart_from_other_failures,
    a_stale_hit_is_found_counted_logged_and_removed,
];

const METRICS: &str = "/metrics";

/// Waits until the instances have told what they counted.
#[track_caller]
fn reaches(world: &World, series: &str, expected: u64) {
    eventually(&format!("{series} is {expected}"), || (world.metric(series) == expected).then_some(()));
}

fn promtool_accepts_the_metrics() {
    let place = Place::of(world().tenant());
    for route in place.routes() {
        place.who.get(&route).is(200);
    }
    let answer = eventually("histograms are told", || {
        let answer = world().get(METRICS).is(200);
        answer.text().contains("renttracker_request_duration_seconds_bucket").then_some(answer)
    });
    assert_eq!(answer.needs("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool, which `cargo xtask test` installs");
    promtool.stdin.take().expect("a pipe").write_all(answer.text().as_bytes()).expect("it reads");
    let output = promtool.wait_with_output().expect("it ends");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
}

fn counts_of_two_hosts_add_up() {
    let own = Private::start();
    let (_host, other) = own.another_host();
    let place = Place::of(own.tenant());
    let there = other.tenant_named(&place.who.id);
    for who in [&place.who, &there] {
        for _ in 0..7 {
            who.get(&place.property_path()).is(200);
        }
    }
    for world in [&*own, &other] {
        reaches(world, r#"renttracker_requests_total{route="property",method="GET",status="200"}"#, 14);
    }
    let text = own.get(METRICS).is(200).text();
    let lookups: u64 = text
        .lines()
        .filter(|line| line.starts_with(r#"renttracker_cache_lookups_total{kind="single""#))
        .map(|line| line.rsplit(' ').next().expect("a value").parse::<u64>().expect("a number"))
        .sum();
    assert_eq!(lookups, 14, "{text}");
    // The property and its payment.
    reaches(&own, r#"renttracker_cache_fences_total{result="raised"}"#, 2);
}

/// So many that some are told by an instance, all that have come together in Redis until then, and the others by the scrape.
const FIRST_REQUESTS: u64 = 100;

fn counts_of_instances_that_live_for_one_request_arrive_once() {
    let own = Private::without_reuse(&[]);
    let place = Place::of(own.tenant());
    for _ in 0..FIRST_REQUESTS {
        place.who.get(&place.property_path()).is(200);
    }
    let key = format!("{}~counts", own.instance);
    let waiting: u64 = own.redis_command(&["HLEN", &key]);
    assert!((1..64).contains(&waiting), "{waiting} wait in Redis: 64 are told together");
    let series = r#"renttracker_requests_total{route="property",method="GET",status="200"}"#;
    reaches(&own, series, FIRST_REQUESTS);
    // They are among the totals now: Redis may forget them.
    own.redis_command::<u64>(&["DEL", &key]);
    assert_eq!(own.metric(series), FIRST_REQUESTS);
}

fn counting_goes_on_without_redis() {
    let own = Private::without_redis(&[("redis_connect_timeout_ms", "100")]);
    let who = own.tenant();
    let id = who.property_at("1 Main St");
    for _ in 0..5 {
        who.get(&property_path(&id)).is(200);
    }
    reaches(&own, r#"renttracker_cache_lookups_total{kind="single",result="bypass"}"#, 5);
    let text = own.get(METRICS).is(200).text();
    assert!(text.contains("\nrenttracker_redis_up 0\n"), "{text}");
    assert!(text.contains("\nrenttracker_postgres_up 1\n"), "{text}");
    assert!(text.contains("\nrenttracker_breaker_state{state=\"closed\"} 0\n"), "{text}");
    assert!(text.contains("\nrenttracker_outbox_rows 1\n"), "the write is not told to Redis: {text}");
}

fn a_failure_is_counted_with_its_status() {
    let own = Private::start();
    let who = own.tenant();
    // Under /api the component `origin` answers what is not ours, and counts nothing.
    who.get("/nope").is(404);
    who.get("/api/properties?pageSize=x").is(400);
    who.post("/api/properties", &json!({})).is(400);
    own.get("/api/properties").is(401);
    who.request("BREW", "/api/properties").send().is(405);
    for series in [
        r#"renttracker_requests_total{route="other",method="GET",status="404"}"#,
        r#"renttracker_requests_total{route="properties",method="GET",status="400"}"#,
        r#"renttracker_requests_total{route="properties",method="POST",status="400"}"#,
        r#"renttracker_requests_total{route="properties",method="GET",status="401"}"#,
        r#"renttracker_requests_total{route="properties",method="OTHER",status="405"}"#,
    ] {
        reaches(&own, series, 1);
    }
}

fn metrics_name_no_tenant() {
    let own = Private::start();
    let place = Place::of(own.tenant());
    for route in place.routes() {
        place.who.get(&route).is(200);
    }
    reaches(&own, r#"renttracker_requests_total{route="payment",method="GET",status="200"}"#, 1);
    let text = own.get(METRICS).is(200).text();
    for secret in [&place.who.id, &place.property, &place.payment] {
        assert!(!text.contains(secret.as_str()), "{secret} is told in {text}");
    }
}

fn every_answer_has_a_server_timing() {
    let place = Place::of(world().tenant());
    let mut answers: Vec<_> = place.routes().iter().map(|route| place.who.get(route)).collect();
    answers.push(place.who.put(&place.property_path(), &json!({ "address": "2 Main St" })));
    answers.push(place.who.get("/api/nope"));
    answers.push(world().get("/api/properties"));
    answers.push(world().request("OPTIONS", "/api/properties").send());
    for path in ["/livez", "/readyz", METRICS, "/api/health"] {
        answers.push(world().get(path).is(200));
    }
    for answer in answers {
        assert!(answer.needs("server-timing").starts_with("cache;desc="), "{answer}");
        for part in ["redis", "db", "total"] {
            assert!(took(&answer, part) >= 0.0, "{answer}");
        }
    }
}

/// What an answer says of the time of one part, in milliseconds.
#[track_caller]
fn took(answer: &Answer, part: &str) -> f64 {
    let timing = answer.needs("server-timing");
    let told = timing.split(", ").find_map(|it| it.strip_prefix(part)?.strip_prefix(";dur="));
    told.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{part} is missing in {timing}"))
}

fn server_timing_has_the_parts_of_redis_and_postgresql() {
    let own = Private::start();
    let place = Place::of(own.tenant());
    let asked = |answer: &Answer| ["redis", "db"].map(|part| took(answer, part) > 0.0);
    // The very first reads may find the cache not let in yet.
    let hit = eventually("a hit", || {
        let answer = place.who.get(&place.property_path()).is(200);
        assert!(took(&answer, "db") > 0.0 || answer.cache() == Cache::Hit, "{answer}");
        (answer.cache() == Cache::Hit).then_some(answer)
    });
    assert_eq!(asked(&hit), [true, false], "{hit}");
    let written = place.who.put(&place.property_path(), &json!({ "address": "2 Main St" })).is(200);
    assert_eq!(asked(&written), [true, true], "{written}");
    let miss = place.who.get(&place.property_path()).is(200);
    assert_eq!((asked(&miss), miss.cache()), ([true, true], Cache::Stored), "{miss}");
    assert_eq!(asked(&own.get("/livez").is(200)), [false, false]);
}

fn a_timeout_is_counted_apart_from_other_failures() {
    let mut own = Private::with(&BRISK);
    let place = Place::of(own.tenant());
    let errors = |of: &str, kind: &str| format!("renttracker_{of}_errors_total{{kind=\"{kind}\"}}");
    let counted = |world: &World, series: &str| eventually(series, || (world.metric(series) > 0).then_some(()));

    let mut database = postgres::Client::connect(&own.database_url, postgres::NoTls).expect("PostgreSQL answers");
    let mut transaction = database.transaction().expect("a transaction");
    transaction.batch_execute("LOCK TABLE payment_methods IN ACCESS EXCLUSIVE MODE").expect("a lock");
    place.who.get("/api/paymentmethods").problem(503);
    transaction.rollback().expect("it is given back");
    counted(&own, &errors("postgres", "timeout"));
    assert_eq!(own.metric(&errors("postgres", "unavailable")), 0);

    own.redis().pause();
    place.who.get(&place.property_path()).is(200);
    counted(&own, &errors("redis", "timeout"));
    assert_eq!(own.metric(&errors("redis", "unavailable")), 0);
    own.redis().kill();
    counted(&own, &errors("redis", "unavailable"));

    let without = Private::on_database("postgres://nobody@127.0.0.1:1/none", &[]);
    without.tenant().get("/api/paymentmethods").problem(503);
    counted(&without, &errors("postgres", "unavailable"));
    assert_eq!(without.metric(&errors("postgres", "timeout")), 0);
}

/// Somebody who changes rows behind the API's back is the only way to a stale entry that a test has.
fn a_stale_hit_is_found_counted_logged_and_removed() {
    let own = Private::start();
    let place = Place::of(own.tenant());
    let sampled = |labels: &str| {
        let series = format!("renttracker_cache_checks_total{{{labels}}}");
        eventually(&format!("a hit that is {labels}"), || {
            for _ in 0..50 {
                place.who.get(&place.property_path()).is(200);
            }
            (own.metric(&series) > 0).then_some(())
        });
    };
    let shows = |version: i64| {
        eventually("the row as it is", || {
            let answer = place.who.get(&place.property_path()).is(200);
            (answer.json()["rowVersion"] == version && answer.cache() == Cache::Hit).then_some(())
        });
    };
    let change = |version: i64| {
        let changed =
            own.execute("UPDATE properties SET row_version = $2 WHERE tenant_id = $1", &[&place.who.id, &version]);
        assert_eq!(changed, 1);
    };
    sampled("result=\"consistent\"");
    for reason in ["unknown", "missed_outbox", "refused_fill"] {
        assert_eq!(own.metric(&format!("renttracker_cache_checks_total{{result=\"stale\",reason=\"{reason}\"}}")), 0);
    }
    change(2);
    sampled("result=\"stale\",reason=\"unknown\"");
    shows(2);

    // The same with what a writer leaves behind that could not invalidate.
    let left = "INSERT INTO cache_invalidations (tenant_id, id, resources) VALUES ($1, gen_random_uuid(), $2)";
    own.execute(left, &[&place.who.id, &vec![format!("property:{}", place.property)]]);
    change(3);
    sampled("result=\"stale\",reason=\"missed_outbox\"");
    shows(3);
    own.await_logged("\"reason\":\"missed_outbox\"");
    let log = std::fs::read_to_string(own.log()).expect("the host's log");
    let told = log.lines().filter(|line| line.contains("\"cache.stale\"") && line.contains("\"kind\":\"property\""));
    assert!(told.clone().any(|line| line.contains("\"reason\":\"missed_outbox\"")), "{log}");
    assert!(told.clone().any(|line| line.contains("\"reason\":\"unknown\"")), "{log}");
}
