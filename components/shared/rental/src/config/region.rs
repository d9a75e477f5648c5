//! One region of several: `infra/deploy/SCALING.md`.

use super::breaker_store::BreakerStore;
use super::database;
use super::error::ConfigError;
use crate::session::SessionKey;
use cache::database::START_WITHIN;
use cache::protocol::{FENCE_MS, STATEMENT_TIMEOUT_MS};
use std::ops::RangeInclusive;
use std::time::Duration;

/// The longest name, in bytes.
const MAX_NAME_BYTES: usize = 16;
const DEFAULT_STALENESS_MS: u64 = 1_000;
/// A quarter of the least is enough for a statement across an ocean. The longest ends before the fence of a write does that the log has
/// not brought yet: its standby may show what was before.
const STALENESS_BOUNDS_MS: RangeInclusive<u64> = 300..=9_000;
const _: () = assert!(
    *STALENESS_BOUNDS_MS.end() + STATEMENT_TIMEOUT_MS < FENCE_MS - START_WITHIN.as_millis() as u64,
    "a fence must outlive the bound"
);

/// The region that a component is in. All regions share `redis_instance_name`, the primary (`database_url`) and `session_key`; each
/// has a Redis and a key-value store of its own.
#[derive(Clone)]
pub struct Region {
    /// `region`: its name among the regions.
    pub name: String,
    /// `region_staleness_ms`: how long after a write was answered a read of another region may start and not see it.
    pub staleness: Duration,
    /// `database_read_url`: a hot standby of the region; `None` where reads go to the primary.
    pub read_url: Option<String>,
    /// `session_key`: what session tokens are signed with.
    pub session_key: SessionKey,
    /// `session_cookie`: whether answers set the token as a cookie too.
    pub session_cookie: bool,
}

/// Reads the variables; `None` when `region` is empty, and they are checked nevertheless.
pub(super) fn parse(
    lookup: impl Fn(&'static str) -> Option<String>,
    number: impl Fn(&'static str, u64, RangeInclusive<u64>) -> Result<u64, ConfigError>,
    boolean: impl Fn(&'static str, bool) -> Result<bool, ConfigError>,
    read_lease: Duration,
    breaker_store: BreakerStore,
) -> Result<Option<Region>, ConfigError> {
    let staleness = number("region_staleness_ms", DEFAULT_STALENESS_MS, STALENESS_BOUNDS_MS)?;
    let read_url = lookup("database_read_url").filter(|url| !url.is_empty());
    let read_url = read_url.map(|url| database::parse_read(&url)).transpose()?;
    let session_key = SessionKey::parse(&lookup("session_key").unwrap_or_default())
        .map_err(|problem| ConfigError::new("session_key", problem))?;
    let session_cookie = boolean("session_cookie", false)?;
    let name = lookup("region").unwrap_or_default();
    if name.is_empty() {
        return Ok(None);
    }
    if !is_name(&name) {
        return Err(ConfigError::new("region", format!("must be 1 to {MAX_NAME_BYTES} characters of a-z 0-9 -")));
    }
    if !read_lease.is_zero() {
        let problem =
            "must be 0 where region is set: a write would have to wait for instances of the other regions too";
        return Err(ConfigError::new("read_lease_ms", problem));
    }
    if breaker_store == BreakerStore::Database {
        let problem =
            "must be key-value where region is set: each region has a record of its own, and all share PostgreSQL";
        return Err(ConfigError::new("breaker_store", problem));
    }
    let Some(session_key) = session_key else {
        let problem = "is not set, and region is; give all regions the same, as SPIN_VARIABLE_SESSION_KEY";
        return Err(ConfigError::new("session_key", problem));
    };
    Ok(Some(Region { name, staleness: Duration::from_millis(staleness), read_url, session_key, session_cookie }))
}

fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.len() <= MAX_NAME_BYTES && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::super::tests::parse;
    use super::*;

    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn region(more: &[(&'static str, &str)]) -> Result<Option<Region>, ConfigError> {
        parse(&[more, &[("region", "eu"), ("session_key", KEY)]].concat()).map(|config| config.region)
    }

    fn taken(more: &[(&'static str, &str)]) -> Region {
        region(more).unwrap_or_else(|error| panic!("{error}")).expect("a region")
    }

    #[test]
    fn without_a_name_there_is_no_region_whatever_else_is_set() {
        for more in [&[][..], &[("region", "")], &[("session_key", KEY), ("database_read_url", "postgres://h/d")]] {
            assert!(parse(more).is_ok_and(|config| config.region.is_none()), "{more:?}");
        }
    }

    #[test]
    fn a_region_has_defaults_for_all_but_its_name_and_the_key() {
        let eu = taken(&[]);
        assert_eq!((eu.name.as_str(), eu.staleness, eu.session_cookie), ("eu", Duration::from_secs(1), false));
        assert_eq!(eu.read_url, None);
        let url = "postgres://u:p@10.0.0.7/d";
        let us = taken(&[
            ("region", "us-east-1"),
            ("region_staleness_ms", "9000"),
            ("database_read_url", url),
            ("session_cookie", "true"),
        ]);
        assert_eq!((us.name.as_str(), us.staleness, us.session_cookie), ("us-east-1", Duration::from_secs(9), true));
        let read_url = us.read_url.expect("a standby");
        assert!(read_url.starts_with(url) && read_url.contains("target_session_attrs=any"), "{read_url}");
    }

    #[test]
    fn what_does_not_go_with_a_region_is_refused_and_goes_without() {
        for (name, value) in [("read_lease_ms", "1"), ("breaker_store", "database"), ("session_key", "")] {
            let error = region(&[(name, value)]).err().unwrap_or_else(|| panic!("{name}={value} was taken"));
            assert_eq!(error.variable, name);
            assert!(parse(&[(name, value)]).is_ok(), "{name}={value}");
        }
    }

    #[test]
    fn a_bad_value_is_refused_also_where_there_is_no_region() {
        for (name, value) in [
            ("region_staleness_ms", "299"),
            ("region_staleness_ms", "9001"),
            ("region_staleness_ms", ""),
            ("session_cookie", "yes"),
            ("session_key", "AAECAwQFBgcICQoLDA0ODw=="),
            ("database_read_url", "mysql://h/d"),
            ("database_read_url", "postgres://secret@a,b/d"),
            ("database_read_url", "postgres://h/d?target_session_attrs=read-write"),
            ("database_read_url", "postgres://h/d?options=-c%20statement_timeout%3D0"),
        ] {
            for error in [region(&[(name, value)]).err(), parse(&[(name, value)]).err()] {
                let error = error.unwrap_or_else(|| panic!("{name}={value} was taken"));
                assert_eq!(error.variable, name);
                assert!(!error.to_string().contains("secret"), "{error}");
            }
        }
        for name in ["EU", "eu west", "eu_west", "ü", "eu~", "a-name-of-17-char"] {
            assert_eq!(region(&[("region", name)]).err().map(|error| error.variable), Some("region"), "{name}");
        }
        assert_eq!(taken(&[("region", "a-name-of-16-cha")]).name.len(), MAX_NAME_BYTES);
    }
}
