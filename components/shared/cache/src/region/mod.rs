//! Several regions: what a region knows of the log of invalidations, what a server of PostgreSQL shows, and what a session has seen.
//! The model `tests/regions` explores the rules; `infra/deploy/SCALING.md` states them.

mod entry_position;
mod log_state;
mod position;
mod progress;
mod snapshot;

pub use entry_position::{attach, detach};
pub use log_state::{LogLease, LogState, WorkedOff, stamp};
pub use position::Position;
pub use progress::{Near, Progress, Replayed};
pub use snapshot::{Snapshot, Unreadable};
