//! The end-to-end suites: real Redis, real PostgreSQL, the built components, black box.
//!
//! `main` owns what the trials share and takes it down; anything left over fails the run. `suites.rs` says which suites a run has.

mod api;
mod auth;
mod cache;
mod operations;
mod platform;
mod suites;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;

use libtest_mimic::Arguments;

/// How many trials run at once. They wait for servers more than they compute; with more of them than this a machine with two
/// processors, and something else to do, lets deadlines pass that trials rely on.
const THREADS: usize = 4;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let trials = suites::trials(std::env::var("RENTTRACKER_SUITES").ok().as_deref());
    if arguments.list {
        return libtest_mimic::run(&arguments, trials).exit_code();
    }
    let stage = match support::Stage::start() {
        Ok(stage) => stage,
        Err(error) => {
            eprintln!("the stage cannot be set: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    if support::protocol::is_rest() {
        suites::print_by_rest();
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    support::durations::print();
    match stage.finish() {
        Ok(left) if left.is_empty() => conclusion.exit_code(),
        Ok(left) => {
            eprintln!("left over: {left:#?}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("the stage cannot be cleared: {error:#}");
            ExitCode::FAILURE
        }
    }
}
