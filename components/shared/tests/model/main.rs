//! The cache protocol, checked over all interleavings: no read that starts after a write was answered is answered with
//! older data. And what each part of the protocol is for: with any one of them switched off, the checker finds a way.

mod world;

use stateright::{Checker, Model, Property};
use world::{Step, Switch, World};

/// The protocol with at most one part off, and bounds on what happens.
struct Protocol {
    off: Option<Switch>,
    readers: usize,
    crashes: u8,
    faults: u8,
}

impl Model for Protocol {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self.readers, self.crashes, self.faults)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Step>) {
        world.steps(actions);
    }

    fn next_state(&self, world: &World, step: Step) -> Option<World> {
        world.step(step, self.off)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always("no read is stale", |_, world: &World| !world.is_stale)]
    }
}

/// Explores everything that two writers and the readers can do, on both processors.
fn explore(off: Option<Switch>, readers: usize, crashes: u8, faults: u8) -> impl Checker<Protocol> {
    Protocol { off, readers, crashes, faults }.checker().threads(2).spawn_bfs().join()
}

/// Asserts that nothing goes wrong, and that the model has not lost its steps.
fn holds(readers: usize, crashes: u8, faults: u8, at_least: usize) {
    let checker = explore(None, readers, crashes, faults);
    println!(
        "2 writers, {readers} readers, {crashes} crashes, {faults} times Redis lost: {} states ({} visits), depth {}",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth()
    );
    checker.assert_no_discovery("no read is stale");
    assert!(checker.unique_state_count() >= at_least, "the model has lost its steps");
}

#[test]
fn no_read_is_stale_with_three_readers_and_a_crash() {
    holds(3, 1, 0, 20_000);
}

#[test]
fn no_read_is_stale_with_two_readers_a_crash_and_redis_lost() {
    holds(2, 1, 1, 100_000);
}

/// The checker must catch a protocol without this part; the shortest way there is printed.
fn is_caught_without(part: Switch) {
    let checker = explore(Some(part), 2, 1, 1);
    let path = checker.discovery("no read is stale").unwrap_or_else(|| panic!("nothing goes wrong without {part:?}"));
    println!("without {part:?}, after {} states: {:?}", checker.unique_state_count(), path.into_actions());
}

#[test]
fn without_the_fence_a_read_is_stale() {
    is_caught_without(Switch::Fence);
}

#[test]
fn without_the_lock_token_a_read_is_stale() {
    is_caught_without(Switch::LockToken);
}

#[test]
fn without_the_drain_a_read_is_stale() {
    is_caught_without(Switch::Drain);
}

#[test]
fn without_the_epoch_a_read_is_stale() {
    is_caught_without(Switch::Epoch);
}

#[test]
fn without_the_quarantine_a_read_is_stale() {
    is_caught_without(Switch::Quarantine);
}

#[test]
fn without_the_lease_a_read_is_stale() {
    is_caught_without(Switch::Lease);
}
