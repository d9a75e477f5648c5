//! Where a cluster is kept, and the user that it belongs to: PostgreSQL refuses to run as root.

use std::fs::Permissions;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use nix::unistd::{User, chown, geteuid};
use sha2::{Digest, Sha256};

/// Who runs the server where this process is root; `None` where it is not: the server then runs as the same user.
pub fn server_user() -> Result<Option<User>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    for name in ["postgres", "nobody"] {
        if let Some(user) = User::from_name(name)? {
            return Ok(Some(user));
        }
    }
    bail!("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
}

/// The folder for the cluster, made and given to `user`: `dir`, or one under /var/tmp named after it where the user
/// cannot reach `dir` (a checkout under /root). Says whether it is the second.
pub fn place(dir: &Path, user: Option<&User>) -> Result<(PathBuf, bool)> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let dir = dir.canonicalize()?;
    let Some(user) = user else {
        return Ok((dir, false));
    };
    if claim(&dir, user)? {
        return Ok((dir, false));
    }
    let digest = Sha256::digest(dir.as_os_str().as_encoded_bytes());
    let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let substitute = PathBuf::from("/var/tmp").join(format!("renttracker-edge-{name}"));
    if let Err(error) = std::fs::DirBuilder::new().mode(0o700).create(&substitute)
        && error.kind() != std::io::ErrorKind::AlreadyExists
    {
        return Err(error).with_context(|| format!("cannot create {}", substitute.display()));
    }
    // The name can be guessed and everybody can write to /var/tmp: take only what is ours.
    let meta = std::fs::symlink_metadata(&substitute)?;
    ensure!(
        meta.is_dir() && (meta.uid() == 0 || meta.uid() == user.uid.as_raw()),
        "{} belongs to someone else; remove it",
        substitute.display()
    );
    ensure!(
        claim(&substitute, user)?,
        "the user {} can use neither {} nor {} for PostgreSQL's data",
        user.name,
        dir.display(),
        substitute.display()
    );
    Ok((substitute, true))
}

/// Gives `dir` to `user` and finds out whether that user can get there: the folders above it decide that, with
/// their modes, lists and mount options, so the user itself is asked to look.
fn claim(dir: &Path, user: &User) -> Result<bool> {
    chown(dir, Some(user.uid), Some(user.gid)).with_context(|| format!("cannot give {} away", dir.display()))?;
    std::fs::set_permissions(dir, Permissions::from_mode(0o700))?;
    let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
    let status = Command::new("test").arg("-w").arg(dir).current_dir("/").uid(uid).gid(gid).status();
    Ok(status.context("cannot start `test`")?.success())
}
