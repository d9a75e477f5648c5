//! The configuration: Spin variables, parsed once, refused with a sentence that says how to mend them.

mod breaker_store;
mod database;
mod error;
mod origin;
mod redis;
mod region;
mod tokens;

pub use breaker_store::BreakerStore;
pub use error::ConfigError;
pub use origin::{Gateway, Origin};
pub use redis::RedisEndpoint;
pub use region::Region;

use crate::auth::Policy;
use crate::rate_limit::RateLimit;
use cache::protocol::{LONGEST_DEADLINE_MS, STATEMENT_TIMEOUT_MS};
use cache::read_lease::MAX_READ_LEASE_MS;
use cache::{Namespace, Seals};
use std::time::Duration;

/// The longest time to live of an entry. With the jitter of ±10 % it stays below the contract's 900 s.
const MAX_TTL_MINUTES: u64 = 13;
/// Bounds of every deadline, in milliseconds: above the longest the platform lets a request wait makes no sense.
const DEADLINE_BOUNDS_MS: std::ops::RangeInclusive<u64> = 1..=LONGEST_DEADLINE_MS;

/// What the keys that seal entries are derived for. A tenant id has no NUL.
pub(crate) const SEAL_PURPOSE: &[u8] = b"renttracker-edge cache entry 1\0";

/// What every component needs to know, each field named by its variable.
#[derive(Clone)]
pub struct Config {
    /// `redis_url` and `redis_token`: `redis://[user:password@]host:port[/db]` (or `rediss://`), or `https://host` of
    /// Upstash's REST protocol and its token.
    pub redis: RedisEndpoint,
    /// `redis_instance_name` (`RentTracker_`): what every key in Redis begins with; with `redis_hash_tags` (false) in braces.
    pub namespace: Namespace,
    /// `redis_default_timeout_minutes` (10): how long an entry lives, before jitter.
    pub ttl: Duration,
    /// `redis_timeout_ms` (50): how long a request waits for Redis, in all; anew when Redis says that another is filling the value.
    pub redis_timeout: Duration,
    /// `redis_connect_timeout_ms` (100): how long opening a connection to Redis may take.
    pub redis_connect_timeout: Duration,
    /// `database_url`: `postgres://user:password@host:port/database`. [`STATEMENT_TIMEOUT_MS`] is added as an option, and that
    /// the server must take writes.
    pub database_url: String,
    /// `database_timeout_ms` (2000): how long a request waits for one statement, its connection included.
    pub database_timeout: Duration,
    /// `jwt_secret` (at least 32 bytes), `jwt_jwks` or `jwt_jwks_url`, `jwt_jwks_refresh_seconds` (240),
    /// `jwt_jwks_keep_seconds` (3600), `jwt_issuer` and `jwt_audience` (`RentTracker`): what tokens are held to.
    pub auth: Policy,
    /// `cors_allowed_origins`: origins of web clients, separated by commas.
    pub cors_allowed_origins: Vec<String>,
    /// `require_if_match` (false): whether a PUT or DELETE must name the version that it replaces.
    pub require_if_match: bool,
    /// `breaker_threshold` (3): consecutive failures of Redis that open the breaker.
    pub breaker_threshold: u32,
    /// `breaker_reset_seconds` (60): how long the breaker stays open before a probe.
    pub breaker_reset: Duration,
    /// `breaker_max_reset_seconds` (300): the longest that failed probes make it stay open before the next.
    pub breaker_max_reset: Duration,
    /// `breaker_lease_ms` (500): how long an instance may act on what it last read of the breaker.
    pub breaker_lease: Duration,
    /// `read_lease_ms` (0: never): how long writes wait so that instances may answer again from what they got from Redis.
    pub read_lease: Duration,
    /// `breaker_store` (`key-value`): where the breaker's record is.
    pub breaker_store: BreakerStore,
    /// `key_value_timeout_ms` (100): how long reading the breaker's record may take, wherever it is.
    pub key_value_timeout: Duration,
    /// `database_concurrency` (8): how many reads an instance has under way in PostgreSQL at a time.
    pub database_concurrency: usize,
    /// `database_queue_ms` (500): how long a read beyond that waits for its turn before it is refused.
    pub database_queue: Duration,
    /// `tenant_requests_per_second` (0) and `tenant_burst` (20): what each tenant may send to an instance. `None` for no
    /// limit.
    pub tenant_rate_limit: Option<RateLimit>,
    /// `cache_seal_key`: what entries of the cache are sealed with; when it is empty they carry a checksum alone.
    pub seals: Option<Seals>,
    /// `alert_webhook_url`: where changes of the breaker are POSTed. `None` when it is empty.
    pub alert_webhook_url: Option<String>,
    /// `origin_url` and `origin_timeout_ms` (20000): who answers what is not ours under `/api`. `None` when the URL is empty.
    pub origin: Option<Origin>,
    /// `region`, `region_staleness_ms` (1000), `database_read_url`, `session_key` and `session_cookie` (false): one region of
    /// several. `None` when there is one alone.
    pub region: Option<Region>,
}

