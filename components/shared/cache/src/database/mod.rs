//! The *database lease*: what an instance knows of PostgreSQL before it stores what it reads there, and before it writes. It
//! protects the cache from a write that outlives its fence.
//!
//! A statement that is over for its client need not be over for PostgreSQL: a commit waits for a synchronous standby past
//! every limit, a pooler may lose the limit or keep the statement in a queue. So each write shows in the database while it is
//! in progress (`infra/migrations/0011_writes_in_progress.sql`), and two rules hold, whatever happens to the writer:
//!
//! - A statement starts within [`START_WITHIN`] of its fence or not at all: PostgreSQL itself refuses it later.
//! - A leader stores only if its instance asked PostgreSQL, less than [`LEASE`] before the leader looked, and no write of the
//!   tenant had then been in progress for [`DOUBT_AFTER`].
//!
//! A fence stands for longer than the three together. So when a leader is let in after a fence has run out, its instance's
//! question was put more than `FENCE - LEASE` after the fence went up, when the statement under it was over, or had been in
//! progress for more than `FENCE - LEASE - START_WITHIN`, which is in doubt. And a statement that was over then can be seen by
//! the leader, whose own comes after the question.

pub mod lineage;

use crate::Owner;
use crate::breaker::LeaseState;
use crate::protocol::STATEMENT_TIMEOUT_MS;
use lineage::Seen;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// How long an instance may store under one answer of PostgreSQL. A shorter lease ends a doubt sooner; a longer one costs
/// fewer statements.
pub const LEASE: Duration = Duration::from_secs(5);

/// How long a write may be in progress until its tenant is in doubt, in whole seconds: longer than PostgreSQL works on one
/// that it ends by itself, and a commit that is slow to reach the disk.
pub const DOUBT_AFTER: Duration = Duration::from_secs(4);

/// The longest that a statement may start after its fence went up: what a component waits for Redis and for PostgreSQL, which
/// are at most 10 s each, but not both.
pub const START_WITHIN: Duration = Duration::from_secs(12);

const NO_LIMIT: &str = "PostgreSQL does not end the components' statements after 1500 ms at most: what they ask for in \
    database_url is lost on the way, as behind a pooler that ignores the startup parameter `options`. Set it for the role \
    that they log in as: ALTER ROLE … SET statement_timeout = '1500ms'";
const IN_DOUBT: &str = "Writes are in progress in PostgreSQL for longer than they should be, and their tenants' reads are not \
    cached meanwhile: look in pg_stat_activity for what they wait for (SyncRep: a synchronous standby that is not there)";
const STANDBY: &str = "database_url leads to a standby: nothing can be written, and nothing of what it says is stored";

/// What PostgreSQL said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseState {
    /// Its clock, Unix time in milliseconds.
    pub clock_ms: i64,
    /// The `statement_timeout` in force in the component's session, in milliseconds; 0: none.
    pub statement_timeout_ms: i64,
    /// The hashes of the tenants in doubt.
    pub in_doubt: Vec<String>,
    /// Which database it is, and how far; `None` while it is a standby, which may lack what was answered elsewhere.
    pub lineage: Option<Seen>,
}

impl DatabaseState {
    /// Whether PostgreSQL ends the components' statements itself, as they told it to.
    pub fn ends_statements(&self) -> bool {
        (1..=STATEMENT_TIMEOUT_MS).contains(&u64::try_from(self.statement_timeout_ms).unwrap_or_default())
    }

    /// What is wrong, and what mends it.
    pub fn warnings(&self) -> Vec<&'static str> {
        let limit = (!self.ends_statements()).then_some(NO_LIMIT);
        let standby = self.lineage.is_none().then_some(STANDBY);
        let doubt = (!self.in_doubt.is_empty()).then_some(IN_DOUBT);
        limit.into_iter().chain(doubt).chain(standby).collect()
    }
}

/// What PostgreSQL said, and when it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseLease {
    /// What it said.
    pub state: DatabaseState,
    /// When the question was sent and when the answer was there, on the instance's monotonic clock.
    asked_at: Duration,
    answered_at: Duration,
}

impl DatabaseLease {
    /// A lease on `state`.
    pub fn new(state: DatabaseState, asked_at: Duration, answered_at: Duration) -> Self {
        Self { state, asked_at, answered_at }
    }

