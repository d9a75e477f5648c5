//! Adds up what the instances of the other components have counted, and writes it to the key-value store. The route is
//! private: requests come from those instances.
//!
//! Writing blocks an instance until the disk has it. Here that is one that no client waits for, and it writes once for all
//! that has come meanwhile.

// A panic ends the instance and every request in it: input is never unwrapped, indexed or sliced.
#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::string_slice, clippy::unreachable)]
#![deny(clippy::unwrap_used)]

use platform::http::wire::{Outcome, Request};
use platform::metrics::aggregator::add_up;

platform::http_component!(handle);

async fn handle(request: Request) -> Outcome {
    add_up(request).await
}
