//! What an instance knows of PostgreSQL between its questions.

use async_lock::Mutex;
use cache::database::DatabaseLease;
use rental::error::Error;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// What an instance knows of PostgreSQL between its questions.
#[derive(Default)]
pub struct DatabaseState {
    /// What it last said of itself.
    pub lease: RefCell<Option<Rc<DatabaseLease>>>,
    /// Whether a task in the background asks.
    pub is_renewing: Cell<bool>,
    /// Whether PostgreSQL, or the way to it, has failed: when it answers again, it may be another one.
    pub is_suspect: Cell<bool>,
    /// When the instance last asked of its own accord.
    pub tried_at: Cell<Option<Duration>>,
    /// Held by the request that asks; the others wait for what is answered.
    pub asking: Mutex<()>,
    /// When PostgreSQL last left a question without an answer, and why.
    pub failed: RefCell<Option<(Duration, Error)>>,
}