impl Config {
    /// `database_url` for a server that need not take writes.
    pub fn any_database_url(&self) -> String {
        database::for_any_server(&self.database_url)
    }

    /// `database_url` with another `application_name`, so that a host which pools by connection string keeps a separate pool.
    pub fn database_url_of_writes(&self) -> String {
        database::for_writes(&self.database_url)
    }

    /// The longest that a statement may be under way: what the component waits for it, its connection included, and what
    /// PostgreSQL may still work on it when the component has just sent it.
    pub fn longest_statement(&self) -> Duration {
        self.database_timeout + Duration::from_millis(STATEMENT_TIMEOUT_MS)
    }
}

impl Config {
    /// Parses the variables that `lookup` knows. `spin.toml` grants each component those that it uses; what is not granted keeps
    /// its default.
    pub fn parse(lookup: impl Fn(&'static str) -> Option<String>) -> Result<Self, ConfigError> {
        let required = |name| {
            lookup(name).filter(|value| !value.is_empty()).ok_or_else(|| {
                ConfigError::new(name, format!("is not set; give it as SPIN_VARIABLE_{}", name.to_uppercase()))
            })
        };
        let number = |name, default: u64, bounds: std::ops::RangeInclusive<u64>| match lookup(name) {
            None => Ok(default),
            Some(text) => text.trim().parse().ok().filter(|value| bounds.contains(value)).ok_or_else(|| {
                ConfigError::new(
                    name,
                    format!("is {text:?}; it must be a whole number from {} to {}", bounds.start(), bounds.end()),
                )
            }),
        };
        let milliseconds = |name, default| number(name, default, DEADLINE_BOUNDS_MS).map(Duration::from_millis);
        let seconds = |name, default, bounds| number(name, default, bounds).map(Duration::from_secs);

        let boolean = |name, default| match lookup(name).as_deref().map(str::trim) {
            None => Ok(default),
            Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(ConfigError::new(name, "must be true or false")),
        };

        let token = lookup("redis_token").filter(|token| !token.is_empty());
        let redis = RedisEndpoint::parse(required("redis_url")?, token)?;
        let instance = lookup("redis_instance_name").unwrap_or_else(|| "RentTracker_".into());
        let namespace = Namespace::parse(&instance).ok_or_else(|| {
            ConfigError::new("redis_instance_name", "must be 1 to 64 characters of A-Z a-z 0-9 _ - .")
        })?;
        let namespace = if boolean("redis_hash_tags", false)? { namespace.with_hash_tag() } else { namespace };
        let read_lease = Duration::from_millis(number("read_lease_ms", 0, 0..=MAX_READ_LEASE_MS)?);
        let breaker_store = breaker_store::parse(lookup("breaker_store"))?;
        let minutes = number("redis_default_timeout_minutes", 10, 1..=MAX_TTL_MINUTES)?;
        let count =
            |name, default, bounds| number(name, default, bounds).map(|it| u32::try_from(it).unwrap_or(u32::MAX));
        Ok(Self {
            redis,
            namespace,
            ttl: Duration::from_secs(minutes * 60),
            redis_timeout: milliseconds("redis_timeout_ms", 50)?,
            redis_connect_timeout: milliseconds("redis_connect_timeout_ms", 100)?,
            database_url: database::parse(&required("database_url")?)?,
            database_timeout: milliseconds("database_timeout_ms", 2_000)?,
            auth: tokens::parse(&lookup, seconds)?,
            cors_allowed_origins: origins(lookup("cors_allowed_origins").as_deref().unwrap_or_default())?,
            require_if_match: boolean("require_if_match", false)?,
            breaker_threshold: count("breaker_threshold", 3, 1..=1_000)?,
            breaker_reset: seconds("breaker_reset_seconds", 60, 1..=3_600)?,
            breaker_max_reset: seconds("breaker_max_reset_seconds", 300, 1..=3_600)?,
            breaker_lease: milliseconds("breaker_lease_ms", 500)?,
            read_lease,
            breaker_store,
            // A hundred times what a read takes on SQLite.
            key_value_timeout: milliseconds("key_value_timeout_ms", 100)?,
            // An instance serves 16 requests at a time. Half of them may be in PostgreSQL, whose connections all instances
            // of a host share (64).
            database_concurrency: usize::try_from(number("database_concurrency", 8, 1..=64)?).unwrap_or(usize::MAX),
            database_queue: milliseconds("database_queue_ms", 500)?,
            tenant_rate_limit: RateLimit::new(
                count("tenant_requests_per_second", 0, 0..=100_000)?,
                count("tenant_burst", 20, 1..=100_000)?,
            ),
            seals: Seals::parse(&lookup("cache_seal_key").unwrap_or_default(), SEAL_PURPOSE)
                .map_err(|problem| ConfigError::new("cache_seal_key", problem))?,
            alert_webhook_url: webhook_url(lookup("alert_webhook_url").unwrap_or_default())?,
            origin: Origin::parse(&lookup)?,
            region: region::parse(&lookup, number, boolean, read_lease, breaker_store)?,
        })
    }
}

/// Reads `alert_webhook_url`; `None` when it is empty.
fn webhook_url(url: String) -> Result<Option<String>, ConfigError> {
    if url.is_empty() {
        return Ok(None);
    }
    if ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme)) {
        return Ok(Some(url));
    }
    Err(ConfigError::new("alert_webhook_url", "must begin with https:// or http://"))
}

