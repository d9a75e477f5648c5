//! Starts what a developer or a test needs: Redis, PostgreSQL, and a host that serves the built components.
//!
//! Everything here is synchronous and owns what it starts: dropping a value stops its process, and a process whose
//! owner dies without dropping it (a crash, a `SIGKILL`) is ended by the kernel. Servers listen on loopback alone.

mod addresses;
mod collector;
mod database;
mod editions;
mod failover;
mod front;
mod host;
mod login;
mod migrate;
mod paths;
mod pooler;
mod ports;
mod postgres;
mod preflight;
mod process;
mod production;
mod redis;
mod region;
mod token;

pub use addresses::{address, database_address, redis_address, variables};
pub use collector::{Collector, QUIET, Span, Trace};
pub use database::{connect, explain};
pub use editions::Edition;
pub use failover::Failover;
pub use front::Front;
pub use host::{Host, HostOptions, LONG_REUSE, Runtime};
pub use login::{LOGIN, ensure_login, login_url};
pub use migrate::{migrate, migrate_from, remarks};
pub use paths::{Spin, compile_cache, host_binary, repository_root, spin_on_path};
pub use pooler::Pooler;
pub use ports::{PORTS, free_port};
pub use postgres::{POSTGRES_PROGRAMS, Postgres, postgres_binaries};
pub use preflight::OLDEST_POSTGRES;
pub use process::find_on_path;
pub use redis::{Login, REDIS_CLUSTER, REDIS_SERVER, Redis};
pub use region::{Region, session_key};
pub use token::{AUDIENCE, ISSUER, TokenRequest, random_secret, token};
