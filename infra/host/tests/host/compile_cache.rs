//! `--compile-cache`: a later start takes compiled components from the folder, and compiles what is not right there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::fixture::{Host, manifest};

/// The entries in a folder of compiled components, and when each was written. The notes on their use are not among them.
fn entries(folder: &Path) -> BTreeMap<PathBuf, SystemTime> {
    let mut entries = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            entries.extend(self::entries(&path));
        } else if path.extension().is_none() {
            let written = path.metadata().and_then(|file| file.modified()).expect("its time");
            entries.insert(path, written);
        }
    }
    entries
}

/// Starts a host with this folder and asks its component something.
fn start(folder: &Path, more: &[&str]) {
    let host = Host::start_compiling(&manifest(&[]), |host| {
        host.arg("--compile-cache").arg(folder).args(more);
    });
    assert_eq!(host.ask("/variable", "word"), "Ok(\"<default>\")");
}

#[test]
fn a_second_start_takes_the_component_from_the_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    start(folder.path(), &[]);
    let first = entries(folder.path());
    assert_eq!(first.len(), 1, "one wasm file, one entry: {first:?}");
    start(folder.path(), &[]);
    assert_eq!(entries(folder.path()), first, "an entry that was compiled anew is written anew");
}

#[test]
fn other_settings_of_the_compiler_make_another_entry() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let meter = folder.path().join("meter.log").display().to_string();
    start(folder.path(), &[]);
    start(folder.path(), &["--meter", &meter]);
    assert_eq!(entries(folder.path()).len(), 2);
}

#[test]
fn a_damaged_entry_is_compiled_anew() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    start(folder.path(), &[]);
    let (entry, _) = entries(folder.path()).pop_first().expect("an entry");
    let whole = std::fs::read(&entry).expect("the entry");
    std::fs::write(&entry, &whole[..whole.len() / 2]).expect("written");
    start(folder.path(), &[]);
    assert_eq!(std::fs::read(&entry).expect("the entry").len(), whole.len());
}
