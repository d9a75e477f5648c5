//! `cargo xtask bench` and `cargo xtask explain`

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::build;
use crate::compile::Build;
use crate::measured::Measured;
use crate::npm;
use crate::shell::{run, say};
use crate::tools::{Server, ensure_servers};
use crate::wasm::Toolchain;

#[derive(Args)]
pub struct Bench {
    /// Fewer and shorter rounds, fewer rows: within three minutes after the build
    #[arg(long)]
    quick: bool,
    /// What runs the components
    #[arg(long, value_enum, default_value_t = Runtime::Embedded)]
    runtime: Runtime,
    /// These cases alone, separated by commas: `first-requests`, `throughput` and others, which an unknown name lists
    #[arg(long)]
    only: Option<String>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Runtime {
    Embedded,
    Spin,
}

impl Bench {
    /// Measures, and writes `target/bench/report.html` and `report.json`.
    pub fn run(self) -> Result<Measured> {
        let toolchain = prepare()?;
        build::floors(&toolchain)?;
        let out = stack::repository_root().join("target/bench");
        let mut command = program()?;
        command.args(["run", "--runtime"]).arg(match self.runtime {
            Runtime::Embedded => "embedded",
            Runtime::Spin => "spin",
        });
        command.arg("--out").arg(&out);
        if self.quick {
            command.arg("--quick");
        }
        if let Some(only) = self.only {
            command.args(["--only", &only]);
        }
        match node_peer() {
            Ok(peer) => _ = command.arg("--node-peer").args(peer),
            Err(error) => say(format!("the peer on Node.js is left out: {error:#}")),
        }
        Measured::by(&mut command, &out)
    }
}

/// The peer on Node.js, and what it needs: pinned with all they need, by version and hash.
const NODE_PEER: &str = "tests/bench/node-peer";
/// Where that is installed, beside copies of its scripts.
const NODE_PEER_INSTALLED: &str = "target/tools/node-peer";

/// Node.js, and the peer that it runs.
fn node_peer() -> Result<[PathBuf; 2]> {
    let reason = "the components are compared with a server on them";
    let folder = npm::install(NODE_PEER, NODE_PEER_INSTALLED, &["peer.mjs", "entry.mjs"], reason)?;
    Ok([npm::node()?, folder.join("peer.mjs")])
}

#[derive(Args)]
pub struct Explain {
    /// How many properties there are
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(10_000..))]
    rows: u32,
}

impl Explain {
    /// Writes how PostgreSQL runs each statement into `infra/migrations/README.md`.
    pub fn run(self) -> Result<()> {
        prepare()?;
        run(program()?.args(["explain", "--rows", &self.rows.to_string()]))
    }
}

fn prepare() -> Result<Toolchain> {
    ensure_servers(&[Server::Redis, Server::Postgres])?;
    let toolchain = Toolchain::ready()?;
    build::run_all(&toolchain)?;
    say("building the benchmark");
    Build { packages: &["bench", "peer"], profile: "release", target: None, feature: None }.run()?;
    Ok(toolchain)
}

/// As it was built beside the peer: `cargo run` would build it anew, for itself alone.
fn program() -> Result<Command> {
    let mut command = Command::new(build::target_directory()?.join("release/bench"));
    command.current_dir(stack::repository_root());
    Ok(command)
}
