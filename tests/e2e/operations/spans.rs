//! The spans that a host sends to a collector of OpenTelemetry: one request is one trace, and no span has more of a tenant than the ids in
//! the path.
//!
//! A span is sent when it has ended, and in that order: once a request's own span is there, all that it waited for is.

use std::collections::BTreeMap;

use serde_json::json;
use stack::{Collector, Runtime, Span};

use crate::support::{Answer, Cache, Private, Tenant, eventually, property_path, runtime, together, trials};

trials![
    a_read_that_misses_is_one_trace_with_its_redis_and_postgresql_spans,
    a_write_through_chaining_is_one_trace_over_both_components,
    requests_at_once_each_have_their_own_calls,
    the_clients_traceparent_is_the_parent,
    a_trace_that_the_client_does_not_record_is_not_sent,
    no_span_has_a_token_a_key_a_parameter_or_a_body,
    without_a_collector_in_the_environment_nothing_is_sent,
];

const READ: &str = "GET /api/properties/:propertyId";
const WRITE: &str = "PUT /api/properties/:propertyId";
/// A span of a client's.
const CLIENT: &str = "00f067aa0ba902b7";
/// Long enough that a host sends nothing before it stops.
const ONE_HOUR_MS: &str = "3600000";

/// Every attribute that a span may have. A new one is looked at before it is allowed.
const ATTRIBUTES: [&str; 10] = [
    "db.operation.name",
    "db.system.name",
    "error.type",
    "http.request.method",
    "http.response.status_code",
    "http.route",
    "server.address",
    "server.port",
    "url.path",
    "url.scheme",
];

/// Why trials are left out on Spin 4.1 (infra/observability/README.md).
const NO_PARENT: &str = "Spin gives the calls of these components no parent";
const ARGUMENTS: &str = "Spin records arguments";
const NOTHING_AT_THE_END: &str = "Spin does not send what is left when it stops";

/// Whether the trial has no meaning on the runtime of this run, which is then told.
fn is_left_out(reason: &str) -> bool {
    let left_out = runtime() != Runtime::Embedded;
    if left_out {
        println!("LEFT OUT: {reason}");
    }
    left_out
}

/// A host that sends its spans to a collector, and whose cache is in use.
fn traced() -> (Collector, Private) {
    let collector = Collector::start().expect("a collector");
    let own = Private::with_environment(collector.environment());
    let who = own.tenant();
    who.await_hit(&property_path(&who.property_at("1 Warm St")));
    (collector, own)
}

fn attribute<'a>(span: &'a Span, name: &str) -> Option<&'a str> {
    span.attributes.get(name).map(String::as_str)
}

/// The span of the request with this name and path, once it is there.
fn request(collector: &Collector, name: &str, path: &str) -> Span {
    let is_it = |span: &Span| span.name == name && attribute(span, "url.path") == Some(path);
    eventually(&format!("the span of {name} with {path}"), || collector.spans().into_iter().find(is_it))
}

fn in_trace(collector: &Collector, trace: &str) -> Vec<Span> {
    collector.spans().into_iter().filter(|span| span.trace == trace).collect()
}

/// The names of the spans that this one is a part of, from the outermost to its own.
fn path(spans: &[Span], span: &Span) -> Vec<String> {
    let mut names = vec![span.name.clone()];
    let mut parent = span.parent.as_ref();
    while let Some(span) = parent.and_then(|id| spans.iter().find(|span| span.id == *id)) {
        names.insert(0, span.name.clone());
        parent = span.parent.as_ref();
    }
    names
}

/// The calls to this system, each with what it is a part of.
fn calls<'a>(spans: &'a [Span], system: &str) -> Vec<(&'a Span, Vec<String>)> {
    let of_system = spans.iter().filter(|span| attribute(span, "db.system.name") == Some(system));
    of_system.map(|span| (span, path(spans, span))).collect()
}

/// A `traceparent` of a client whose trace has this number.
fn traceparent(number: usize, flags: &str) -> (String, String) {
    let trace = format!("{:032x}", 0xabc_0000 + number);
    (format!("00-{trace}-{CLIENT}-{flags}"), trace)
}

fn get_in_trace(who: &Tenant, path: &str, traceparent: &str) -> Answer {
    who.request("GET", path).header("traceparent", traceparent).send().is(200)
}

