//! A copy of the source as Git has it, in a folder of its own: nothing that lies about in the checkout gets into a release.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell::{output, run};

/// What is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tree {
    /// The commit that is checked out, which is what is released.
    Head,
    /// The checkout with what is not committed yet, which is what a test is about. Ignored files are in neither.
    Checkout,
}

/// A copy of the source.
pub struct Source {
    /// Where it is.
    pub folder: PathBuf,
    /// The commit that it is of, or was before the changes in the checkout.
    pub commit: String,
    /// When that was committed, in seconds since 1970: the time of everything in a release.
    pub committed: u64,
}

impl Source {
    /// Copies `tree` of the repository in `repository` into `folder`, which is new.
    pub fn copy(repository: &Path, tree: Tree, folder: PathBuf) -> Result<Source> {
        let git = |arguments: &[&str]| {
            let mut git = Command::new("git");
            git.args(arguments).current_dir(repository);
            git
        };
        let commit = output(&mut git(&["rev-parse", "HEAD"])).context("a release is made of a Git repository")?;
        let committed = output(&mut git(&["show", "--no-patch", "--format=%ct", &commit]))?.parse()?;
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let beside = tempfile::tempdir()?;
        let tree = match tree {
            Tree::Head => commit.clone(),
            Tree::Checkout => {
                // An index of its own, so that what is staged stays staged.
                let index = beside.path().join("index");
                run(git(&["add", "--all"]).env("GIT_INDEX_FILE", &index))?;
                output(git(&["write-tree"]).env("GIT_INDEX_FILE", &index))?
            }
        };
        let archive = beside.path().join("source.tar");
        run(git(&["archive", "--format=tar", "--output"]).arg(&archive).arg(tree))?;
        let mut archive = tar::Archive::new(std::fs::File::open(archive)?);
        // The time of the commit is older than what was built of the one before, and cargo would keep that.
        archive.set_preserve_mtime(false);
        archive.unpack(&folder).with_context(|| format!("cannot unpack the source into {}", folder.display()))?;
        Ok(Source { folder, commit, committed })
    }

    /// The text of one of its files.
    pub fn read(&self, path: &str) -> Result<String> {
        let path = self.folder.join(path);
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repository with a committed file, a changed one, a new one and an ignored one.
    fn repository() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
        let git = |arguments: &[&str]| {
            let mut git = Command::new("git");
            git.args(["-c", "user.name=a", "-c", "user.email=a@example.invalid"]).args(arguments);
            git.env("GIT_COMMITTER_DATE", "2026-01-02T03:04:05Z").current_dir(folder.path());
            output(&mut git).expect("git");
        };
        write("kept", "one");
        write(".gitignore", "ignored\n");
        git(&["init", "--quiet"]);
        git(&["add", "--all"]);
        git(&["commit", "--quiet", "--message", "First"]);
        write("kept", "two");
        write("new", "");
        write("ignored", "");
        folder
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).expect("a folder");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_release_has_what_is_committed_and_nothing_else() {
        let (repository, to) = (repository(), tempfile::tempdir().expect("a folder"));
        let source = Source::copy(repository.path(), Tree::Head, to.path().join("copy")).expect("a copy");
        assert_eq!(source.committed, 1_767_323_045);
        assert_eq!(names(&source.folder), [".gitignore", "kept"]);
        assert_eq!(std::fs::read_to_string(source.folder.join("kept")).expect("read"), "one");
    }

    #[test]
    fn a_copy_of_the_checkout_has_its_changes_and_leaves_the_index_alone() {
        let (repository, to) = (repository(), tempfile::tempdir().expect("a folder"));
        let status = || output(Command::new("git").args(["status", "--short"]).current_dir(repository.path())).unwrap();
        let before = status();
        let source = Source::copy(repository.path(), Tree::Checkout, to.path().join("copy")).expect("a copy");
        assert_eq!(names(&source.folder), [".gitignore", "kept", "new"]);
        assert_eq!(std::fs::read_to_string(source.folder.join("kept")).expect("read"), "two");
        assert_eq!(status(), before);
    }
}
