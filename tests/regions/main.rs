//! The history checker of several regions: three, each with two hosts, a Redis, a key-value store and a standby of one primary,
//! all real. Clients read and write in every region, sessions hop between them, links and servers fail, and every answer is held
//! against what had been answered before.
//!
//! `RENTTRACKER_REGIONS_SECONDS` says how long (150), `RENTTRACKER_HISTORY_SEED` repeats the choices of a run,
//! `RENTTRACKER_REGIONS_VERBOSE` tells of each fault as it happens, and `RENTTRACKER_KEEP_LOGS` keeps the logs.

mod client;
mod faults;
mod history;
#[path = "../support/leftovers.rs"]
#[expect(dead_code, reason = "the rest is for tests with one Redis and one database")]
mod leftovers;
mod naive;
mod report;
mod run;
mod stage;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // One after the other: each brings the machine to its limits.
    arguments.test_threads = Some(1);
    let trials = vec![
        trial("no_read_is_older_than_its_region_allows", history::no_read_is_older_than_its_region_allows),
        trial("a_build_without_the_bound_is_caught", naive::a_build_without_the_bound_is_caught),
        trial(
            "a_build_without_the_check_of_sessions_is_caught",
            naive::a_build_without_the_check_of_sessions_is_caught,
        ),
        trial("a_build_without_the_fence_is_caught", naive::a_build_without_the_fence_is_caught),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(name: &str, test: fn() -> anyhow::Result<()>) -> Trial {
    Trial::test(format!("regions::{name}"), move || test().map_err(|error| Failed::from(format!("{error:#}"))))
}
