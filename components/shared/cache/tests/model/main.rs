//! The cache protocol, checked over all interleavings: no read that starts after a write was answered is answered with
//! older data. And what each part of the protocol is for: with any one of them switched off, the checker finds a way.

mod world;

use stateright::{Checker, Model, Property};
use world::{Step, Switch, World};

/// The protocol with at most one part off, and bounds on what happens.
struct Protocol {
    off: Option<Switch>,
    writers: usize,
    readers: usize,
    crashes: u8,
    faults: u8,
    /// Also hold every read against the reads that were answered before it.
    is_strict: bool,
    /// There may be a failover that leaves the master from before alive.
    may_fail_over: bool,
    /// A statement may go on in PostgreSQL after its writer gave up, and after its fence ran out.
    may_outlive: bool,
    /// Readers may answer again from what they got.
    has_read_leases: bool,
    /// With these, a time that Redis is lost may be one that it loses everything and goes on.
    may_be_flushed: bool,
}

/// Whether `RENTTRACKER_MODEL=whole` asks for what is too large for the development profile. In that of the host `cargo xtask test` explores
/// three readers; two writers with read leases take as long again, by `cargo test --profile host -p cache --test model read_leases_and`.
fn is_whole() -> bool {
    std::env::var("RENTTRACKER_MODEL").is_ok_and(|model| model == "whole")
}

/// Two writers and two readers to whom nothing happens.
const QUIET: Protocol = Protocol {
    off: None,
    writers: 2,
    readers: 2,
    crashes: 0,
    faults: 0,
    is_strict: false,
    may_fail_over: false,
    may_outlive: false,
    has_read_leases: false,
    may_be_flushed: false,
};

impl Model for Protocol {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        let world = if self.may_outlive {
            World::with_statements_that_outlive(self.readers, self.crashes, self.faults)
        } else {
            World::new(self.readers, self.crashes, self.faults, self.is_strict, self.may_fail_over)
        };
        let world = world.with_writers(self.writers);
        let world = if self.has_read_leases { world.with_read_leases() } else { world };
        vec![if self.may_be_flushed { world.that_may_be_flushed() } else { world }]
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

impl Protocol {
    /// Explores everything that the writers and the readers can do, on both processors.
    fn explore(self) -> impl Checker<Self> {
        self.checker().threads(2).spawn_bfs().join()
    }

