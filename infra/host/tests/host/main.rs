//! Runs the host with a real component in it. `tests/fixtures/guest` is that component; it is built once a run.

mod answers;
mod chaining;
mod client;
mod compile_cache;
mod fixture;
mod grants;
mod lifetime;
mod output;
mod startup;
mod stores;
