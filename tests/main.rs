//! The end-to-end suites: real Redis, real PostgreSQL, the built components, black box.
//!
//! `main` owns what the trials share and takes it down; anything left over fails the run.

mod world;

mod acl;
mod auth;
mod auth_keys;
mod bodies;
mod breaker;
mod budget;
mod cache;
mod client;
mod components;
mod concurrency;
mod conditions;
mod configuration;
mod cors;
mod costs;
mod deaf;
mod disk;
mod extremes;
mod front;
mod full;
mod grants;
mod harness;
mod headers;
mod health;
mod idempotency;
mod impostor;
mod input;
mod invalidation;
mod isolation;
mod key_value;
mod lists;
mod load;
mod locks;
mod masters;
mod metrics;
mod migrations;
mod not_writable;
mod observability;
mod openapi;
mod operator;
mod outage;
mod outbox;
mod outliving;
mod payment_methods;
mod payments;
mod payments_walk;
mod properties;
mod protocol;
mod purge;
mod refusals;
mod rest;
mod restored;
mod schema;
mod sealing;
mod search;
mod tenancy;
mod tls;
mod trace;
mod unfit;
mod unshared;
mod values;
mod verify;
mod warm;
mod webhook;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

/// The trials wait for servers more than they compute.
const THREADS: usize = 6;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let suites = [
        schema::tests, // first, because it is the longest
        outage::tests,
        outliving::tests, // waits for fences to run out
        load::tests,
        key_value::tests,
        acl::tests,
        auth::tests,
        auth_keys::tests,
        bodies::tests,
        breaker::tests,
        budget::tests,
        cache::tests,
        client::tests,
        components::tests,
        concurrency::tests,
        conditions::tests,
        configuration::tests,
        cors::tests,
        costs::tests,
        disk::tests,
        extremes::tests,
        front::tests,
        full::tests,
        grants::tests,
        harness::tests,
        headers::tests,
        health::tests,
        idempotency::tests,
        impostor::tests,
        input::tests,
        invalidation::tests,
        isolation::tests,
        lists::tests,
        locks::tests,
        masters::tests,
        metrics::tests,
        migrations::tests,
        not_writable::tests,
        observability::tests,
        openapi::tests,
        operator::tests,
        outbox::tests,
        payment_methods::tests,
        payments::tests,
        payments_walk::tests,
        properties::tests,
        protocol::tests,
        purge::tests,
        refusals::tests,
        rest::tests,
        restored::tests,
        sealing::tests,
        search::tests,
        tenancy::tests,
        tls::tests,
        trace::tests,
        unfit::tests,
        unshared::tests,
        values::tests,
        verify::tests,
        warm::tests,
        webhook::tests,
    ];
    let mut trials: Vec<Trial> = suites.iter().flat_map(|tests| tests()).collect();
    let unknown = world::way::unknown(trials.iter().map(Trial::name));
    assert!(unknown.is_empty(), "trials that do not exist are left out: {unknown:?}");
    if let Ok(wanted) = std::env::var("RENTTRACKER_SUITES") {
        keep_suites(&mut trials, &wanted);
    }
    if arguments.list {
        return libtest_mimic::run(&arguments, trials).exit_code();
    }
    let stage = match world::Stage::start() {
        Ok(stage) => stage,
        Err(error) => {
            eprintln!("the stage cannot be set: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let conclusion = libtest_mimic::run(&arguments, trials);
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

/// Keeps the suites of the list alone, which are separated by commas.
fn keep_suites(trials: &mut Vec<Trial>, wanted: &str) {
    let suite = |trial: &Trial| trial.name().split("::").next().map(str::to_owned).unwrap_or_default();
    for name in wanted.split(',') {
        assert!(trials.iter().any(|trial| suite(trial) == name), "there is no suite {name:?}");
    }
    trials.retain(|trial| wanted.split(',').any(|name| suite(trial) == name));
}
