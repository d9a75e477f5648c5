//! The crate as another Spin application uses it: other resources, another owner, another error, its own sealing purpose.

mod breaker;
mod documents;
mod entries;
mod reading;
mod redis;
mod writing;
