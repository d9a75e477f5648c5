//! `cargo xtask redis`: backup and recovery of the cache's server. `infra/redis/README.md` is the guide.

mod backup;
mod backups;
mod drill;
mod inspect;
mod restore;
mod server;
#[cfg(test)]
mod tests;
mod verify;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::report::Reporting;
use crate::scene::Drill;

pub use drill::rehearse;

#[derive(Args)]
pub struct Redis {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Take a full backup, verify it, and let go of those that are too old
    Backup(Reporting<backup::Backup>),
    /// Verify backups: the file, its keys, and a sample of its entries on a server of their own
    Verify(Reporting<verify::Verify>),
    /// Put a backup where a stopped Redis will find it
    Restore(Reporting<restore::Restore>),
    /// Lose Redis and recover it, on servers started for that, and tell how long it took
    Drill(Reporting<Drill>),
}

impl Redis {
    pub fn run(self) -> Result<()> {
        match self.command {
            Command::Backup(backup) => backup.run(backup::Backup::run),
            Command::Verify(verify) => verify.run(verify::Verify::run),
            Command::Restore(restore) => restore.run(restore::Restore::run),
            Command::Drill(drill) => drill.run(|drill| drill.run(rehearse)),
        }
    }
}
