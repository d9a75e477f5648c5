//! What the host refuses to start with: always a sentence and exit code 1, never half an application.

use std::net::TcpListener;

use crate::fixture::{FREE_PORT, Host, command, manifest, run};

#[track_caller]
fn refuses(manifest: &str, more: &[&str], sentence: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = command(folder.path(), manifest, FREE_PORT);
    command.args(more);
    let output = run(command);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(sentence), "{sentence:?} is not in {said:?}");
    assert!(output.stdout.is_empty(), "it must not say that it serves");
}

#[test]
fn a_required_variable_without_a_value() {
    let manifest = manifest(&[("word = { default = \"default\" }", "word = { required = true }")]);
    refuses(&manifest, &[], "SPIN_VARIABLE_WORD");
    let host = Host::start_with(&manifest, |host| {
        host.args(["--variable", "word=given"]);
    });
    assert_eq!(host.ask("/variable", "word"), "Ok(\"<given>\")");
}

#[test]
fn a_wasm_file_that_is_not_there_or_is_none() {
    let guest = crate::fixture::guest().display().to_string();
    refuses(&manifest(&[(&guest, "missing.wasm")]), &[], "missing.wasm is not there");
    refuses(&manifest(&[(&guest, "spin.toml")]), &[], "is not a component");
}

#[test]
fn a_field_that_is_unknown_or_not_supported() {
    refuses(&manifest(&[("[component.back]", "[component.back]\nunknown = 1")]), &[], "unknown");
    refuses(&manifest(&[("[component.back]", "[component.back]\nfiles = [\"x\"]")]), &[], "`files` is not supported");
    refuses(&manifest(&[("key_value_stores = [\"default\"]", "key_value_stores = [\"other\"]")]), &[], "\"other\"");
}

#[test]
fn an_allowed_host_that_is_none() {
    refuses(
        &manifest(&[("postgres://127.0.0.1:1", "127.0.0.1:1")]),
        &[],
        "allowed_outbound_hosts entry \"127.0.0.1:1\"",
    );
    refuses(
        &manifest(&[]),
        &["--variable", "address=redis://host/path"],
        "allowed_outbound_hosts entry \"{{ address }}\"",
    );
}

#[test]
fn a_port_that_is_taken() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let address = listener.local_addr().expect("its address").to_string();
    let output = run(command(folder.path(), &manifest(&[]), &address));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
}

#[test]
fn a_manifest_that_is_not_there() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = command(folder.path(), "", FREE_PORT);
    command.args(["--from", "nowhere.toml"]);
    let output = run(command);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nowhere.toml"));
}
