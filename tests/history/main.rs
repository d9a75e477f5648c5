//! The history checker: many clients over three hosts that share one Redis and one PostgreSQL, faults while they run, and
//! every answer held against what had been answered before.
//!
//! `RENTTRACKER_HISTORY_SECONDS` says how long (60), `RENTTRACKER_HISTORY_SEED` repeats the choices of a run, and
//! `RENTTRACKER_HISTORY_VERBOSE` tells of each fault as it happens. `RENTTRACKER_BREAKER_STORE=database` has the breaker's record in
//! PostgreSQL in every trial.

mod bare_host;
mod client;
mod cluster;
mod cold;
mod cut;
mod failover;
mod faults;
mod history;
mod key;
#[path = "../support/leftovers.rs"]
mod leftovers;
mod naive;
mod places;
mod report;
mod run;
mod servers;
mod slow;
mod standby;
mod writer;

use std::process::ExitCode;

use harness::{http, proxy, random};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // One after the other: each brings the machine to its limits.
    arguments.test_threads = Some(1);
    let trials = vec![
        trial("one_cold_key_is_read_once", cold::one_cold_key_is_read_once),
        trial("one_cold_key_is_read_once_by_however_many_hosts", cold::one_cold_key_is_read_once_by_however_many_hosts),
        trial(
            "one_cold_key_is_read_once_by_instances_of_one_request",
            cold::one_cold_key_is_read_once_by_instances_of_one_request,
        ),
        trial(
            "one_cold_key_is_read_once_while_every_processor_is_busy",
            cold::one_cold_key_is_read_once_while_every_processor_is_busy,
        ),
        trial("one_cold_key_is_read_once_where_redis_is_slow", cold::one_cold_key_is_read_once_where_redis_is_slow),
        trial("a_host_cut_from_redis_leaves_no_stale_reader", cut::a_host_cut_from_redis_leaves_no_stale_reader),
        trial(
            "a_host_cut_from_redis_leaves_no_stale_reader_with_the_record_in_postgresql",
            cut::a_host_cut_from_redis_leaves_no_stale_reader_with_the_record_in_postgresql,
        ),
        trial("a_slow_way_to_redis_shares_no_old_read", slow::a_slow_way_to_redis_shares_no_old_read),
        trial(
            "a_failover_fails_no_request_and_serves_nothing_old",
            failover::a_failover_fails_no_request_and_serves_nothing_old,
        ),
        trial(
            "no_answer_is_older_than_what_was_answered_before",
            history::no_answer_is_older_than_what_was_answered_before,
        ),
        trial(
            "no_answer_is_older_than_what_was_answered_before_with_read_leases",
            history::no_answer_is_older_than_what_was_answered_before_with_read_leases,
        ),
        trial(
            "a_commit_that_outlives_its_fence_shows_nothing_old",
            standby::a_commit_that_outlives_its_fence_shows_nothing_old,
        ),
        trial("a_build_without_the_fence_is_caught", naive::a_build_without_the_fence_is_caught),
        trial(
            "a_build_without_the_wait_for_read_leases_is_caught",
            naive::a_build_without_the_wait_for_read_leases_is_caught,
        ),
    ];
    let conclusion = libtest_mimic::run(&arguments, trials);
    let keep = conclusion.has_failed() || std::env::var_os("RENTTRACKER_KEEP_LOGS").is_some();
    let left = servers::finish(keep);
    if left.is_empty() {
        return conclusion.exit_code();
    }
    eprintln!("left over: {left:#?}");
    ExitCode::FAILURE
}

fn trial(name: &str, test: fn() -> anyhow::Result<()>) -> Trial {
    Trial::test(format!("history::{name}"), move || test().map_err(|error| Failed::from(format!("{error:#}"))))
}
