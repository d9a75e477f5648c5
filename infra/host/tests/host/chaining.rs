//! Requests from one component to another, and to the network.

use crate::fixture::{Host, manifest};

#[test]
fn a_component_reaches_a_private_one_that_it_may_reach() {
    let host = Host::shared();
    assert_eq!(host.ask("/fetch", "http://back.spin.internal/hello"), "200 hello");
    let told = host.ask("/fetch", "http://back.spin.internal/head?q=1");
    for line in ["GET http://back.spin.internal/head?q=1", "spin-path-info: /head", "spin-client-addr: 0.0.0.0:0"] {
        assert!(told.contains(line), "{line} is missing in\n{told}");
    }
    assert!(!told.contains("\nhost:"), "the name exists only in the host: {told}");
}

#[test]
fn a_component_reaches_no_other_that_it_may_not_reach() {
    let host = Host::shared();
    assert!(host.ask("/fetch", "http://sealed.spin.internal/hello").contains("HttpRequestDenied"));
    let manifest = manifest(&[("\"http://back.spin.internal\", ", "")]);
    let host = Host::start_with(&manifest, |_| {});
    assert!(host.ask("/fetch", "http://back.spin.internal/hello").contains("HttpRequestDenied"));
}

#[test]
fn a_name_that_a_client_sends_reaches_no_private_component() {
    let host = Host::shared();
    let mut client = host.client();
    client.send(b"GET /variable HTTP/1.1\r\nhost: back.spin.internal\r\n\r\n");
    assert!(client.try_answer(true).is_none(), "such a Host is dropped, and without one there is no answer");
}

#[test]
fn a_component_that_fails_is_a_500_to_its_caller() {
    let host = Host::start();
    assert_eq!(host.ask("/fetch", "http://back.spin.internal/trap"), "500 ");
    assert_eq!(host.ask("/fetch", "http://back.spin.internal/hello"), "200 hello");
}

#[test]
fn a_component_that_is_not_there_ends_its_caller() {
    let host = Host::start();
    assert_eq!(host.client().post("/fetch", "http://absent.spin.internal/").status, 500);
    assert_eq!(host.get("/hello").status, 200);
}

#[test]
fn the_network_is_reached_where_it_is_allowed() {
    let (host, other) = (Host::shared(), Host::start());
    let url = |path: &str| format!("http://{}{path}", other.address());
    assert_eq!(host.ask("/fetch", &url("/hello")), "200 hello");
    assert_eq!(host.ask("/fetch", &url("/stream")), "200 one,two,three");
    let host_header = format!("host: {}", other.address());
    assert!(host.ask("/fetch", &url("/head")).contains(&host_header));
    let localhost = url("/hello").replace("127.0.0.1", "localhost");
    assert!(host.ask("/fetch", &localhost).contains("HttpRequestDenied"), "the name is another host than the address");
}

#[test]
fn the_application_itself_is_reached_only_if_it_may_reach_itself() {
    let host = Host::shared();
    assert!(host.ask("/fetch", "http://self.alt/hello").contains("HttpRequestDenied"));
    let manifest = manifest(&[("\"http://back.spin.internal\"", "\"http://self\"")]);
    let host = Host::start_with(&manifest, |_| {});
    assert_eq!(host.ask("/fetch", "http://self.alt/hello"), "200 hello");
}
