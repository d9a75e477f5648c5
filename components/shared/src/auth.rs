//! Bearer tokens: JSON Web Tokens (RFC 7519) signed with HS256 (RFC 7515, RFC 7518).

use crate::config::Config;
use crate::domain::TenantId;
use crate::error::Error;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde_json::{Map, Value};
use sha2::Sha256;

/// How far the clocks of issuer and edge may differ, in seconds.
const CLOCK_SKEW_SECONDS: f64 = 60.0;
/// The longest token that is looked at, in bytes. RentTracker's are below 1 KB.
const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// Where the tenant is read from: the first claim that is present counts.
const TENANT_CLAIMS: [&str; 4] =
    ["tenant_id", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier", "nameid", "sub"];
/// Where the roles are read from.
const ROLE_CLAIMS: [&str; 2] = ["role", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"];

const NO_TENANT: Error = Error::Forbidden("The token does not name a tenant.");

/// Who is asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The landlord whose data the request may touch.
    pub tenant: TenantId,
    /// Whether the token carries the role `Admin`.
    pub is_admin: bool,
}

impl Caller {
    /// Passes only an administrator.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub fn must_be_admin(&self) -> Result<(), Error> {
        if self.is_admin { Ok(()) } else { Err(Error::Forbidden("This needs the role Admin.")) }
    }
}

/// Verifies the value of an `Authorization` header at `now` (Unix time in seconds).
///
/// # Errors
/// [`Error::Unauthenticated`] for a token that is missing, malformed, expired, not for us or not rightly signed;
/// [`Error::Forbidden`] for a valid one that names no tenant.
pub fn authenticate(authorization: Option<&[u8]>, config: &Config, now: u64) -> Result<Caller, Error> {
    let header = authorization.ok_or(Error::Unauthenticated("there is none"))?;
    let token = bearer(header).ok_or(Error::Unauthenticated("not a bearer token"))?;
    let claims = verify(token, &config.jwt_secret)?;
    check_times(&claims, now)?;
    if claims.get("iss").and_then(Value::as_str) != Some(config.jwt_issuer.as_str()) {
        return Err(Error::Unauthenticated("another issuer"));
    }
    let ours = |value: &Value| value.as_str() == Some(config.jwt_audience.as_str());
    let for_us = match claims.get("aud") {
        Some(Value::Array(audiences)) => audiences.iter().any(ours),
        Some(audience) => ours(audience),
        None => false,
    };
    if !for_us {
        return Err(Error::Unauthenticated("another audience"));
    }
    let tenant = TENANT_CLAIMS
        .iter()
        .find_map(|name| claims.get(*name))
        .and_then(Value::as_str)
        .and_then(TenantId::parse)
        .ok_or(NO_TENANT)?;
    let is_admin = ROLE_CLAIMS.iter().filter_map(|name| claims.get(*name)).any(|role| match role {
        Value::Array(roles) => roles.iter().any(|role| role.as_str() == Some("Admin")),
        role => role.as_str() == Some("Admin"),
    });
    Ok(Caller { tenant, is_admin })
}

/// The token of `Bearer <token>`; the scheme's case does not matter (RFC 9110, section 11.1).
fn bearer(header: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(header).ok()?;
    let (scheme, token) = text.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("Bearer") && token.len() <= MAX_TOKEN_BYTES).then_some(token.trim_matches(' '))
}

/// Checks the form and the signature, the latter in constant time, and answers the claims.
fn verify(token: &str, secret: &[u8]) -> Result<Map<String, Value>, Error> {
    const MALFORMED: Error = Error::Unauthenticated("malformed");
    let (signed, signature) = token.rsplit_once('.').ok_or(MALFORMED)?;
    let (header, payload) = signed.split_once('.').ok_or(MALFORMED)?;
    if payload.contains('.') {
        return Err(MALFORMED);
    }
    let header = object(header).ok_or(MALFORMED)?;
    // The key decides the algorithm, not the token: whatever else it claims is refused before any signature is checked.
    if header.get("alg").and_then(Value::as_str) != Some("HS256") {
        return Err(Error::Unauthenticated("an algorithm that the key is not for"));
    }
    if header.contains_key("crit") {
        return Err(Error::Unauthenticated("a critical extension that is not understood"));
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| MALFORMED)?;
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret).map_err(|_| Error::Internal("the secret is no HMAC key".into()))?;
    mac.update(signed.as_bytes());
    mac.verify_slice(&signature).map_err(|_| Error::Unauthenticated("a wrong signature"))?;
    object(payload).ok_or(MALFORMED)
}