    /// Asserts that nothing goes wrong, and that the model has not lost its steps.
    fn holds(self, at_least: usize) {
        let bounds = format!(
            "{} writers, {} readers, {} crashes, {} times Redis lost{}{}{}{}",
            self.writers,
            self.readers,
            self.crashes,
            self.faults,
            if self.may_fail_over { ", a failover" } else { "" },
            if self.may_outlive { ", statements that take any time" } else { "" },
            if self.has_read_leases { ", read leases" } else { "" },
            if self.is_strict { ", reads held against reads" } else { "" }
        );
        let checker = self.explore();
        let (unique, visits) = (checker.unique_state_count(), checker.state_count());
        println!("{bounds}: {unique} states ({visits} visits), depth {}", checker.max_depth());
        checker.assert_no_discovery("no read is stale");
        assert!(unique >= at_least, "the model has lost its steps");
    }
}

#[test]
fn reads_never_go_back_with_three_readers_and_a_crash() {
    Protocol { readers: 3, crashes: 1, is_strict: true, ..QUIET }.holds(20_000);
}

#[test]
fn reads_never_go_back_with_two_readers_and_redis_lost() {
    Protocol { faults: 1, is_strict: true, ..QUIET }.holds(100_000);
}

#[test]
fn no_read_is_older_than_an_answered_write_with_a_crash_and_redis_lost() {
    // With three readers it takes 83 million states.
    let readers = if is_whole() { 3 } else { 2 };
    Protocol { readers, crashes: 1, faults: 1, ..QUIET }.holds(100_000);
}

#[test]
fn no_read_is_older_than_an_answered_write_with_two_masters_at_once() {
    Protocol { may_fail_over: true, ..QUIET }.holds(50_000);
}

#[test]
fn without_the_wait_of_the_probe_a_read_from_the_other_master_is_stale() {
    let off = Some(Switch::ProbeWait);
    let checker = Protocol { off, may_fail_over: true, ..QUIET }.explore();
    let path = checker.discovery("no read is stale").expect("nothing goes wrong without the wait of the probe");
    println!("without the wait, after {} states: {:?}", checker.unique_state_count(), path.into_actions());
}

/// The checker must catch a protocol without this part; the shortest way there is printed.
fn is_caught_without(part: Switch) {
    let checker = Protocol { off: Some(part), crashes: 1, faults: 1, ..QUIET }.explore();
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

fn outliving(off: Option<Switch>) -> Protocol {
    Protocol { off, writers: 1, crashes: 1, faults: 1, is_strict: true, may_outlive: true, ..QUIET }
}

#[test]
fn reads_never_go_back_with_a_statement_that_outlives_its_fence() {
    outliving(None).holds(100_000);
}

fn is_caught_where_statements_outlive(part: Switch) {
    let checker = outliving(Some(part)).explore();
    let path = checker.discovery("no read is stale").unwrap_or_else(|| panic!("nothing goes wrong without {part:?}"));
    println!("without {part:?}, after {} states: {:?}", checker.unique_state_count(), path.into_actions());
}

#[test]
fn without_the_database_lease_a_read_is_stale() {
    is_caught_where_statements_outlive(Switch::DatabaseLease);
}

#[test]
fn without_the_probe_waiting_for_writes_a_read_is_stale() {
    is_caught_where_statements_outlive(Switch::WritesAwaited);
}

fn with_read_leases(off: Option<Switch>) -> Protocol {
    // With two writers they take 43 million states.
    let writers = if is_whole() && off.is_none() { 2 } else { 1 };
    Protocol { off, writers, is_strict: true, has_read_leases: true, ..QUIET }
}

#[test]
fn reads_never_go_back_with_read_leases_and_a_crash() {
    Protocol { crashes: 1, ..with_read_leases(None) }.holds(1_000);
}

#[test]
fn reads_never_go_back_with_read_leases_and_redis_lost() {
    Protocol { faults: 1, ..with_read_leases(None) }.holds(100_000);
}

#[test]
fn no_read_is_older_than_an_answered_write_with_read_leases_and_two_masters_at_once() {
    Protocol { is_strict: false, may_fail_over: true, ..with_read_leases(None) }.holds(50_000);
}

fn flushed(off: Option<Switch>) -> Protocol {
    Protocol { writers: 1, faults: 1, is_strict: false, may_be_flushed: true, ..with_read_leases(off) }
}

#[test]
fn no_read_is_older_than_an_answered_write_with_read_leases_and_a_lost_fence() {
    flushed(None).holds(100_000);
}

#[test]
fn without_the_wait_after_a_lost_fence_a_read_is_stale() {
    let off = Some(Switch::LostFenceWait);
    let checker = flushed(off).explore();
    let path = checker.discovery("no read is stale").expect("nothing goes wrong without the wait after a lost fence");
    println!("without the wait, after {} states: {:?}", checker.unique_state_count(), path.into_actions());
}

#[test]
fn reads_never_go_back_with_read_leases_and_a_statement_that_outlives_its_fence() {
    Protocol { has_read_leases: true, ..outliving(None) }.holds(100_000);
}

fn is_caught_with_read_leases(part: Switch) {
    let checker = Protocol { faults: 1, ..with_read_leases(Some(part)) }.explore();
    let path = checker.discovery("no read is stale").unwrap_or_else(|| panic!("nothing goes wrong without {part:?}"));
    println!("without {part:?}, after {} states: {:?}", checker.unique_state_count(), path.into_actions());
}

#[test]
fn without_the_wait_for_read_leases_a_read_is_stale() {
    is_caught_with_read_leases(Switch::ReadLeaseWait);
}

#[test]
fn with_read_leases_that_outlast_the_lease_a_read_is_stale() {
    is_caught_with_read_leases(Switch::ReadLeaseWithinLease);
}

#[test]
fn without_the_registration_a_read_is_stale() {
    is_caught_with_read_leases(Switch::Registration);
}

#[test]
fn without_the_wait_of_the_probe_a_read_lease_of_another_redis_is_stale() {
    is_caught_with_read_leases(Switch::ProbeWait);
}