/// Splits the origins; an origin is `scheme://host[:port]` (RFC 6454), and `*` cannot go with credentials.
fn origins(text: &str) -> Result<Vec<String>, ConfigError> {
    text.split(',')
        .map(str::trim)
        .filter(|origin| !origin.is_empty())
        .map(|origin| {
            let valid = origin.split_once("://").is_some_and(|(scheme, host)| {
                ["http", "https"].contains(&scheme) && !host.is_empty() && !host.contains(['/', '*', ' '])
            });
            valid.then(|| origin.to_owned()).ok_or_else(|| {
                ConfigError::new(
                    "cors_allowed_origins",
                    format!("has {origin:?}; each origin is http(s)://host[:port], without a path or a wildcard"),
                )
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    pub(super) fn parse(overrides: &[(&'static str, &str)]) -> Result<Config, ConfigError> {
        Config::parse(|name| {
            let base = match name {
                "redis_url" => Some("redis://127.0.0.1:6379"),
                "database_url" => Some("postgres://u:p@127.0.0.1:5432/d"),
                "jwt_secret" => Some(SECRET),
                _ => None,
            };
            let value = overrides.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
            value.or(base).map(str::to_owned)
        })
    }

    #[test]
    fn the_defaults_are_those_of_the_contract() {
        let config = parse(&[]).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(config.ttl, Duration::from_secs(600));
        assert_eq!(config.redis_timeout, Duration::from_millis(50));
        assert!(!config.require_if_match);
        assert_eq!(config.read_lease, Duration::ZERO);
        assert_eq!(config.breaker_store, BreakerStore::KeyValue);
        assert_eq!(config.auth.issuer, "RentTracker");
    }

    #[test]
    fn a_bad_value_is_refused_with_a_sentence_that_names_it() {
        for (name, value) in [
            ("redis_url", "http://x"),
            ("redis_url", ""),
            ("redis_url", "rediss://cache.example:6379/#insecure"),
            ("redis_instance_name", "a:b"),
            ("redis_instance_name", ""),
            ("redis_hash_tags", "yes"),
            ("redis_default_timeout_minutes", "0"),
            ("redis_default_timeout_minutes", "14"),
            ("redis_default_timeout_minutes", "ten"),
            ("redis_timeout_ms", "-1"),
            ("read_lease_ms", "51"),
            ("database_url", "mysql://x"),
            ("database_url", "postgres://db.example/d?sslmode=verify-full"),
            ("jwt_secret", "short"),
            ("jwt_secret", ""),
            ("jwt_jwks", "{}"),
            ("jwt_jwks", r#"{"keys":[{"kty":"oct","k":"x"}]}"#),
            ("jwt_jwks_url", "http://id.example/keys"),
            ("jwt_jwks_url", "http://127.0.0.1.example/keys"),
            ("jwt_jwks_url", "id.example/keys"),
            ("jwt_jwks_refresh_seconds", "0"),
            ("tenant_requests_per_second", "-1"),
            ("tenant_burst", "0"),
            ("cors_allowed_origins", "*"),
            ("cors_allowed_origins", "http://a.example/path"),
            ("require_if_match", "yes"),
            ("breaker_threshold", "0"),
            ("breaker_store", "redis"),
            ("breaker_store", ""),
            ("key_value_timeout_ms", "0"),
            ("database_concurrency", "65"),
            ("database_queue_ms", "x"),
            ("cache_seal_key", "AAECAwQFBgcICQoLDA0ODw=="),
            ("alert_webhook_url", "ftp://x"),
            ("origin_url", "https://a.example/path"),
            ("origin_timeout_ms", "0"),
        ] {
            let error = parse(&[(name, value)]).err().unwrap_or_else(|| panic!("{name}={value} was taken"));
            assert_eq!(error.variable, name);
            assert!(!error.to_string().contains(SECRET));
        }
    }

    #[test]
    fn the_longest_jittered_time_to_live_is_below_900_seconds() {
        const { assert!(MAX_TTL_MINUTES * 60 * 110 / 100 < 900) };
    }

    #[test]
    fn a_write_without_a_fence_does_not_hold_the_breaker_open_for_longer_than_a_reset() {
        let config = parse(&[]).unwrap_or_else(|error| panic!("{error}"));
        assert!(config.breaker_lease + config.longest_statement() < config.breaker_reset / 2);
    }

    #[test]
    fn a_fence_outlives_every_statement() {
        use cache::protocol::FENCE_MS;
        assert!(FENCE_MS > STATEMENT_TIMEOUT_MS + DEADLINE_BOUNDS_MS.end());
        const { assert!(FENCE_MS < 900_000) };
    }

    #[test]
    fn the_schema_knows_the_limit_of_the_components() {
        let migration = include_str!("../../../../../infra/migrations/0011_writes_in_progress.sql");
        assert!(migration.contains(&format!("interval '{STATEMENT_TIMEOUT_MS} ms'")));
        assert!(migration.contains(&format!("'lock_timeout', '{STATEMENT_TIMEOUT_MS}'")));
    }
}