    /// What it is worth at `now`, on the instance's monotonic clock.
    pub fn state(&self, now: Duration) -> LeaseState {
        LeaseState::of(now.saturating_sub(self.asked_at), LEASE)
    }

    /// Whether what is read of this tenant from now on may be stored.
    pub fn vouches_for(&self, tenant: &Owner) -> bool {
        let hash = hash(tenant);
        self.state.lineage.is_some() && !self.state.in_doubt.contains(&hash)
    }

    /// `moment`, on the instance's monotonic clock, by PostgreSQL's clock, in Unix milliseconds: at the earliest. So no clock
    /// of a component's host counts.
    pub fn by_its_clock(&self, moment: Duration) -> i64 {
        let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4);
        self.state.clock_ms.saturating_add(millis(moment) - millis(self.answered_at))
    }
}

/// As `write_lock_key` of the schema has it: the first four bytes of the SHA-256, in hexadecimal.
fn hash(tenant: &Owner) -> String {
    let digest = Sha256::digest(tenant.as_str().as_bytes());
    digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::FENCE_MS;

    fn state(in_doubt: &[&str]) -> DatabaseState {
        let in_doubt = in_doubt.iter().map(|hash| (*hash).to_owned()).collect();
        let lineage = Some(Seen { id: "x".into(), run: "x".into(), run_from: None, position: 1, clock_ms: 1_000_000 });
        DatabaseState { clock_ms: 1_000_000, statement_timeout_ms: 1_500, in_doubt, lineage }
    }

    fn tenant(id: &str) -> Owner {
        Owner::parse(id).expect("an id")
    }

    #[test]
    fn a_fence_outlives_the_three_waits_of_what_it_guards() {
        let fence = Duration::from_millis(FENCE_MS);
        // A second for the clocks of Redis, PostgreSQL and the instance, which measure some seconds each by itself.
        assert!(fence > START_WITHIN + DOUBT_AFTER + LEASE + Duration::from_secs(1));
    }

    #[test]
    fn a_statement_that_postgresql_ends_by_itself_is_never_in_doubt() {
        assert!(DOUBT_AFTER > 2 * Duration::from_millis(STATEMENT_TIMEOUT_MS));
        assert_eq!(DOUBT_AFTER.subsec_nanos(), 0);
    }

    #[test]
    fn only_a_tenant_in_doubt_is_not_stored() {
        // By PostgreSQL: SELECT to_hex(write_lock_key('landlord-1'))
        let lease = DatabaseLease::new(state(&["00000000", "2eacb17d"]), Duration::ZERO, Duration::ZERO);
        assert!(!lease.vouches_for(&tenant("landlord-1")));
        assert!(lease.vouches_for(&tenant("landlord-2")));
    }

    #[test]
    fn nothing_that_a_standby_answers_is_stored() {
        let standby = DatabaseState { lineage: None, ..state(&[]) };
        assert_eq!(standby.warnings(), [STANDBY]);
        let lease = DatabaseLease::new(standby, Duration::ZERO, Duration::ZERO);
        assert!(!lease.vouches_for(&tenant("landlord-2")));
    }

    #[test]
    fn a_lease_counts_from_when_the_question_was_sent() {
        let at = Duration::from_millis;
        let lease = DatabaseLease::new(state(&[]), at(1_000), at(1_400));
        assert_eq!(lease.state(at(3_499)), LeaseState::Valid);
        assert_eq!(lease.state(at(3_500)), LeaseState::RenewSoon);
        assert_eq!(lease.state(at(6_000)), LeaseState::Lapsed);
    }

    #[test]
    fn a_moment_by_postgresqls_clock_counts_from_when_the_answer_came() {
        let at = Duration::from_millis;
        let lease = DatabaseLease::new(state(&[]), at(1_000), at(1_400));
        assert_eq!(lease.by_its_clock(at(1_400)), 1_000_000);
        assert_eq!(lease.by_its_clock(at(3_400)), 1_002_000);
        assert_eq!(lease.by_its_clock(at(400)), 999_000);
    }

    #[test]
    fn a_limit_that_is_missing_or_longer_than_ours_is_noticed() {
        let ends = |ms| DatabaseState { statement_timeout_ms: ms, ..state(&[]) }.ends_statements();
        assert!(ends(1) && ends(1_500));
        assert!(!ends(0) && !ends(1_501) && !ends(-1));
    }
}
