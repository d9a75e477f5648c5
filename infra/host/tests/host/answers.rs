//! What a client sees.

use crate::fixture::Host;

#[test]
fn an_answer_with_a_length_is_sent_with_its_length() {
    let host = Host::shared();
    let answer = host.get("/hello");
    assert_eq!((answer.status, answer.body.as_str()), (200, "hello"));
    assert_eq!((answer.header("content-length"), answer.header("transfer-encoding")), (Some("5"), None));

    let mut client = host.client();
    client.send(b"HEAD /hello HTTP/1.1\r\nhost: test\r\n\r\n");
    let answer = client.answer(false);
    assert_eq!((answer.header("content-length"), answer.header("transfer-encoding")), (Some("5"), None));
    assert_eq!(client.get("/hello").body, "hello", "HEAD had no body, so the connection goes on with the next answer");
}

#[test]
fn an_answer_without_a_length_is_streamed() {
    let answer = Host::shared().get("/stream");
    assert_eq!(answer.body, "one,two,three");
    assert_eq!((answer.header("content-length"), answer.header("transfer-encoding")), (None, Some("chunked")));
}

#[test]
fn an_answer_that_must_not_have_a_body_has_none() {
    let host = Host::shared();
    let mut client = host.client();
    for status in [204, 304] {
        let answer = client.get(&format!("/status/{status}"));
        assert_eq!((answer.status, answer.header("transfer-encoding")), (status, None));
    }
    assert_eq!(client.get("/hello").body, "hello", "nothing was left on the connection");
}

#[test]
fn a_large_body_goes_through_both_ways() {
    let body = "0123456789".repeat(100_000);
    assert_eq!(Host::shared().ask("/echo", &body), body);
}

#[test]
fn a_component_is_told_how_it_was_reached() {
    let host = Host::shared();
    let mut client = host.client();
    client.send(b"GET /head/a?q=1 HTTP/1.1\r\nhost: example.com:81\r\nconnection: keep-alive\r\nx-own: kept\r\n\r\n");
    let told = client.answer(true).body;
    for line in [
        "GET http://example.com:81/head/a?q=1",
        "host: example.com:81",
        "x-own: kept",
        "spin-path-info: /head/a",
        "spin-full-url: http://example.com:81/head/a?q=1",
        "spin-matched-route: /...",
        "spin-raw-component-route: /...",
        "spin-component-route: ",
        "spin-base-path: /",
        "spin-client-addr: 127.0.0.1:",
    ] {
        assert!(told.contains(line), "{line} is missing in\n{told}");
    }
    assert!(!told.contains("connection:"), "{told}");
}

#[test]
fn a_request_that_cannot_be_put_to_a_component_gets_none() {
    let host = Host::shared();
    let mut client = host.client();
    client.send(b"GET /hello HTTP/1.1\r\nhost: test\r\nx-bad: \xff\r\n\r\n");
    assert_eq!(client.answer(true).status, 500);
    let mut client = host.client();
    client.send(b"GET /hello HTTP/1.0\r\n\r\n");
    assert!(client.try_answer(true).is_none(), "without a Host there is no absolute URI: the connection is closed");
}

#[test]
fn the_hosts_own_paths_come_before_any_route() {
    let host = Host::shared();
    let answer = host.get("/.well-known/spin/health");
    assert_eq!((answer.status, answer.body.as_str()), (200, "OK"));
    assert!(host.get("/.well-known/spin/info").body.contains("\"name\": \"test\""));
    assert_eq!(host.get("/.well-known/spin/other").status, 404);
}

#[test]
fn a_path_that_no_route_matches_is_not_found() {
    let manifest = crate::fixture::manifest(&[("route = \"/...\"", "route = \"/hello\"")]);
    let host = Host::start_with(&manifest, |_| {});
    assert_eq!(host.get("/hello").status, 200);
    assert_eq!(host.get("/hello/").status, 200, "a trailing slash makes no difference");
    assert_eq!(host.get("/hello/more").status, 404);
    assert_eq!(host.get("/back").status, 404);
    assert_eq!(host.get("/other").status, 404);
}
