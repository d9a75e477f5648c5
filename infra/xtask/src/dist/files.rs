//! Files in memory: what a release is put together from, and compared as.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};

/// Files by their paths below some folder, which sort them.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The files at these paths of a folder; of a path that is a folder, all that are below it.
pub fn read(folder: &Path, paths: &[&str]) -> Result<Files> {
    let mut files = Files::new();
    paths.iter().try_for_each(|path| add(&mut files, folder, path))?;
    Ok(files)
}

fn add(files: &mut Files, folder: &Path, path: &str) -> Result<()> {
    let full = folder.join(path);
    if !full.is_dir() {
        let bytes = std::fs::read(&full).with_context(|| format!("cannot read {}", full.display()))?;
        files.insert(path.to_owned(), bytes);
        return Ok(());
    }
    for entry in std::fs::read_dir(&full).with_context(|| format!("cannot read {}", full.display()))? {
        add(files, folder, &format!("{path}/{}", entry?.file_name().to_string_lossy()))?;
    }
    Ok(())
}

/// Writes files below a folder.
pub fn write(folder: &Path, files: &Files) -> Result<()> {
    for (path, bytes) in files {
        let full = folder.join(path);
        std::fs::create_dir_all(full.parent().unwrap_or(folder))?;
        std::fs::write(&full, bytes).with_context(|| format!("cannot write {}", full.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_by_file_and_by_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let files: Files = ["a.txt", "b/c/d.txt", "b/e.txt"].map(|path| (path.to_owned(), path.into())).into();
        write(folder.path(), &files).expect("written");
        assert_eq!(read(folder.path(), &["a.txt", "b"]).expect("read"), files);
        assert_eq!(read(folder.path(), &["b/c"]).expect("read").len(), 1);
        assert!(read(folder.path(), &["z"]).is_err());
    }
}
