//! The load generator: a closed loop, which asks as fast as it is answered, and an open load, which asks at its own rate.

mod closed;
mod connection;
mod open;

pub use closed::{Limit, Next, Outcome, once, run};
pub use connection::{Answered, Ask, Client, Kind, RUNTIME, Server};
pub use open::{Counts, Open, Schedule, Tally};
