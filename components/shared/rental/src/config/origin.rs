//! The backend that answers what is not ours under `/api`.

use super::error::ConfigError;
use super::origins;
use http::uri::{Authority, Scheme, Uri};
use std::time::Duration;

/// How long the origin may take by default, in milliseconds: far above what RentTracker's own answers take, and below the 30 s after
/// which the front server (`infra/deploy/one-machine/haproxy.cfg`) and Akamai Functions give up on us.
const DEFAULT_TIMEOUT_MS: u64 = 20_000;
/// Bounds of that time, in milliseconds. After ten minutes the platform gives up by itself.
const TIMEOUT_BOUNDS_MS: std::ops::RangeInclusive<u64> = 1..=600_000;

/// `origin_url` and `origin_timeout_ms`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// `http` or `https`.
    pub scheme: Scheme,
    /// `host[:port]`, which is also its `Host`.
    pub authority: Authority,
    /// How long it may take for its next step: to read a piece of the request, and then to begin its answer.
    pub timeout: Duration,
}

impl Origin {
    /// Reads the two variables; `None` when `origin_url` is empty.
    ///
    /// # Errors
    /// When one of them is wrong.
    pub fn parse(lookup: impl Fn(&'static str) -> Option<String>) -> Result<Option<Self>, ConfigError> {
        let timeout = match lookup("origin_timeout_ms") {
            None => DEFAULT_TIMEOUT_MS,
            Some(text) => text.trim().parse().ok().filter(|it| TIMEOUT_BOUNDS_MS.contains(it)).ok_or_else(|| {
                let (least, most) = (TIMEOUT_BOUNDS_MS.start(), TIMEOUT_BOUNDS_MS.end());
                let problem = format!("is {text:?}; it must be a whole number from {least} to {most}");
                ConfigError::new("origin_timeout_ms", problem)
            })?,
        };
        let url = lookup("origin_url").unwrap_or_default();
        if url.is_empty() {
            return Ok(None);
        }
        // Its value is not repeated: it is marked as a secret, as every URL is.
        let refused =
            || ConfigError::new("origin_url", "must be http(s)://host[:port], without a user, a path or a query");
        let parts = url.parse::<Uri>().map_err(|_| refused())?.into_parts();
        let scheme = parts.scheme.filter(|it| [Scheme::HTTP, Scheme::HTTPS].contains(it)).ok_or_else(refused)?;
        let authority = parts.authority.filter(|it| !it.host().is_empty() && !it.as_str().contains('@'));
        let has_path = parts.path_and_query.is_some_and(|it| it.as_str() != "/") || url.contains('#');
        let authority = authority.filter(|_| !has_path).ok_or_else(refused)?;
        Ok(Some(Self { scheme, authority, timeout: Duration::from_millis(timeout) }))
    }
}

/// What the component `origin` needs to know.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// Whom it asks; `None` when nobody answers what is not ours.
    pub origin: Option<Origin>,
    /// `cors_allowed_origins`, for answers of its own.
    pub cors_allowed_origins: Vec<String>,
}

impl Gateway {
    /// Parses the variables that `lookup` knows.
    ///
    /// # Errors
    /// When one of them is wrong.
    pub fn parse(lookup: impl Fn(&'static str) -> Option<String>) -> Result<Self, ConfigError> {
        Ok(Self {
            cors_allowed_origins: origins(lookup("cors_allowed_origins").as_deref().unwrap_or_default())?,
            origin: Origin::parse(lookup)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str, timeout: Option<&str>) -> Result<Option<Origin>, ConfigError> {
        Origin::parse(|name| match name {
            "origin_url" => Some(url.to_owned()),
            "origin_timeout_ms" => timeout.map(str::to_owned),
            _ => None,
        })
    }

    #[test]
    fn an_origin_is_a_scheme_and_an_authority() {
        for (url, scheme, authority) in [
            ("https://backend.example", "https", "backend.example"),
            ("https://backend.example/", "https", "backend.example"),
            ("http://127.0.0.1:5000", "http", "127.0.0.1:5000"),
            ("http://[::1]:5000", "http", "[::1]:5000"),
        ] {
            let origin = parse(url, None).ok().flatten().unwrap_or_else(|| panic!("{url}"));
            assert_eq!((origin.scheme.as_str(), origin.authority.as_str()), (scheme, authority), "{url}");
            assert_eq!(origin.timeout, Duration::from_secs(20));
        }
        assert_eq!(parse("", None), Ok(None));
    }

    #[test]
    fn what_is_no_origin_is_refused_and_not_repeated() {
        for url in [
            "backend.example",
            "ftp://backend.example",
            "https://",
            "https:///api",
            "https://user:password@backend.example",
            "https://backend.example/api",
            "https://backend.example?x=1",
            "https://backend.example/#x",
            "https://backend example",
        ] {
            let error = parse(url, None).err().unwrap_or_else(|| panic!("{url} was taken"));
            assert_eq!(error.variable, "origin_url");
            assert!(!error.to_string().contains("backend") && !error.to_string().contains("password"), "{error}");
        }
    }

    #[test]
    fn the_time_that_it_may_take_is_bounded_also_where_there_is_none() {
        let timeout = |text| parse("http://a", Some(text)).ok().flatten().map(|it| it.timeout.as_millis());
        assert_eq!((timeout("1"), timeout(" 600000 ")), (Some(1), Some(600_000)));
        for text in ["0", "600001", "-1", "soon", ""] {
            let error = parse("", Some(text)).err().unwrap_or_else(|| panic!("{text} was taken"));
            assert_eq!(error.variable, "origin_timeout_ms");
        }
    }
}
