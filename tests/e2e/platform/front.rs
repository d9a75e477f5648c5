//! What the platform answers before a component runs, and the front server that mends it: the file of the guide
//! (`infra/deploy/one-machine/haproxy.cfg`) in a real HAProxy in front of the host.

use stack::Front;

use crate::support::{Answer, Tenant, exchange, scratch, trials, world};

trials![
    the_host_decides_before_any_component_runs,
    behind_the_front_server_every_request_gets_an_answer,
    the_front_server_passes_on_the_api_and_nothing_else,
];

const NAME: &str = "api.renttracker.example";

/// A request of this version with these header lines, as bytes: what a client library would refuse to send.
fn bytes(who: &Tenant, version: &str, path: &str, lines: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("GET {path} {version}\r\nAuthorization: Bearer {}\r\n", who.token).into_bytes();
    for line in lines {
        bytes.extend_from_slice(line);
        bytes.extend_from_slice(b"\r\n");
    }
    if version == "HTTP/1.1" {
        bytes.extend_from_slice(b"Connection: close\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// The answer; `None` when the connection is closed without one.
fn ask(address: &str, request: &[u8]) -> Option<Answer> {
    let bytes = exchange(address, request).unwrap_or_default();
    let line = String::from_utf8_lossy(request).lines().next().unwrap_or_default().to_owned();
    let asked = line.rsplit_once(' ').map_or(line.as_str(), |(asked, _)| asked);
    (!bytes.is_empty()).then(|| Answer::parse(asked.to_owned(), false, &bytes))
}

/// Version, header lines, what the host answers (nothing, or a status), and what is answered behind the front server.
type Case = (&'static str, &'static [&'static [u8]], Option<u16>, u16);

const CASES: [Case; 12] = [
    ("HTTP/1.1", &[b"Host: x.example"], Some(200), 200),
    // RFC 9112, section 3.2. Spin 4.1 (2026-11-29) closes the connection.
    ("HTTP/1.0", &[], None, 200),
    ("HTTP/1.1", &[], None, 400),
    ("HTTP/1.1", &[b"Host:"], None, 400),
    ("HTTP/1.1", &[b"Host: a b"], None, 400),
    // Spin serves it, by the first. HAProxy makes two of the same into one.
    ("HTTP/1.1", &[b"Host: a.example", b"Host: b.example"], Some(200), 400),
    ("HTTP/1.1", &[b"Host: a.example", b"Host: a.example"], Some(200), 200),
    // RFC 9110, section 5.5 (obs-text): Spin answers 500 without a body, whatever the header.
    ("HTTP/1.1", &[b"Host: x.example", b"X-Name: caf\xe9"], Some(500), 400),
    ("HTTP/1.1", &[b"Host: x.example", b"X-Name: \xc0\xaf"], Some(500), 400),
    ("HTTP/1.1", &[b"Host: x.example", b"X-Name: \xed\xa0\x80"], Some(500), 400),
    ("HTTP/1.1", &[b"Host: x.example", b"X-Name: \xf4\x90\x80\x80"], Some(500), 400),
    ("HTTP/1.1", &[b"Host: x.example", "X-Name: caf\u{e9} \u{1f3e0}".as_bytes()], Some(200), 200),
];

fn the_host_decides_before_any_component_runs() {
    let who = world().tenant();
    let address = world().base_url.trim_start_matches("http://").to_owned();
    for (version, lines, host, _) in CASES {
        let request = bytes(&who, version, "/api/properties", lines);
        let answer = ask(&address, &request);
        assert_eq!(answer.as_ref().map(|answer| answer.status), host, "{answer:?}");
        if let Some(answer) = answer.filter(|answer| answer.status == 500) {
            assert!(answer.body.is_empty(), "{answer}");
        }
    }
}

fn behind_the_front_server_every_request_gets_an_answer() {
    let who = world().tenant();
    who.property_at("1 Front St");
    let front = Front::start(&scratch("front"), world().base_url.trim_start_matches("http://"), NAME).expect("HAProxy");
    for (version, lines, _, expected) in CASES {
        let request = bytes(&who, version, "/api/properties", lines);
        let answer = ask(&front.address(), &request).unwrap_or_else(|| panic!("no answer to {version} {lines:?}"));
        assert_eq!(answer.status, expected, "{answer}");
        match expected {
            200 => assert_eq!(answer.json()["totalCount"], 1, "{answer}"),
            _ => assert!(!answer.body.is_empty(), "{answer}"),
        }
    }
    // As much as the API takes goes through, and what is too much is the API's to refuse.
    let long = |length: usize| {
        let line = format!("X-Long: {}", "\u{e9}".repeat(length / 2));
        ask(&front.address(), &bytes(&who, "HTTP/1.1", "/api/properties", &[b"Host: x", line.as_bytes()]))
    };
    assert_eq!(long(30_000).map(|answer| answer.status), Some(200));
    long(34_000).expect("an answer").problem(431);
    let other = |lines: &[&[u8]]| ask(&front.address(), &bytes(&who, "HTTP/1.1", "/api/properties", lines));
    other(&[b"Host: x", b"Authorization: Bearer x"]).expect("an answer").names("Authorization");
}

fn the_front_server_passes_on_the_api_and_nothing_else() {
    let who = world().tenant();
    let front = Front::start(&scratch("front"), world().base_url.trim_start_matches("http://"), NAME).expect("HAProxy");
    for (path, status) in [
        ("/api/health", 200),
        ("/api/openapi.json", 200),
        ("/api", 404),
        ("/metrics", 404),
        ("/livez", 404),
        ("/.well-known/spin/info", 404),
        ("/apix", 404),
        ("/api/../metrics", 404),
        ("//metrics", 404),
    ] {
        let answer = ask(&front.address(), &bytes(&who, "HTTP/1.1", path, &[b"Host: x"])).expect("an answer");
        assert_eq!(answer.status, status, "{path}: {answer}");
        assert!(status == 200 || answer.needs("content-type") == "application/problem+json", "{answer}");
    }
}
