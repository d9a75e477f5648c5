//! A release's files as one archive: the same files make the same bytes, on whatever machine.

use std::fmt::Write as _;
use std::io::Read;

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use tar::{Archive, Builder, Header};

use super::files::Files;

/// The list of all other files with their checksums, as `sha256sum --check` reads it.
pub const CHECKSUMS: &str = "SHA256SUMS";

/// Whoever unpacks it may read and write each file, and all others may read it.
const MODE: u32 = 0o644;

/// Packs files below `folder`, all of this time and of nobody.
pub fn pack(files: &Files, folder: &str, seconds_since_1970: u64) -> Result<Vec<u8>> {
    // Its header has no time and no name of a system unless they are set.
    let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
    for (path, bytes) in files {
        let mut header = Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(MODE);
        header.set_mtime(seconds_since_1970);
        header.set_uid(0);
        header.set_gid(0);
        let path = format!("{folder}/{path}");
        builder.append_data(&mut header, &path, bytes.as_slice()).with_context(|| format!("cannot pack {path}"))?;
    }
    Ok(builder.into_inner()?.finish()?)
}

/// The files of an archive, with the folder in their paths.
pub fn unpack(archive: &[u8]) -> Result<Files> {
    let mut files = Files::new();
    for entry in Archive::new(GzDecoder::new(archive)).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.to_string_lossy().into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        files.insert(path, bytes);
    }
    Ok(files)
}

/// The text of [`CHECKSUMS`] for these files.
pub fn checksums(files: &Files) -> String {
    let mut text = String::new();
    for (path, bytes) in files {
        let _ = writeln!(text, "{}  {path}", sha256(bytes));
    }
    text
}

/// SHA-256 in hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::super::files;
    use super::*;

    fn packed_files() -> Files {
        [("b/inner.txt", "inner\n"), ("a.txt", "first\n")]
            .map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()))
            .into()
    }

    /// Where a change of the packing itself shows: releases are compared with those built by others.
    #[test]
    fn the_same_files_are_the_same_archive_byte_for_byte() {
        let packed = pack(&packed_files(), "app-1.0.0", 1_700_000_000).expect("packed");
        assert_eq!(packed, pack(&packed_files(), "app-1.0.0", 1_700_000_000).expect("packed"));
        assert_eq!(sha256(&packed), "d2470dc942fff21712c174fed90f221595752e2d997bd080a814594fc2f131a9");
    }

    #[test]
    fn an_archive_has_each_file_in_order_with_one_time_and_no_owner() {
        let packed = pack(&packed_files(), "app-1.0.0", 1_700_000_000).expect("packed");
        let mut archive = Archive::new(GzDecoder::new(packed.as_slice()));
        let entries = archive.entries().expect("entries").map(|entry| {
            let entry = entry.expect("an entry");
            let header = entry.header();
            let numbers = [header.mtime(), header.uid(), header.gid()].map(|number| number.expect("a number"));
            (entry.path().expect("a path").display().to_string(), header.mode().expect("a mode"), numbers)
        });
        let numbers = [1_700_000_000, 0, 0];
        assert_eq!(
            entries.collect::<Vec<_>>(),
            [("app-1.0.0/a.txt".into(), 0o644, numbers), ("app-1.0.0/b/inner.txt".into(), 0o644, numbers)]
        );
        let unpacked = unpack(&packed).expect("unpacked");
        assert_eq!(unpacked["app-1.0.0/b/inner.txt"], b"inner\n");
    }

    #[test]
    fn sha256sum_accepts_the_checksums_and_refuses_a_changed_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let check = || {
            let mut command = Command::new("sha256sum");
            command.args(["--check", "--strict", "--status", CHECKSUMS]).current_dir(folder.path());
            command.status().expect("sha256sum").success()
        };
        files::write(folder.path(), &packed_files()).expect("written");
        std::fs::write(folder.path().join(CHECKSUMS), checksums(&packed_files())).expect("written");
        assert!(check());
        std::fs::write(folder.path().join("a.txt"), "other\n").expect("written");
        assert!(!check());
    }
}
