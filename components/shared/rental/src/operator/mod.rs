//! What operators see, and what they may order: the answers of health and of `/api/cache/…`.

use crate::domain::Timestamp;
use cache::breaker::{Mode, Record};
pub mod pace;
pub mod sampling;
pub mod verify;
pub mod warm;

use serde::{Deserialize, Serialize};
use verify::{Finding, Reason};

/// How the service is: the two words that a load balancer needs, and details for an administrator.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Health {
    /// `Healthy`, `Degraded` without its cache or without writes, `Unhealthy` without its database.
    pub status: &'static str,
    /// `Connected`, `ReadOnly` when it takes no writes (`Unhealthy`: a standby, which may be behind), or `Disconnected`.
    pub database: &'static str,
    /// For an administrator.
    #[serde(flatten)]
    #[cfg_attr(feature = "openapi", schema(ignore))]
    pub details: Option<Details>,
}

/// What an administrator is told besides. What cannot be found out at this moment is null.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Details {
    /// Of this build.
    pub version: &'static str,
    /// Why the cache is not in use, as the breaker or Redis says; null when it is.
    pub reason: Option<String>,
    /// Redis, asked at this moment.
    pub redis: Redis,
    /// The breaker.
    pub breaker: Option<Breaker>,
    /// What entries of the cache must carry to count.
    pub epoch: Option<u64>,
    /// How often the cache had what was asked for.
    pub cache: Option<Cache>,
    /// Invalidations that Redis has not been told of yet.
    pub outbox: Option<Outbox>,
    /// After how long PostgreSQL itself ends the components' statements; 0: never.
    #[serde(rename = "statementTimeoutMs")]
    pub statement_timeout_ms: Option<i64>,
    /// How many tenants have a write that is in progress for longer than a write should be. Of those nothing is stored.
    #[serde(rename = "tenantsInDoubt")]
    pub tenants_in_doubt: Option<usize>,
    /// What is wrong, and what mends it.
    pub warnings: Vec<&'static str>,
    /// Whether PostgreSQL itself keeps the components to one tenant's rows: not so if they log in as its owner.
    #[serde(rename = "rowLevelSecurity")]
    pub row_level_security: Option<bool>,
    /// Why PostgreSQL is not as it should be; null when it is.
    #[serde(rename = "databaseReason")]
    pub database_reason: Option<String>,
}

/// Redis, as health tells it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Redis {
    /// `Connected` or `Disconnected`: whether it answers, if only that it refuses.
    pub status: &'static str,
    /// What it uses.
    pub memory_bytes: Option<u64>,
    /// Of the last minute's commands; the upper bound of the bucket that the quantile falls into.
    pub p50_ms: Option<f64>,
    /// The same for the slowest hundredth.
    pub p99_ms: Option<f64>,
}

/// The breaker, as health and `/api/cache/breaker` tell it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Breaker {
    /// `closed`, `open` or `half_open`.
    pub state: &'static str,
    /// What an operator has ordered.
    pub mode: Mode,
    /// When it came into this state.
    pub since: Option<Timestamp>,
    /// When the next probe is due. Null while the cache is used or probed, and where an operator wants none.
    pub retry_at: Option<Timestamp>,
    /// Why.
    pub reason: String,
    /// In a row.
    pub failed_probes: u32,
    /// Whether one instance alone says that Redis is failing.
    pub is_suspected: bool,
    /// What entries of the cache must carry to count.
    pub epoch: u64,
}

impl Breaker {
    /// What may be told of a record.
    pub fn of(record: &Record) -> Self {
        let time = |ms: u64| Timestamp::from_unix_micros(i64::try_from(ms.saturating_mul(1_000)).ok()?);
        Self {
            state: record.state_name(),
            mode: record.mode,
            since: time(record.since_ms),
            retry_at: record.retry_at_ms().and_then(time),
            reason: record.reason.clone(),
            failed_probes: record.failed_probes,
            is_suspected: record.suspicion.is_some(),
            epoch: record.epoch,
        }
    }
}

