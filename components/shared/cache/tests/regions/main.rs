//! The design for several regions (`infra/deploy/SCALING.md`), checked over all interleavings of two regions, each with its own Redis,
//! standby and two readers of the log. And what each part of the design is for: with any one of them switched off, the checker finds a
//! read that breaks a promise.

mod world;

use stateright::{Checker, Model, Property};
use world::{Plan, Step, Switch, World};

/// The promises, in the words of the design.
const WITHIN: &str = "no read is older than a write that was answered in its region";
const ACROSS: &str = "no read is older than the bound";
const SESSION: &str = "no session goes back";

/// The design with at most one part off, and how much happens.
struct Design {
    off: Option<Switch>,
    plan: Plan,
    /// What is looked for.
    promises: &'static [&'static str],
}

impl Model for Design {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(&self.plan)]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        world.steps(steps);
    }

    fn next_state(&self, world: &World, step: Step) -> Option<World> {
        world.step(step, self.off)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let all = [
            Property::always(WITHIN, |_, world: &World| !world.broken.within),
            Property::always(ACROSS, |_, world: &World| !world.broken.across),
            Property::always(SESSION, |_, world: &World| !world.broken.session),
        ];
        all.into_iter().filter(|property| self.promises.contains(&property.name)).collect()
    }
}

const QUIET: Plan = Plan { writers: 1, readers: 2, reads: 1, log_readers: 1, ticks: 1, drops: 0, losses: 0 };
/// A write in each region, and two readers in one of them.
const TWO_WRITES: Plan = Plan { writers: 2, ..QUIET };
/// A session that reads in one region, in the other, and in the first again.
const SESSION_OF_THREE: Plan = Plan { readers: 1, reads: 3, ticks: 0, ..QUIET };
/// Two of them, so that one may fill what the other reads.
const TWO_SESSIONS: Plan = Plan { readers: 2, ..SESSION_OF_THREE };
/// A region that is dropped from the log, and comes back.
const DROPPED: Plan = Plan { drops: 1, ..QUIET };
/// A region whose Redis is replaced by an empty one.
const REDIS_LOST: Plan = Plan { writers: 2, losses: 1, ..QUIET };
/// Two instances of a region that read the log at the same time: one that was thought dead, and its successor.
const TAKEOVER: Plan = Plan { log_readers: 2, ..DROPPED };

#[track_caller]
fn holds(plan: Plan, at_least: usize) {
    let promises = &[WITHIN, ACROSS, SESSION];
    let checker = Design { off: None, plan, promises }.checker().threads(2).spawn_bfs().join();
    let states = checker.unique_state_count();
    println!("{plan:?}: {states} states, depth {}", checker.max_depth());
    promises.iter().for_each(|promise| checker.assert_no_discovery(promise));
    assert!(states >= at_least, "the model has lost its steps");
}

/// Without this part this promise is broken; the shortest way there is printed.
#[track_caller]
fn is_caught_without(part: Switch, plan: Plan, promise: &'static [&'static str; 1]) {
    let checker = Design { off: Some(part), plan, promises: promise }.checker().threads(2).spawn_bfs().join();
    let path = checker.discovery(promise[0]).unwrap_or_else(|| panic!("without {part:?} it holds: {}", promise[0]));
    println!("without {part:?}, after {} states: {:?}", checker.unique_state_count(), path.into_actions());
}

#[test]
fn the_promises_hold_with_a_write_in_each_region() {
    holds(TWO_WRITES, 100_000);
}

#[test]
fn the_promises_hold_for_sessions_that_change_the_region() {
    holds(SESSION_OF_THREE, 1_000);
}

#[test]
fn the_promises_hold_when_a_region_is_dropped_and_comes_back_with_two_readers_of_the_log() {
    holds(TAKEOVER, 100_000);
}

#[test]
fn the_promises_hold_when_redis_is_lost() {
    holds(REDIS_LOST, 100_000);
}

#[test]
fn without_commit_order_a_late_commit_is_overlooked() {
    is_caught_without(Switch::CommitOrder, TWO_WRITES, &[ACROSS]);
}

#[test]
fn without_the_bound_on_the_lease_a_read_is_older_than_the_bound() {
    is_caught_without(Switch::LeaseBound, TWO_WRITES, &[ACROSS]);
}

#[test]
fn with_a_lease_from_the_end_of_the_log_read_a_read_is_older_than_the_bound() {
    is_caught_without(Switch::LeaseFromBegin, TWO_WRITES, &[ACROSS]);
}

#[test]
fn with_a_record_that_runs_ahead_of_redis_a_read_is_older_than_the_bound() {
    is_caught_without(Switch::RedisFirst, TWO_WRITES, &[ACROSS]);
}

#[test]
fn without_the_rule_for_the_standby_an_old_row_is_stored_behind_its_invalidation() {
    is_caught_without(Switch::StandbyRule, TWO_WRITES, &[ACROSS]);
}

#[test]
fn without_the_fence_until_the_log_has_the_write_its_own_region_reads_an_old_row() {
    is_caught_without(Switch::FenceUntilLogged, TWO_WRITES, &[WITHIN]);
}

#[test]
fn without_the_check_of_the_token_a_session_goes_back() {
    is_caught_without(Switch::TokenCheck, SESSION_OF_THREE, &[SESSION]);
}

#[test]
fn with_a_primary_that_is_not_held_to_the_token_a_session_goes_back() {
    is_caught_without(Switch::TokenAtPrimary, SESSION_OF_THREE, &[SESSION]);
}

#[test]
fn with_a_token_from_before_the_read_a_session_goes_back() {
    is_caught_without(Switch::TokenAfterRead, SESSION_OF_THREE, &[SESSION]);
}

#[test]
fn with_a_token_of_the_log_in_place_of_the_entrys_a_session_goes_back() {
    is_caught_without(Switch::TokenInEntry, TWO_SESSIONS, &[SESSION]);
}

#[test]
fn when_redis_learns_last_how_far_the_log_is_an_old_row_is_stored() {
    is_caught_without(Switch::DemandFirst, TWO_WRITES, &[ACROSS]);
}

#[test]
fn when_a_new_redis_takes_any_standby_an_old_row_is_stored() {
    is_caught_without(Switch::UnknownDemand, REDIS_LOST, &[WITHIN]);
}

#[test]
fn without_an_empty_cache_a_region_that_comes_back_serves_what_it_had() {
    is_caught_without(Switch::EmptyOnReturn, DROPPED, &[ACROSS]);
}

#[test]
fn when_only_the_instance_that_registered_empties_the_cache_another_serves_what_it_had() {
    is_caught_without(Switch::Generation, TAKEOVER, &[ACROSS]);
}
