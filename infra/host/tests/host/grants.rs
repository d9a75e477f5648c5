//! What a component was granted it gets, and what it was not it does not. Port 1 is closed: an allowed connection fails there
//! in another way than a denied one.

use crate::fixture::{Host, manifest};

/// Runs the component without any grants in the public place.
fn sealed() -> Host {
    Host::start_with(
        &manifest(&[("route = \"/...\"\ncomponent = \"front\"", "route = \"/...\"\ncomponent = \"sealed\"")]),
        |_| {},
    )
}

#[test]
fn redis_is_reached_at_an_allowed_address_alone() {
    let host = Host::shared();
    let allowed = host.ask("/redis", "redis://user:secret@127.0.0.1:1/0");
    assert!(allowed.contains("Other") && allowed.contains("refused"), "{allowed}");
    assert_eq!(host.ask("/redis", "redis://127.0.0.1:2"), "Error::InvalidAddress");
    assert_eq!(host.ask("/redis", "redis://127.0.0.1:1@127.0.0.1:2"), "Error::InvalidAddress");
    assert_eq!(sealed().ask("/redis", "redis://127.0.0.1:1"), "Error::InvalidAddress");
}

#[test]
fn postgres_is_reached_at_an_allowed_address_alone() {
    let host = Host::shared();
    let allowed = host.ask("/postgres", "postgres://user:secret@127.0.0.1:1/db");
    assert!(allowed.contains("ConnectionFailed") && allowed.contains("refused"), "{allowed}");
    let denied = |address: &str| {
        let answer = host.ask("/postgres", address);
        assert!(answer.contains("is not permitted"), "{address}: {answer}");
    };
    denied("postgres://user:secret@127.0.0.1:2/db");
    denied("host=localhost port=1 user=user");
    denied("postgres://user@127.0.0.1:1,127.0.0.1:2/db");
    assert!(host.ask("/postgres", "host=/tmp user=user").contains("Unix sockets are not supported"));
    assert!(sealed().ask("/postgres", "postgres://user@127.0.0.1:1/db").contains("is not permitted"));
}

#[test]
fn a_store_is_opened_only_by_a_component_that_was_granted_it() {
    let (host, sealed) = (Host::shared(), sealed());
    for interface in ["store", "bucket"] {
        assert!(host.ask(&format!("/{interface}/open"), "default").contains("open"));
        assert!(host.ask(&format!("/{interface}/open"), "other").contains("AccessDenied"));
        assert!(sealed.ask(&format!("/{interface}/open"), "default").contains("AccessDenied"));
    }
    let state = std::fs::read_dir(sealed.folder.path().join(".spin")).expect("a folder");
    let names: Vec<_> = state.map(|entry| entry.expect("an entry").file_name()).collect();
    assert_eq!(names, ["logs"], "the store's file is made for a component that may use it");
}

#[test]
fn a_variable_is_read_only_by_a_component_that_was_granted_it() {
    let host = Host::shared();
    assert_eq!(host.ask("/variable", "word"), "Ok(\"<default>\")");
    assert_eq!(host.ask("/config", "word"), "Ok(Some(\"<default>\"))");
    // The application's own variables are not the component's.
    assert_eq!(
        host.ask("/variable", "address"),
        "Err(Error::Undefined(\"no variable for \\\"front\\\".\\\"address\\\"\"))"
    );
    assert_eq!(host.ask("/config", "address"), "Ok(None)");
    assert!(host.ask("/variable", "Not-A-Name").contains("InvalidName"));
    assert!(sealed().ask("/variable", "word").contains("Undefined"));
}

#[test]
fn a_variables_value_comes_from_the_command_line_the_environment_or_the_env_file() {
    let word = |more: fn(&mut std::process::Command)| Host::start_with(&manifest(&[]), more).ask("/variable", "word");
    assert_eq!(
        word(|host| {
            host.env("SPIN_VARIABLE_WORD", "environment");
        }),
        "Ok(\"<environment>\")"
    );
    let both = |host: &mut std::process::Command| {
        host.env("SPIN_VARIABLE_WORD", "environment").args(["--variable", "word=a=b"]);
    };
    assert_eq!(word(both), "Ok(\"<a=b>\")");
    let file = |host: &mut std::process::Command| {
        let folder = host.get_current_dir().expect("the tests set it").to_owned();
        std::fs::write(folder.join(".env"), "SPIN_VARIABLE_WORD=file\n").expect("it can be written");
    };
    assert_eq!(word(file), "Ok(\"<file>\")");
}

#[test]
fn a_bare_socket_is_denied() {
    let host = Host::shared();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address").to_string();
    assert!(host.ask("/socket", &address).contains("PermissionDenied"));
}

#[test]
fn a_bare_socket_reaches_an_allowed_address() {
    let host = Host::start_with(&manifest(&[("\"http://127.0.0.1:*\"", "\"tcp://127.0.0.1:*\"")]), |_| {});
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address").to_string();
    assert_eq!(host.ask("/socket", &address), "Ok(\"connected\")");
}