fn object(part: &str) -> Option<Map<String, Value>> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// `exp` must be there and ahead, `nbf` and `iat` must not be ahead (RFC 7519, section 4.1), give or take the skew.
fn check_times(claims: &Map<String, Value>, now: u64) -> Result<(), Error> {
    // A NumericDate may have a fraction. Unix seconds are exact in a double for the next 200 million years.
    #[expect(clippy::cast_precision_loss, reason = "see above")]
    let now = now as f64;
    let date = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or(Error::Unauthenticated("a date that is no number")),
    };
    let expires = date("exp")?.ok_or(Error::Unauthenticated("no expiry"))?;
    if expires + CLOCK_SKEW_SECONDS <= now {
        return Err(Error::Unauthenticated("expired"));
    }
    for name in ["nbf", "iat"] {
        if date(name)?.is_some_and(|date| date - CLOCK_SKEW_SECONDS > now) {
            return Err(Error::Unauthenticated("not valid yet"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const NOW: u64 = 1_700_000_000;

    fn config() -> Config {
        Config::parse(|name| match name {
            "redis_url" => Some("redis://127.0.0.1:6379".into()),
            "database_url" => Some("postgres://u:p@127.0.0.1:5432/d".into()),
            "jwt_secret" => Some(SECRET.into()),
            _ => None,
        })
        .unwrap_or_else(|error| panic!("{error}"))
    }

    fn sign(header: &str, payload: &str, secret: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key");
        mac.update(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }

    fn caller(header: &str, payload: &str) -> Result<Caller, Error> {
        let token = format!("Bearer {}", sign(header, payload, SECRET));
        authenticate(Some(token.as_bytes()), &config(), NOW)
    }

    fn claims(rest: &str) -> String {
        format!(r#"{{"iss":"RentTracker","aud":"RentTracker","exp":{}{rest}}}"#, NOW + 10)
    }

    fn tenant(rest: &str) -> Result<String, Error> {
        caller(r#"{"alg":"HS256","typ":"JWT"}"#, &claims(rest)).map(|caller| caller.tenant.to_string())
    }

    #[test]
    fn the_example_of_rfc_7515_verifies_with_its_key() {
        let key = URL_SAFE_NO_PAD
            .decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
            .expect("base64");
        let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let claims = verify(token, &key).expect("the RFC's own token");
        assert_eq!(claims.get("iss").and_then(Value::as_str), Some("joe"));
        assert!(verify(token, b"another key").is_err());
    }

    #[test]
    fn the_tenant_is_the_first_present_of_its_claims() {
        assert_eq!(tenant(r#","sub":"d","nameid":"c""#), Ok("c".into()));
        assert_eq!(tenant(r#","sub":"d","tenant_id":"a""#), Ok("a".into()));
        assert_eq!(tenant(r#","sub":"d""#), Ok("d".into()));
        for bad in [
            r#","tenant_id":"","sub":"d""#,
            r#","tenant_id":5,"sub":"d""#,
            r#","tenant_id":null,"sub":"d""#,
            r#","sub":"a:b""#,
            "",
        ] {
            assert_eq!(tenant(bad), Err(NO_TENANT), "{bad}");
        }
    }

    #[test]
    fn only_hs256_without_critical_extensions_is_accepted() {
        let ok = claims(r#","sub":"a""#);
        assert!(caller(r#"{"alg":"HS256"}"#, &ok).is_ok());
        for header in [
            r#"{"alg":"none"}"#,
            r#"{"alg":"HS384"}"#,
            r#"{"alg":"hs256"}"#,
            r#"{}"#,
            r#"{"alg":"HS256","crit":["exp"]}"#,
            "[]",
        ] {
            assert!(matches!(caller(header, &ok), Err(Error::Unauthenticated(_))), "{header}");
        }
    }

    #[test]
    fn times_count_with_a_minute_of_skew() {
        let at = |times: &str| {
            caller(
                r#"{"alg":"HS256"}"#,
                &format!(r#"{{"iss":"RentTracker","aud":["x","RentTracker"],"sub":"a"{times}}}"#),
            )
        };
        assert!(at(&format!(r#","exp":{}"#, NOW - 59)).is_ok());
        assert!(at(&format!(r#","exp":{}"#, NOW - 60)).is_err());
        assert!(at(&format!(r#","exp":{}.5,"nbf":{}"#, NOW, NOW + 60)).is_ok());
        assert!(at(&format!(r#","exp":{},"nbf":{}"#, NOW + 99, NOW + 61)).is_err());
        assert!(at(&format!(r#","exp":{},"iat":{}"#, NOW + 99, NOW + 61)).is_err());
        assert!(at("").is_err());
        assert!(at(r#","exp":"soon""#).is_err());
    }

    #[test]
    fn another_issuer_audience_or_secret_is_refused() {
        let header = r#"{"alg":"HS256"}"#;
        assert!(caller(header, &claims(r#","sub":"a""#).replace(r#""iss":"RentTracker""#, r#""iss":"X""#)).is_err());
        assert!(caller(header, &claims(r#","sub":"a""#).replace(r#""aud":"RentTracker""#, r#""aud":"X""#)).is_err());
        let forged = format!("Bearer {}", sign(header, &claims(r#","sub":"a""#), "another secret of 32 bytes or so"));
        assert!(authenticate(Some(forged.as_bytes()), &config(), NOW).is_err());
    }

    #[test]
    fn the_role_is_a_text_or_a_list() {
        let admin =
            |rest: &str| caller(r#"{"alg":"HS256"}"#, &claims(&format!(r#","sub":"a"{rest}"#))).map(|c| c.is_admin);
        assert_eq!(admin(r#","role":"Admin""#), Ok(true));
        assert_eq!(admin(r#","role":["User","Admin"]"#), Ok(true));
        assert_eq!(admin(r#","http://schemas.microsoft.com/ws/2008/06/identity/claims/role":"Admin""#), Ok(true));
        assert_eq!(admin(r#","role":"admin""#), Ok(false));
        assert_eq!(admin(""), Ok(false));
    }

    #[test]
    fn what_is_no_bearer_token_is_refused() {
        for bad in ["", "Bearer", "Bearer ", "Basic abc", "Bearer a.b", "Bearer a.b.c.d", "Bearer ...", "Bearer ä.b.c"]
        {
            assert!(
                matches!(authenticate(Some(bad.as_bytes()), &config(), NOW), Err(Error::Unauthenticated(_))),
                "{bad}"
            );
        }
        assert!(authenticate(None, &config(), NOW).is_err());
        assert!(authenticate(Some(&[0xff]), &config(), NOW).is_err());
    }
}
