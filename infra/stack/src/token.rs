//! Tokens for development and tests, as RentTracker issues them: HS256 with a shared secret.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

/// Who issues the tokens: the default of `jwt_issuer` in `spin.toml`.
pub const ISSUER: &str = "RentTracker";
/// For whom they are: the default of `jwt_audience` in `spin.toml`.
pub const AUDIENCE: &str = "RentTracker";

/// RFC 7518 asks for a key at least as long as the hash: 256 bits.
const SECRET_BYTES: usize = 32;

/// The content of a token.
pub struct TokenRequest<'a> {
    /// The shared secret; its bytes are the key as they stand.
    pub secret: &'a str,
    /// The claim `iss`.
    pub issuer: &'a str,
    /// The claim `aud`.
    pub audience: &'a str,
    /// The landlord, in the claim `sub`. Not checked: a test may want an ill-formed one.
    pub tenant: &'a str,
    /// The claim `role`, left out when `None`.
    pub role: Option<&'a str>,
    /// From now to `exp`; negative for a token that has expired already.
    pub ttl_seconds: i64,
}

/// Signs a token.
pub fn token(request: &TokenRequest) -> Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock stands before 1970")?;
    token_at(request, i64::try_from(now.as_secs())?)
}

fn token_at(request: &TokenRequest, now: i64) -> Result<String> {
    let mut claims = json!({
        "sub": request.tenant,
        "iss": request.issuer,
        "aud": request.audience,
        "iat": now,
        "nbf": now,
        "exp": now.saturating_add(request.ttl_seconds),
    });
    if let Some(role) = request.role {
        claims["role"] = role.into();
    }
    let header = json!({"alg": "HS256", "typ": "JWT"});
    let encode = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(&header), encode(&claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(request.secret.as_bytes()).context("the secret is no HMAC key")?;
    mac.update(signed.as_bytes());
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())))
}

/// A new secret from the operating system's randomness, as base64url text.
pub fn random_secret() -> Result<String> {
    let mut bytes = [0_u8; SECRET_BYTES];
    getrandom::fill(&mut bytes).context("the operating system gives no randomness")?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(role: Option<&str>) -> TokenRequest<'_> {
        TokenRequest { secret: "s3cret", issuer: ISSUER, audience: AUDIENCE, tenant: "alice", role, ttl_seconds: 60 }
    }

    fn claims(token: &str) -> serde_json::Value {
        let payload = token.split('.').nth(1).expect("three parts");
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).expect("base64url")).expect("JSON")
    }

    #[test]
    fn a_token_carries_the_tenant_the_role_and_its_times() {
        let token = token_at(&request(Some("Admin")), 1_000).expect("signed");
        let expected = json!({
            "sub": "alice", "iss": "RentTracker", "aud": "RentTracker", "iat": 1000, "nbf": 1000, "exp": 1060,
            "role": "Admin",
        });
        assert_eq!(claims(&token), expected);
    }

    #[test]
    fn without_a_role_the_claim_is_absent() {
        let token = token_at(&request(None), 1_000).expect("signed");
        assert!(claims(&token).get("role").is_none());
    }

    #[test]
    fn the_signature_is_hmac_sha256_as_in_rfc_7515_appendix_a1() {
        // The key and message of the RFC's example, through the same primitives.
        let key = URL_SAFE_NO_PAD
            .decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
            .expect("base64url");
        let message = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
            eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("any length is a key");
        mac.update(message.as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
        assert_eq!(signature, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    }

    #[test]
    fn two_secrets_differ_and_are_long_enough() {
        let (one, two) = (random_secret().expect("random"), random_secret().expect("random"));
        assert_ne!(one, two);
        assert!(one.len() >= 43);
    }
}
