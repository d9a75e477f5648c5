//! What an instance keeps of the keys of a JWKS.

use async_lock::Mutex;
use rental::auth::KeySupply;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// What an instance keeps of the keys of a JWKS.
#[derive(Default)]
pub struct FetchedKeys {
    /// The keys at hand, and when they are asked for.
    pub supply: RefCell<KeySupply>,
    /// Held by the request that fetches.
    pub turn: Rc<Mutex<()>>,
    /// Whether this instance has seen to it that the log tells of the set in the variable.
    pub inline_is_told: Cell<bool>,
}
