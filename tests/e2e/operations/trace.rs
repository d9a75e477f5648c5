//! The trace that a request belongs to (W3C Trace Context).

use serde_json::{Value, json};

use crate::support::{Private, eventually, trials};

trials![a_failed_write_is_logged_with_its_clients_trace, an_invalid_traceparent_is_not_logged];

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Has the statement of a write fail, whose client sent this `traceparent`; what `writes` logs of it. The write came to
/// another component, which handed it on.
fn failed_write(traceparent: &str) -> Value {
    let own = Private::start();
    let mut database = postgres::Client::connect(&own.database_url, postgres::NoTls).expect("PostgreSQL answers");
    database.batch_execute("ALTER TABLE cache_invalidations RENAME TO elsewhere").expect("it is renamed");
    let write = own.tenant().request("POST", "/api/properties").header("traceparent", traceparent);
    write.json(&json!({ "address": "1 Main St" })).send().problem(500);
    database.batch_execute("ALTER TABLE elsewhere RENAME TO cache_invalidations").expect("it is renamed");
    eventually("the failure is logged", || {
        let log = std::fs::read_to_string(own.log()).expect("a log");
        let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        // Only `writes` has such a statement.
        lines
            .find(|line| line["event"] == "request.failed" && line["error"].to_string().contains("cache_invalidations"))
    })
}

fn a_failed_write_is_logged_with_its_clients_trace() {
    let line = failed_write(&format!("00-{TRACE}-00f067aa0ba902b7-01"));
    assert_eq!(line["trace_id"], TRACE, "{line}");
}

fn an_invalid_traceparent_is_not_logged() {
    let line = failed_write("00-of-the-client-01");
    assert!(line.get("trace_id").is_none() && !line.to_string().contains("of-the-client"), "{line}");
}
