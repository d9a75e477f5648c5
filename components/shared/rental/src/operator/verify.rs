//! Verifying the cache: `POST /api/cache/verify`. A sample of what is in it is compared with PostgreSQL.
//!
//! What makes an entry inconsistent is not that it differs from PostgreSQL when both are read: a write may have come in
//! between. Before a change commits, its fence has deleted the entry, and until it is answered none is stored. So an entry
//! that stood there from before PostgreSQL showed something else until after it is inconsistent, if the cache was in use all
//! the while.

use crate::domain::{Members, TenantId, Violations};
use crate::operator::pace::{DEFAULT_RATE, RATES};
use cache::Sighting;
use std::ops::RangeInclusive;

/// Entries that one request looks at: with the highest rate as many as its time is enough for.
pub const SAMPLES: RangeInclusive<u64> = 1..=1_000;
/// The same unless the operator says otherwise.
pub const DEFAULT_SAMPLE: u64 = 100;

/// How far apart two readings of when a key runs out may lie, in milliseconds: Redis before 7.2 lets its clock go on while a
/// script runs. An entry that was stored anew runs out at another time, by its own time to live.
const CLOCK_STEPS_MS: u64 = 3;

/// An operator's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyOrder {
    /// How many entries are looked at, at most.
    pub sample: u64,
    /// The tenant whose entries are looked at; `None` for all.
    pub tenant: Option<TenantId>,
    /// How many statements are sent at most, a second.
    pub rate: u64,
}

impl VerifyOrder {
    /// Reads a request body.
    ///
    /// # Errors
    /// Names the members that are wrong.
    pub fn parse(body: &[u8]) -> Result<Self, Violations> {
        let mut members = Members::parse(body)?;
        let order = Self {
            sample: members.optional_number("sample", SAMPLES).unwrap_or(DEFAULT_SAMPLE),
            tenant: members.optional_parsed("tenant", TenantId::parse, TenantId::FORM),
            rate: members.optional_number("ratePerSecond", RATES).unwrap_or(DEFAULT_RATE),
        };
        members.finish().map(|()| order)
    }
}

/// What was found of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// PostgreSQL has the same.
    Consistent,
    /// A reader would not take it, so its content is never answered.
    Refused,
    /// It ran out, was deleted or was replaced while it was looked at, or the cache was out of use: nothing can be said.
    Gone,
    /// A reader would take it, and PostgreSQL has something else.
    Inconsistent(Reason),
}

/// Why an entry is inconsistent, as far as it can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Its invalidation is still in the outbox: the writer could not make it, and it was not drained since.
    MissedOutbox,
    /// A fence stands over it: it was stored where the script has to refuse.
    RefusedFill,
    /// Neither: most likely its row was changed in PostgreSQL behind the API's back.
    Unknown,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::MissedOutbox, Self::RefusedFill, Self::Unknown];

    /// Its name in logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::MissedOutbox => "missed_outbox",
            Self::RefusedFill => "refused_fill",
            Self::Unknown => "unknown",
        }
    }
}

/// What was seen of an entry that a reader would take and that PostgreSQL showed otherwise, twice.
#[derive(Debug)]
pub struct Evidence<'a> {
    /// The entry before PostgreSQL was asked for the first time.
    pub before: &'a Sighting,
    /// The entry after it was asked for the second time, if there was one.
    pub after: Option<&'a Sighting>,
    /// Whether the cache was in use from before the first to after the last look.
    pub was_in_use: bool,
    /// Whether the invalidation of the entry is in the outbox.
    pub is_in_outbox: bool,
}

impl Evidence<'_> {
    /// What it shows.
    pub fn finding(&self) -> Finding {
        let Some(after) = self.after.filter(|after| self.was_in_use && is_the_same(self.before, after)) else {
            return Finding::Gone;
        };
        Finding::Inconsistent(if self.is_in_outbox {
            Reason::MissedOutbox
        } else if after.is_fenced {
            Reason::RefusedFill
        } else {
            Reason::Unknown
        })
    }
}

/// Whether it is one entry that was seen twice, and not another with the same content.
fn is_the_same(before: &Sighting, after: &Sighting) -> bool {
    before.bytes == after.bytes && before.runs_out_ms.abs_diff(after.runs_out_ms) <= CLOCK_STEPS_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sighting() -> Sighting {
        Sighting { bytes: b"entry".to_vec(), runs_out_ms: 1_000_000, is_fenced: false }
    }

    fn finding(after: Option<Sighting>, change: impl Fn(&mut Evidence<'_>)) -> Finding {
        let before = sighting();
        let mut evidence = Evidence { before: &before, after: after.as_ref(), was_in_use: true, is_in_outbox: false };
        change(&mut evidence);
        evidence.finding()
    }

    #[test]
    fn only_one_entry_that_stood_there_all_the_while_is_inconsistent() {
        let stood = || Some(Sighting { runs_out_ms: 1_000_001, ..sighting() });
        assert_eq!(finding(stood(), |_| {}), Finding::Inconsistent(Reason::Unknown));
        assert_eq!(finding(stood(), |evidence| evidence.was_in_use = false), Finding::Gone);
        assert_eq!(finding(None, |_| {}), Finding::Gone);
        let replaced = Some(Sighting { bytes: b"other".to_vec(), ..sighting() });
        assert_eq!(finding(replaced, |_| {}), Finding::Gone);
        // The same content again, as when a property came and went: another entry.
        let stored_anew = Some(Sighting { runs_out_ms: 1_000_100, ..sighting() });
        assert_eq!(finding(stored_anew, |_| {}), Finding::Gone);
    }

    #[test]
    fn the_reason_is_read_off_the_outbox_row_or_the_fence() {
        let fenced = || Some(Sighting { is_fenced: true, ..sighting() });
        assert_eq!(finding(fenced(), |_| {}), Finding::Inconsistent(Reason::RefusedFill));
        let left = |evidence: &mut Evidence<'_>| evidence.is_in_outbox = true;
        assert_eq!(finding(fenced(), left), Finding::Inconsistent(Reason::MissedOutbox));
    }

    #[test]
    fn an_order_has_a_sample_size_and_a_tenant() {
        let order = |body: &str| VerifyOrder::parse(body.as_bytes());
        let usual = VerifyOrder { sample: DEFAULT_SAMPLE, tenant: None, rate: DEFAULT_RATE };
        assert_eq!(order("{}"), Ok(usual));
        let other = VerifyOrder { sample: 7, tenant: TenantId::parse("a"), rate: 200 };
        assert_eq!(order(r#"{"sample": 7, "tenant": "a", "ratePerSecond": 200}"#), Ok(other));
        for (body, member) in [
            (r#"{"sample": 0}"#, "sample"),
            (r#"{"sample": 1001}"#, "sample"),
            (r#"{"tenant": "a:b"}"#, "tenant"),
            (r#"{"tenant": ["a"]}"#, "tenant"),
            (r#"{"ratePerSecond": "50"}"#, "ratePerSecond"),
            ("1", "body"),
        ] {
            assert!(order(body).expect_err(body).by_member().contains_key(member), "{body}");
        }
    }
}
