//! What the history checkers of one region and of several share.

pub mod faults;
pub mod http;
pub mod naive;
pub mod proxy;
pub mod random;
pub mod regions;
