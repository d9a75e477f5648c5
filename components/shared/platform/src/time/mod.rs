//! Clocks, deadlines and randomness.

pub mod alarm;
pub mod clock;
mod deadline;
mod random;

pub use deadline::{timed, within};
pub use random::{new_id, random, token};
