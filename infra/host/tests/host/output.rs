//! What components print.

use std::process::Stdio;

use crate::fixture::{Host, manifest};

#[test]
fn what_components_print_goes_to_the_host_and_to_a_file_of_each() {
    let folder = tempfile::tempdir().expect("a folder");
    let printed = folder.path().join("printed");
    let file = std::fs::File::create(&printed).expect("a file");
    let host = Host::start_with(&manifest(&[]), |command| {
        command.stderr(Stdio::from(file));
    });
    assert_eq!(host.get("/print/one").body, "one");
    assert!(host.ask("/fetch", "http://back.spin.internal/print/two").contains("two"));
    let logs = host.folder.path().join(".spin/logs");
    let read = |name: &str| std::fs::read_to_string(logs.join(name)).expect(name);
    assert_eq!((read("front_stdout.txt"), read("front_stderr.txt")), ("out one\n".into(), "err one\n".into()));
    assert_eq!((read("back_stdout.txt"), read("back_stderr.txt")), ("out two\n".into(), "err two\n".into()));
    assert_eq!(read("sealed_stderr.txt"), "");
    assert_eq!(std::fs::read_to_string(printed).expect("the host's"), "out one\nerr one\nout two\nerr two\n");
}
