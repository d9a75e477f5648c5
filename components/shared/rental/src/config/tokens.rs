//! What tokens are verified with.

use super::error::ConfigError;
use crate::auth::{Ages, Key, KeySet, KeySource, Policy};
use http::Uri;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::Duration;

/// The shortest HS256 secret, in bytes: a key as long as the hash (RFC 7518, section 3.2).
const MIN_SECRET_BYTES: usize = 32;
/// Bounds of the keys' ages, in seconds: a withdrawn key is refused a day later at most.
const AGE_BOUNDS: RangeInclusive<u64> = 1..=86_400;

/// Reads `jwt_secret`, `jwt_jwks` or `jwt_jwks_url`, `jwt_jwks_refresh_seconds` (240), `jwt_jwks_keep_seconds` (3600),
/// `jwt_issuer` and `jwt_audience` (`RentTracker`).
pub(super) fn parse(
    lookup: impl Fn(&'static str) -> Option<String>,
    seconds: impl Fn(&'static str, u64, RangeInclusive<u64>) -> Result<Duration, ConfigError>,
) -> Result<Policy, ConfigError> {
    let given = |name| lookup(name).filter(|value| !value.is_empty());
    let policy = Policy {
        secret: given("jwt_secret").map(secret).transpose()?,
        source: source(given("jwt_jwks"), given("jwt_jwks_url"))?,
        ages: Ages {
            refresh: seconds("jwt_jwks_refresh_seconds", 240, AGE_BOUNDS)?,
            keep: seconds("jwt_jwks_keep_seconds", 3_600, AGE_BOUNDS)?,
        },
        issuer: lookup("jwt_issuer").unwrap_or_else(|| "RentTracker".into()),
        audience: lookup("jwt_audience").unwrap_or_else(|| "RentTracker".into()),
    };
    if policy.secret.is_none() && policy.source.is_none() {
        let problem = "is not set; give it as SPIN_VARIABLE_JWT_SECRET, or a JWKS as jwt_jwks or jwt_jwks_url";
        return Err(ConfigError::new("jwt_secret", problem));
    }
    Ok(policy)
}

fn secret(text: String) -> Result<Key, ConfigError> {
    if text.len() < MIN_SECRET_BYTES {
        let problem = format!("has {} bytes; HS256 needs at least {MIN_SECRET_BYTES}", text.len());
        return Err(ConfigError::new("jwt_secret", problem));
    }
    Ok(Key::Hs256(text.into_bytes()))
}

/// The keys decide which tokens are accepted, so they come over TLS: plain HTTP is for this machine.
fn source(inline: Option<String>, url: Option<String>) -> Result<Option<KeySource>, ConfigError> {
    match (inline, url) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(ConfigError::new("jwt_jwks_url", "is set beside jwt_jwks; give one of them")),
        (Some(json), None) => {
            let keys = KeySet::parse(json.as_bytes()).map_err(|error| {
                let reasons: String = error.left_out().iter().map(|key| format!("; {key}")).collect();
                ConfigError::new("jwt_jwks", format!("{error}{reasons}"))
            })?;
            match keys.left_out().iter().find(|key| key.is_refused) {
                Some(refused) => Err(ConfigError::new("jwt_jwks", format!("has a key to leave out: {refused}"))),
                None => Ok(Some(KeySource::Inline(Rc::new(keys)))),
            }
        }
        (None, Some(url)) => {
            let uri = url.parse::<Uri>().unwrap_or_default();
            let is_local = uri.host().is_some_and(|host| ["127.0.0.1", "[::1]", "localhost"].contains(&host));
            match uri.scheme_str() {
                Some("https") => Ok(Some(KeySource::Url(url))),
                Some("http") if is_local => Ok(Some(KeySource::Url(url))),
                _ => Err(ConfigError::new("jwt_jwks_url", "must be a URL that begins with https://")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const JWKS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

    fn parsed(variables: &[(&'static str, &str)]) -> Result<Policy, ConfigError> {
        let lookup = |name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        super::parse(lookup, |_, default, _| Ok(Duration::from_secs(default)))
    }

    #[test]
    fn a_secret_or_a_set_of_keys_is_enough() {
        let both = [("jwt_secret", SECRET), ("jwt_jwks", JWKS)];
        for given in [&both[..1], &both[1..], &both] {
            let keys = parsed(given).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(keys.secret.is_some(), given.contains(&both[0]));
            assert_eq!(keys.source.is_some(), given.contains(&both[1]));
        }
        assert!(parsed(&[("jwt_secret", ""), ("jwt_jwks", ""), ("jwt_jwks_url", "")]).is_err());
    }

    #[test]
    fn keys_come_over_tls_except_from_this_machine() {
        for url in
            ["https://id.example/keys", "http://127.0.0.1:8080/keys", "http://[::1]/keys", "http://localhost/keys"]
        {
            assert!(
                matches!(parsed(&[("jwt_jwks_url", url)]).map(|keys| keys.source), Ok(Some(KeySource::Url(_)))),
                "{url}"
            );
        }
        assert!(parsed(&[("jwt_jwks_url", "https://id.example/keys"), ("jwt_jwks", JWKS)]).is_err(), "which of them?");
    }
}
