//! What is known of the machine.

use std::path::PathBuf;

use stack::Edition;

/// All that is looked at. Versions are as the programs print them; `None` for what is not installed.
#[derive(Clone)]
pub struct Facts {
    pub packages: Packages,
    pub rustc: Option<String>,
    /// Whether `rustup` is there to update the toolchain with.
    pub has_rustup: bool,
    /// Whether something compiles for WebAssembly.
    pub has_wasm: bool,
    pub spin: Spin,
    pub redis: Option<String>,
    pub postgres: Option<String>,
    /// The major version of the PostgreSQL that made the data of `up`, if there are any and no such version is installed.
    pub data_of_missing_postgres: Option<String>,
    pub port: Port,
    /// Whether `up` finds a port for Redis and for PostgreSQL.
    pub has_inner_ports: bool,
    /// Whether components and host were built before.
    pub is_built: bool,
    /// What the disk that holds the repository has left, in bytes.
    pub free_bytes: u64,
    pub checkers: Vec<(&'static str, bool)>,
    /// Debian's programs that tests use: each with its package, what it is for, and whether it is there.
    pub programs: Vec<Used>,
    pub python: Option<String>,
    /// Whether Python makes virtual environments, for which Debian has a package of its own.
    pub has_venv: bool,
    /// Whether Node.js is in `target/tools`.
    pub has_node: bool,
}

/// How packages get onto this machine.
#[derive(Clone, Copy, PartialEq)]
pub enum Packages {
    /// With `apt-get`, by root or by `sudo`.
    Apt {
        /// Whether we are root.
        is_root: bool,
    },
    /// With what is not known here.
    Unknown,
}

/// The `spin` on PATH.
#[derive(Clone)]
pub enum Spin {
    Absent,
    Usable {
        version: (u64, u64),
        edition: Edition,
    },
    /// Older than 4.0, or another program of that name.
    Unusable(PathBuf),
}

/// Where `up` is to serve.
#[derive(Clone)]
pub struct Port {
    pub listen: String,
    pub state: PortState,
}

/// Whether it can.
#[derive(Clone)]
pub enum PortState {
    Free,
    /// `up` of this repository serves there.
    Ours,
    /// Something else listens, or the address cannot be used for another reason; a port of loopback that is free.
    Refused {
        why: String,
        free: u16,
    },
}

/// A program that tests use.
#[derive(Clone)]
pub struct Used {
    pub name: &'static str,
    pub package: &'static str,
    pub reason: &'static str,
    pub is_there: bool,
}
