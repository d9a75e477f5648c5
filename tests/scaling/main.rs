//! The claims of `infra/deploy/SCALING.md`, shown by a simulation: three regions with a Redis and a replica each, one primary,
//! and whatever delay, loss, reordering and replay a seed brings. The same seed always gives the same run.

mod primary;
#[path = "../history/random.rs"]
#[expect(dead_code, reason = "the histories choose more kinds of things, and draw their seed from the clock")]
mod random;
mod region;
mod simulation;

use region::{Cursor, Design};
use simulation::{Outcome, simulate};

/// Each is another minute of traffic and faults.
const SEEDS: u64 = 100;
/// So many are enough to show what is wrong with a design.
const SEEDS_OF_A_FAULT: u64 = 20;

/// The seeds of one design, added up.
fn run(design: &Design, seeds: u64) -> Outcome {
    let outcome = (0..seeds).map(|seed| simulate(design, seed)).fold(Outcome::default(), Outcome::and);
    println!("{design:?}: {outcome}");
    outcome
}

#[test]
fn no_read_anywhere_is_older_than_the_bound() {
    let outcome = run(&Design::default(), SEEDS);
    assert_eq!(outcome.older_than_the_bound, 0, "{outcome}");
    assert_eq!(outcome.own_write_not_seen, 0, "{outcome}");
    assert_eq!(outcome.token_not_honoured, 0, "{outcome}");
    // The bound is no empty one: there was staleness to bound, faults to survive, and the cache was used all the same.
    assert!(outcome.oldest_ms > 1_000, "{outcome}");
    assert!(outcome.hits * 2 > outcome.reads, "{outcome}");
    for (what, count) in [
        ("lost", outcome.lost),
        ("replayed", outcome.replayed),
        ("reordered", outcome.reordered),
        ("restarted", outcome.restarts),
        ("refused fills", outcome.refused_fills),
        ("bypassed", outcome.bypassed),
        ("commits out of sequence", outcome.out_of_sequence),
    ] {
        assert!(count > 100, "{what}: {count}");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    assert_eq!(simulate(&Design::default(), 7), simulate(&Design::default(), 7));
    assert_ne!(simulate(&Design::default(), 7), simulate(&Design::default(), 8));
}

/// A row with a lower number may commit after one with a higher number was seen.
#[test]
fn a_cursor_on_sequence_numbers_overlooks_late_commits() {
    let outcome = run(&Design { cursor: Cursor::Sequence, ..Design::default() }, SEEDS_OF_A_FAULT);
    assert!(outcome.older_than_the_bound > 0, "{outcome}");
}

/// So may one with an earlier time: it is the time of the insertion.
#[test]
fn a_cursor_on_timestamps_overlooks_late_commits() {
    let outcome = run(&Design { cursor: Cursor::Timestamp, ..Design::default() }, SEEDS_OF_A_FAULT);
    assert!(outcome.older_than_the_bound > 0, "{outcome}");
}

/// The invalidation then comes before the row that it is about, and a reader puts the old row back.
#[test]
fn a_log_read_from_the_primary_runs_ahead_of_the_replica_that_fills() {
    let outcome = run(&Design { tails_the_replica: false, ..Design::default() }, SEEDS_OF_A_FAULT);
    assert!(outcome.older_than_the_bound > 0, "{outcome}");
}

#[test]
fn a_cursor_that_moves_before_redis_was_told_loses_what_fails() {
    let outcome = run(&Design { moves_the_cursor_after: false, ..Design::default() }, SEEDS_OF_A_FAULT);
    assert!(outcome.older_than_the_bound > 0, "{outcome}");
}

#[test]
fn a_region_that_trusts_its_cache_however_long_it_heard_nothing_has_no_bound() {
    let outcome = run(&Design { has_a_lease: false, ..Design::default() }, SEEDS_OF_A_FAULT);
    assert!(outcome.older_than_the_bound > 0, "{outcome}");
}

#[test]
fn a_fence_taken_down_before_the_replica_has_the_write_hides_a_writers_own_write() {
    let outcome = run(&Design { keeps_the_fence: false, ..Design::default() }, SEEDS_OF_A_FAULT);
    assert!(outcome.own_write_not_seen > 0, "{outcome}");
}

#[test]
fn without_the_token_of_a_write_another_region_may_not_show_it_yet() {
    let outcome = run(&Design { honours_tokens: false, ..Design::default() }, SEEDS_OF_A_FAULT);
    assert!(outcome.token_not_honoured > 0, "{outcome}");
    assert_eq!(outcome.older_than_the_bound, 0, "{outcome}");
}