fn a_read_that_misses_is_one_trace_with_its_redis_and_postgresql_spans() {
    if is_left_out(NO_PARENT) {
        return;
    }
    let (collector, own) = traced();
    let who = own.tenant();
    let target = property_path(&who.property_at("1 Main St"));
    assert_eq!(who.get(&target).is(200).cache(), Cache::Stored);
    let root = request(&collector, READ, &target);
    assert_eq!(root.parent, None, "nobody named a parent");
    assert_eq!(attribute(&root, "http.response.status_code"), Some("200"));
    assert_eq!(attribute(&root, "http.route"), Some("/api/properties/:propertyId"));
    let spans = in_trace(&collector, &root.trace);
    let component = [READ, "execute_wasm_component property-reads"];
    let (redis, postgres) = (calls(&spans, "redis"), calls(&spans, "postgresql"));
    for (span, path) in redis.iter().chain(&postgres) {
        assert_eq!(path[..path.len() - 1], component, "{span:#?}");
        assert!(root.start_ns <= span.start_ns && span.start_ns <= span.end_ns, "{span:#?}");
    }
    // The lookup, the script that makes it the leader, and the one that stores; perhaps the first counts of an instance that was made for it.
    let scripts = redis.iter().filter(|(span, _)| span.name.starts_with("EVAL")).count();
    assert!(redis.iter().any(|(span, _)| span.name == "GETRANGE") && (2..=3).contains(&scripts), "{redis:#?}");
    let queries: Vec<_> = postgres.iter().filter(|(span, _)| span.name == "spin_outbound_pg.query_async").collect();
    assert!(!queries.is_empty(), "{spans:#?}");
    for (query, _) in queries {
        assert!(matches!(attribute(query, "db.operation.name"), Some("SELECT" | "WITH")), "{query:#?}");
    }
}

fn a_write_through_chaining_is_one_trace_over_both_components() {
    if is_left_out(NO_PARENT) {
        return;
    }
    let (collector, own) = traced();
    let who = own.tenant();
    let target = property_path(&who.property_at("1 Main St"));
    who.put(&target, &json!({ "address": "2 Main St" })).is(200);
    let root = request(&collector, WRITE, &target);
    let spans = in_trace(&collector, &root.trace);
    let chained = [WRITE, "execute_wasm_component property-reads", "PUT", "execute_wasm_component writes"];
    let handed_on = spans.iter().find(|span| span.name == "PUT").expect("the request to the other component");
    assert_eq!(attribute(handed_on, "server.address"), Some("writes.spin.internal"));
    assert_eq!(attribute(handed_on, "http.response.status_code"), Some("200"));
    for system in ["redis", "postgresql"] {
        let inside = calls(&spans, system).into_iter().filter(|(_, path)| path[..path.len() - 1] == chained).count();
        assert!(inside > 0, "{system}: {spans:#?}");
    }
    // No call is without its request, what the components do after their answers included.
    eventually("each span has its parent", || {
        let spans = collector.spans();
        let is_there = |id: &String| spans.iter().any(|span| span.id == *id);
        let lost: Vec<_> = spans.iter().filter(|span| span.parent.as_ref().is_some_and(|id| !is_there(id))).collect();
        lost.is_empty().then_some(())
    });
    let spans = collector.spans();
    let begin = spans.iter().filter(|span| span.parent.is_none());
    let not_requests: Vec<_> = begin.filter(|span| attribute(span, "http.route").is_none()).collect();
    assert!(not_requests.is_empty(), "{not_requests:#?}");
}

/// An instance answers several requests at once, and its tasks take turns.
fn requests_at_once_each_have_their_own_calls() {
    if is_left_out(NO_PARENT) {
        return;
    }
    const REQUESTS: usize = 12;
    let (collector, own) = traced();
    let who = own.tenant();
    let targets: Vec<String> =
        (0..REQUESTS).map(|number| property_path(&who.property_at(&format!("{number} Main St")))).collect();
    // First they miss, then they hit.
    for round in 0..2 {
        let requests = together(REQUESTS, |number| {
            let (traceparent, trace) = traceparent(round * REQUESTS + number, "01");
            (get_in_trace(&who, &targets[number], &traceparent).cache(), trace)
        });
        for ((cache, trace), target) in requests.iter().zip(&targets) {
            let root = eventually("the request's span", || {
                in_trace(&collector, trace).into_iter().find(|span| span.name == READ)
            });
            assert_eq!(attribute(&root, "url.path"), Some(target.as_str()));
            let spans = in_trace(&collector, trace);
            let lookups = spans.iter().filter(|span| span.name == "GETRANGE").count();
            let queries = spans.iter().filter(|span| span.name == "spin_outbound_pg.query_async").count();
            assert_eq!(lookups, 1, "{spans:#?}");
            // A hit may have one too, of the work behind its answer.
            assert!(*cache == Cache::Hit || queries > 0, "{cache:?}: {spans:#?}");
        }
    }
}

fn the_clients_traceparent_is_the_parent() {
    let (collector, own) = traced();
    let who = own.tenant();
    let target = property_path(&who.property_at("1 Main St"));
    let (traceparent, trace) = traceparent(0, "01");
    get_in_trace(&who, &target, &traceparent);
    let root = request(&collector, READ, &target);
    assert_eq!((root.trace, root.parent.as_deref()), (trace, Some(CLIENT)));
}

fn a_trace_that_the_client_does_not_record_is_not_sent() {
    if is_left_out(NO_PARENT) {
        return;
    }
    let (collector, own) = traced();
    let who = own.tenant();
    let target = property_path(&who.property_at("1 Main St"));
    let (not_recorded, trace) = traceparent(0, "00");
    let (recorded, _) = traceparent(1, "01");
    get_in_trace(&who, &target, &not_recorded);
    let write = who.request("PUT", &target).header("traceparent", &not_recorded);
    write.json(&json!({ "address": "2 Main St" })).send().is(200);
    get_in_trace(&who, &target, &recorded);
    let sent = request(&collector, READ, &target);
    assert_eq!(in_trace(&collector, &trace).len(), 0);
    // Nor as a trace of another id.
    let spans = collector.spans();
    let requests = spans.iter().filter(|span| attribute(span, "url.path") == Some(target.as_str()));
    assert_eq!(requests.map(|span| &span.id).collect::<Vec<_>>(), [&sent.id]);
}