/// An order to the breaker.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Order {
    /// What it shall do from now on.
    pub mode: Mode,
}

/// How often the cache had what was asked for, since the counts began.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Cache {
    /// Pages of lists.
    pub list: Lookups,
    /// Single resources.
    pub single: Lookups,
    /// Both.
    pub overall: Lookups,
}

/// Hits and misses.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Lookups {
    /// Answered from the cache.
    pub hits: u64,
    /// Read from PostgreSQL.
    pub misses: u64,
    /// The part of the hits; null before the first lookup.
    pub ratio: Option<f64>,
}

impl Lookups {
    /// From the numbers of hits and misses.
    pub fn new((hits, misses): (u64, u64)) -> Self {
        let all = hits + misses;
        Self { hits, misses, ratio: (all > 0).then(|| hits as f64 / all as f64) }
    }
}

/// Invalidations that Redis has not been told of yet.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Outbox {
    /// How many.
    pub rows: i64,
    /// How old the oldest is.
    pub oldest_seconds: i64,
}

/// What a drain of the outbox did.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Drained {
    /// How many invalidations this request made up for.
    pub drained: usize,
    /// How many have come since.
    pub left: i64,
    /// How old the oldest of those is: more than a moment means that draining does not keep up.
    pub oldest_seconds: i64,
}

/// What a removal of values from the cache did.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Purged {
    /// How many values are gone.
    pub removed: u64,
    /// Where the next request goes on, left out when nothing is left to look at. A text: it may be more than a
    /// JavaScript number can hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// What a request to warm the cache did.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Warmed {
    /// How many entries it read from PostgreSQL and stored.
    pub warmed: u64,
    /// How many were there, or were being read for somebody else.
    pub already_there: u64,
    /// How many could not be stored: a write was under way, or came in between, or they are too large, or cannot be read.
    pub not_stored: u64,
    /// How many landlords are not done.
    pub tenants_left: u64,
    /// Whether all is done.
    pub done: bool,
    /// Where the next request goes on, left out when all is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl Warmed {
    /// How many entries it dealt with.
    pub fn entries(&self) -> u64 {
        self.warmed + self.already_there + self.not_stored
    }
}

/// What a verification of the cache found.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Verified {
    /// How many entries could be compared with PostgreSQL: the consistent and the inconsistent ones.
    pub checked: u64,
    /// How many were what PostgreSQL has.
    pub consistent: u64,
    /// How many were not, although a reader would have taken them. They are deleted.
    pub inconsistent: u64,
    /// Why, as far as it can be told.
    pub why: Why,
    /// How many a reader would not have taken: altered, of an older epoch, or sealed otherwise.
    pub refused: u64,
    /// How many ran out, or were deleted or replaced, while they were looked at.
    pub gone: u64,
}

/// Inconsistent entries by reason.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Why {
    /// The invalidation is still in the outbox.
    pub missed_outbox: u64,
    /// A fence stands over the entry: it was stored where that has to be refused.
    pub refused_fill: u64,
    /// Neither: most likely the row was changed behind the API's back.
    pub unknown: u64,
}

impl Verified {
    /// Counts what was found of one entry.
    pub fn count(&mut self, finding: Finding) {
        match finding {
            Finding::Consistent => self.consistent += 1,
            Finding::Refused => self.refused += 1,
            Finding::Gone => self.gone += 1,
            Finding::Inconsistent(reason) => {
                self.inconsistent += 1;
                *match reason {
                    Reason::MissedOutbox => &mut self.why.missed_outbox,
                    Reason::RefusedFill => &mut self.why.refused_fill,
                    Reason::Unknown => &mut self.why.unknown,
                } += 1;
            }
        }
        self.checked = self.consistent + self.inconsistent;
    }
}
