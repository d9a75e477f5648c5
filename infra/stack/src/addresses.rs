//! From connection URLs to the variables that `spin.toml` requires.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use url::Url;

/// Below `database_timeout_ms` (2000), so that PostgreSQL gives up before the component does, and no statement commits
/// long after its client was answered without it.
const STATEMENT_TIMEOUT_MS: u32 = 1_500;
/// PostgreSQL's clients count it in whole seconds; the component's own deadline is shorter still.
const CONNECT_TIMEOUT_SECONDS: u32 = 2;

/// `scheme://host:port` of a Redis URL, or of Upstash's REST protocol.
pub fn redis_address(url: &str) -> Result<String> {
    address(url, &[("redis", "redis", 6379), ("rediss", "rediss", 6379), ("https", "https", 443), ("http", "http", 80)])
}

/// `scheme://host:port` of a PostgreSQL URL. Always `postgres://`: Spin checks the allow-list with that scheme,
/// whichever spelling the URL has.
pub fn database_address(url: &str) -> Result<String> {
    address(url, &[("postgres", "postgres", 5432), ("postgresql", "postgres", 5432)])
}

/// What Spin's allow-list takes for `url`: no user, no password, no path. `schemes` are those that the URL may have,
/// each with the one in the answer and the default port.
pub fn address(url: &str, schemes: &[(&str, &str, u16)]) -> Result<String> {
    let parsed = Url::parse(url).context("this is no URL")?;
    let known = schemes.iter().find(|(scheme, ..)| *scheme == parsed.scheme());
    let names: Vec<String> = schemes.iter().map(|(scheme, ..)| format!("{scheme}://")).collect();
    let (_, scheme, default_port) = known.with_context(|| format!("a URL with {} is needed", names.join(" or ")))?;
    let host = parsed.host_str().unwrap_or_default();
    // Two hosts in one PostgreSQL URL would need two entries in the allow-list, and get one that matches neither.
    ensure!(!host.is_empty() && !host.contains([',', '%']), "the URL must name exactly one host");
    Ok(format!("{scheme}://{host}:{}", parsed.port().unwrap_or(*default_port)))
}

/// The variables that `spin.toml` requires, from the URLs. The database's URL gets timeouts unless it has its own.
///
/// An ill-formed URL gives an empty address, with which the host refuses every connection: check it with
/// [`redis_address`] and [`database_address`] first where a person typed it.
pub fn variables(redis_url: &str, database_url: &str, jwt_secret: &str) -> BTreeMap<String, String> {
    [
        ("redis_url", redis_url.to_owned()),
        ("redis_address", redis_address(redis_url).unwrap_or_default()),
        ("database_url", with_timeouts(database_url)),
        ("database_address", database_address(database_url).unwrap_or_default()),
        ("jwt_secret", jwt_secret.to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// Percent-encoded by hand: form encoding would write the space as `+`, which neither libpq nor tokio-postgres decodes.
fn with_timeouts(url: &str) -> String {
    let mut url = url.to_owned();
    let mut add = |name: &str, value: String| {
        let query = url.split_once('?').map(|(_, query)| query.to_owned());
        if query.as_deref().unwrap_or_default().split('&').any(|pair| pair.split('=').next() == Some(name)) {
            return;
        }
        url.push_str(if query.is_some() { "&" } else { "?" });
        url.push_str(&format!("{name}={value}"));
    };
    add("options", format!("-c%20statement_timeout%3D{STATEMENT_TIMEOUT_MS}"));
    add("connect_timeout", CONNECT_TIMEOUT_SECONDS.to_string());
    url
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn addresses_carry_no_secret_and_no_path() {
        let check = |input: &str, expected: &str| assert_eq!(redis_address(input).expect(input), expected);
        check("redis://127.0.0.1:6380", "redis://127.0.0.1:6380");
        check("redis://user:pa55@cache.example/3", "redis://cache.example:6379");
        check("rediss://:pa55@cache.example:7000", "rediss://cache.example:7000");
        check("redis://[::1]:6380/0", "redis://[::1]:6380");
        check("https://eu1.upstash.io", "https://eu1.upstash.io:443");

        let check = |input: &str, expected: &str| assert_eq!(database_address(input).expect(input), expected);
        check("postgres://u:p@127.0.0.1:5433/db?sslmode=disable", "postgres://127.0.0.1:5433");
        check("postgresql://u:p%40x@db.example/db", "postgres://db.example:5432");
    }

    #[test]
    fn what_is_no_single_address_is_refused() {
        for url in ["", "127.0.0.1:6379", "http://127.0.0.1", "postgres:///db", "postgres://a,b/db"] {
            assert!(database_address(url).is_err(), "{url}");
        }
        assert!(redis_address("postgres://127.0.0.1").is_err());
    }

    #[test]
    fn the_database_url_gets_timeouts_that_the_client_library_of_spin_understands() {
        let url = with_timeouts("postgres://u:p@127.0.0.1:5433/db");
        let config: postgres::Config = url.parse().expect("parsed");
        assert_eq!(config.get_options(), Some("-c statement_timeout=1500"));
        assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(2)));
        assert_eq!(config.get_dbname(), Some("db"));
    }

    #[test]
    fn options_already_in_the_url_are_kept() {
        let own = "postgres://h/db?options=-c%20work_mem%3D1MB&connect_timeout=9&sslmode=require";
        assert_eq!(with_timeouts(own), own);
        assert_eq!(
            with_timeouts("postgres://h/db?sslmode=require"),
            "postgres://h/db?sslmode=require&options=-c%20statement_timeout%3D1500&connect_timeout=2"
        );
    }

    #[test]
    fn every_required_variable_of_the_manifest_is_given() {
        let manifest = std::fs::read_to_string(crate::repository_root().join("spin.toml")).expect("spin.toml");
        let required: Vec<&str> = manifest
            .lines()
            .filter(|line| line.contains("required = true"))
            .filter_map(|line| Some(line.split_once('=')?.0.trim()))
            .collect();
        let given = variables("redis://127.0.0.1:1", "postgres://127.0.0.1:2/db", "secret");
        assert!(!required.is_empty());
        for name in required {
            assert!(given.get(name).is_some_and(|value| !value.is_empty()), "{name}");
        }
    }
}