fn no_span_has_a_token_a_key_a_parameter_or_a_body() {
    if is_left_out(ARGUMENTS) {
        return;
    }
    let (collector, own) = traced();
    let who = own.tenant();
    let created = who.request("POST", "/api/properties").header("Idempotency-Key", "idempotency-of-mine");
    let created = created.json(&json!({ "address": "Needle Street" })).send().is(201).json();
    let id = created["id"].as_str().expect("an id");
    let target = property_path(id);
    for _ in 0..2 {
        who.get("/api/properties?search=needle").is(200);
        who.get(&target).is(200);
    }
    who.put(&target, &json!({ "address": "Needle Lane" })).is(200);
    let (traceparent, trace) = traceparent(0, "01");
    let with_headers = who.request("GET", &target).header("traceparent", &traceparent);
    let with_headers = with_headers.header("tracestate", "vendor=state-of-mine").header("User-Agent", "agent-of-mine");
    with_headers.send().is(200);
    let with_state = eventually("the span with a tracestate", || in_trace(&collector, &trace).pop());
    assert!(with_state.message.contains("vendor=state-of-mine"), "{with_state:#?}");
    // A statement that fails, whose error names the table.
    let mut database = postgres::Client::connect(&own.database_url, postgres::NoTls).expect("PostgreSQL answers");
    database.batch_execute("ALTER TABLE cache_invalidations RENAME TO elsewhere").expect("it is renamed");
    who.delete(&target).problem(500);
    database.batch_execute("ALTER TABLE elsewhere RENAME TO cache_invalidations").expect("it is renamed");
    let failed = request(&collector, "DELETE /api/properties/:propertyId", &target);
    assert_eq!(attribute(&failed, "error.type"), Some("500"));
    let spans = in_trace(&collector, &failed.trace);
    let errors: Vec<_> =
        calls(&spans, "postgresql").iter().filter_map(|(span, _)| attribute(span, "error.type")).collect();
    assert_eq!(errors, ["42P01"], "the SQLSTATE, and no text: {spans:#?}");
    let instance = own.instance.clone();
    let needles = [
        who.token.as_str(),
        &who.id,
        &own.secret,
        "eedle",
        "idempotency-of-mine",
        "agent-of-mine",
        &instance,
        "cache_invalidations",
        "password",
        // The text of a statement, though it has no values.
        "SELECT ",
    ];
    let spans = collector.spans();
    for span in &spans {
        for needle in needles {
            assert!(!span.message.contains(needle), "{needle} is in {span:#?}");
        }
        // The path of a request has it; a parameter of a statement and a key of Redis must not.
        assert!(attribute(span, "db.system.name").is_none() || !span.message.contains(id), "{span:#?}");
        let unknown: Vec<_> = span.attributes.keys().filter(|name| !ATTRIBUTES.contains(&name.as_str())).collect();
        assert!(unknown.is_empty(), "{unknown:?} in {span:#?}");
    }
}

fn without_a_collector_in_the_environment_nothing_is_sent() {
    if is_left_out(NOTHING_AT_THE_END) {
        return;
    }
    let collector = Collector::start().expect("a collector");
    let environment = |service: &str, changes: &[(&str, Option<&str>)]| {
        let mut variables: BTreeMap<String, String> = collector.environment();
        variables.insert("OTEL_SERVICE_NAME".into(), service.into());
        // What is not sent before a host stops is sent then.
        variables.insert("OTEL_BSP_SCHEDULE_DELAY".into(), ONE_HOUR_MS.into());
        for (name, value) in changes {
            match value {
                Some(value) => drop(variables.insert((*name).into(), (*value).into())),
                None => drop(variables.remove(*name)),
            }
        }
        variables
    };
    let hosts = [
        environment("without-endpoint", &[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", None)]),
        environment("disabled", &[("OTEL_SDK_DISABLED", Some("true"))]),
        environment("sends", &[]),
    ];
    let logs = hosts.map(|variables| {
        let own = Private::with_environment(variables);
        own.tenant().get("/api/properties").is(200);
        let log = own.log().to_owned();
        // The host stops with it.
        drop(own);
        std::fs::read_to_string(log).expect("a log")
    });
    // An exporter without an endpoint would try OpenTelemetry's default, and say that nothing listens there.
    assert!(logs.iter().all(|log| !log.contains("opentelemetry")), "{logs:#?}");
    eventually("the last host's spans", || (!collector.spans().is_empty()).then_some(()));
    // One connection after another is taken: what the others had sent would be there.
    let spans = collector.spans();
    let others: Vec<_> = spans.iter().filter(|span| !span.message.contains("\"sends\"")).collect();
    assert!(others.is_empty(), "{others:#?}");
}
