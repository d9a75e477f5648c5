//! Which Redis, and by which protocol.

use super::error::ConfigError;
use http::{HeaderValue, Uri};

/// What `redis_url` and `redis_token` say.
#[derive(Clone, PartialEq, Eq)]
pub enum RedisEndpoint {
    /// Redis's own protocol: `redis://` or `rediss://`, with user and password.
    Native(String),
    /// The REST protocol of Upstash.
    Rest {
        /// `https://host[:port]`, without a slash at its end.
        url: String,
        /// `Bearer` and the token.
        authorization: HeaderValue,
    },
}

impl RedisEndpoint {
    pub(super) fn parse(url: String, token: Option<String>) -> Result<Self, ConfigError> {
        let refused = |problem| Err(ConfigError::new("redis_url", problem));
        if ["redis://", "rediss://"].iter().any(|scheme| url.starts_with(scheme)) {
            if url.contains("#insecure") {
                return refused("must not end in #insecure, which takes any certificate");
            }
            return match token {
                None => Ok(Self::Native(url)),
                Some(_) => Err(ConfigError::new(
                    "redis_token",
                    "is for a redis_url that begins with https://; elsewhere user and password are in redis_url",
                )),
            };
        }
        let uri = url.parse::<Uri>().unwrap_or_default();
        let is_local = uri.host().is_some_and(|host| ["127.0.0.1", "[::1]", "localhost"].contains(&host));
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if is_local => {}
            Some("http") => {
                return refused("begins with http://, where anybody on the way reads the token; use https://");
            }
            _ => return refused("must begin with redis://, rediss:// or https://"),
        }
        let has_login = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        if has_login || uri.path() != "/" || uri.query().is_some() || url.contains('#') {
            return refused("must be https://host[:port] and nothing else; the token goes into redis_token");
        }
        let Some(token) = token else {
            let problem = "is not set; a redis_url that begins with https:// needs it, as SPIN_VARIABLE_REDIS_TOKEN";
            return Err(ConfigError::new("redis_token", problem));
        };
        let Ok(mut authorization) = HeaderValue::try_from(format!("Bearer {}", token.trim())) else {
            return Err(ConfigError::new("redis_token", "has characters that no token has"));
        };
        authorization.set_sensitive(true);
        Ok(Self::Rest { url: url.trim_end_matches('/').to_owned(), authorization })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str, token: &str) -> Result<RedisEndpoint, String> {
        let token = Some(token.to_owned()).filter(|token| !token.is_empty());
        RedisEndpoint::parse(url.into(), token).map_err(|error| error.to_string())
    }

    #[test]
    fn the_scheme_decides_the_protocol() {
        for url in ["redis://h", "rediss://u:p@h:6380/1"] {
            assert!(matches!(parse(url, ""), Ok(RedisEndpoint::Native(native)) if native == url), "{url}");
        }
        for (url, expected) in [
            ("https://eu1.upstash.io", "https://eu1.upstash.io"),
            ("https://eu1.upstash.io:8443/", "https://eu1.upstash.io:8443"),
            ("http://127.0.0.1:8079", "http://127.0.0.1:8079"),
            ("http://[::1]:1", "http://[::1]:1"),
        ] {
            let Ok(RedisEndpoint::Rest { url, authorization }) = parse(url, "AYNgASQ=") else {
                panic!("{url} is not taken");
            };
            assert_eq!(url, expected);
            assert_eq!(authorization, "Bearer AYNgASQ=");
            assert!(!format!("{authorization:?}").contains("AYNg"), "it is not shown by chance");
        }
    }

    #[test]
    fn a_wrong_combination_is_refused_without_showing_a_secret() {
        for (url, token, variable) in [
            ("https://h", "", "redis_token"),
            ("https://h", "a\nb", "redis_token"),
            ("redis://h", "secret", "redis_token"),
            ("rediss://h/#insecure", "", "redis_url"),
            ("http://h", "secret", "redis_url"),
            ("http://127.0.0.1.example", "secret", "redis_url"),
            ("https://secret@h", "secret", "redis_url"),
            ("https://h?_token=secret", "secret", "redis_url"),
            ("https://h/path", "secret", "redis_url"),
            ("https://h#secret", "secret", "redis_url"),
            ("https://", "secret", "redis_url"),
            ("ftp://h", "", "redis_url"),
            ("", "", "redis_url"),
        ] {
            let error = parse(url, token).err().unwrap_or_else(|| panic!("{url} is taken"));
            assert!(error.starts_with(&format!("the variable `{variable}`")), "{url}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
