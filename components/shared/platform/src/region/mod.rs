//! One region of several: the log of invalidations that its Redis follows, and reads of its standby. What is decided is in
//! [`cache::region`]; `infra/deploy/SCALING.md` says why.

mod ask;
pub mod lease;
pub mod log;
mod page;
pub mod read;
mod standby;

use cache::region::{LogLease, Replayed};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// What an instance knows of its region.
#[derive(Default)]
pub struct RegionState {
    /// Until when it may use the cache.
    lease: RefCell<Option<Rc<LogLease>>>,
    /// Whether a task in the background asks for another.
    is_asking: Cell<bool>,
    /// How far the standby was when it last said so.
    replayed: Cell<Option<Replayed>>,
    /// When the standby last failed to answer.
    failed_at: Cell<Option<Duration>>,
}
