//! The webhook that is told of the breaker's changes.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Private, eventually, property_path, trials};

trials![the_webhook_gets_changes_of_the_breaker_and_orders_to_it, a_webhook_that_never_answers_delays_no_request];

/// A listener of the test's own, and its address.
fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    (listener, address)
}

/// A world whose breaker has never been closed, so that it changes with the first request.
fn world_with(address: &str) -> Private {
    let url = format!("{address}/told?key=of-the-operator");
    Private::with(&[("alert_webhook_url", &url), ("alert_webhook_address", address)])
}

/// Reads one request and answers 204; its first line and its body.
fn take(listener: &TcpListener) -> (String, Value) {
    let (mut stream, _) = listener.accept().expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    let mut bytes = Vec::new();
    let body = loop {
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece).expect("a request");
        assert!(count > 0, "the request is cut off: {}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&bytes);
        let object =
            text.find("{\"").and_then(|start| serde_json::Deserializer::from_str(&text[start..]).into_iter().next());
        if let Some(Ok(body)) = object {
            break body;
        }
    };
    stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").expect("an answer");
    let text = String::from_utf8_lossy(&bytes);
    (text.lines().next().unwrap_or_default().to_owned(), body)
}

fn the_webhook_gets_changes_of_the_breaker_and_orders_to_it() {
    let (listener, address) = listener();
    let own = world_with(&address);
    let (sender, told) = mpsc::channel();
    std::thread::spawn(move || {
        for _ in 0..3 {
            sender.send(take(&listener)).expect("the test listens");
        }
    });
    own.tenant().property_at("1 Main St");
    // The record of a new deployment is probed, and then lets the cache in. Two posts may overtake each other.
    let mut states = Vec::new();
    for _ in 0..2 {
        let (line, body) = told.recv_timeout(Duration::from_secs(30)).expect("the webhook is told");
        assert_eq!(line, "POST /told?key=of-the-operator HTTP/1.1");
        assert_eq!((body["event"].as_str(), body["mode"].as_str()), (Some("breaker.changed"), Some("auto")));
        assert!(body["epoch"].is_u64() && body["at"].is_string() && body["reason"].is_string(), "{body}");
        states.push(body["state"].as_str().expect("a state").to_owned());
    }
    states.sort();
    assert_eq!(states, ["closed", "half_open"]);
    // It changes nothing yet, and is told all the same.
    own.administrator().put("/api/cache/breaker", &json!({ "mode": "observe" })).is(200);
    let (_, body) = told.recv_timeout(Duration::from_secs(30)).expect("the webhook is told");
    let [event, mode, state] = ["event", "mode", "state"].map(|member| body[member].as_str());
    assert_eq!((event, mode, state), (Some("breaker.ordered"), Some("observe"), Some("closed")));
}

fn a_webhook_that_never_answers_delays_no_request() {
    let (listener, address) = listener();
    let own = world_with(&address);
    let who = own.tenant();
    let id = who.property_at("1 Main St");
    // Had the request waited for the webhook, it would have waited until that is given up, which is logged.
    let log = || std::fs::read_to_string(own.log()).expect("a log");
    assert!(!log().contains("webhook.failed"), "the write waited for the webhook");
    let (_held, _) = listener.accept().expect("it is told");
    for _ in 0..5 {
        who.get(&property_path(&id)).is(200);
        who.put(&property_path(&id), &json!({ "address": "2 Main St" })).is(200);
    }
    eventually("the log says that it did not answer", || log().contains("webhook.failed").then_some(()));
    assert!(!log().contains("of-the-operator"), "the log holds the webhook's address");
}
