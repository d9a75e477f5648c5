//! Tokens of every kind, right and wrong.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Sha256, Sha384, Sha512};
use std::time::SystemTime;

/// The claims that RentTracker would sign for `tenant` now.
pub fn claims(tenant: &str) -> Value {
    let now = now();
    json!({ "sub": tenant, "iss": stack::ISSUER, "aud": stack::AUDIENCE, "iat": now, "nbf": now, "exp": now + 3600 })
}

/// Seconds since 1970.
pub fn now() -> i64 {
    let since = SystemTime::UNIX_EPOCH.elapsed().expect("the clock stands after 1970");
    i64::try_from(since.as_secs()).expect("seconds")
}

/// `claims` with some set anew, and those set to `null` left out.
pub fn with(mut claims: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().into_iter().flatten() {
        match (value, claims.as_object_mut()) {
            (Value::Null, Some(members)) => drop(members.remove(name)),
            (_, Some(members)) => drop(members.insert(name.clone(), value.clone())),
            (_, None) => {}
        }
    }
    claims
}

/// Signs with HS256.
pub fn sign(claims: &Value, secret: &str) -> String {
    sign_as(&json!({ "alg": "HS256", "typ": "JWT" }), claims, secret)
}

/// Signs with what the header's `alg` says; anything that is no HMAC gets an empty signature.
pub fn sign_as(header: &Value, claims: &Value, secret: &str) -> String {
    let signed = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    let signature = match header["alg"].as_str().unwrap_or_default() {
        "HS256" => mac::<Hmac<Sha256>>(secret, &signed),
        "HS384" => mac::<Hmac<Sha384>>(secret, &signed),
        "HS512" => mac::<Hmac<Sha512>>(secret, &signed),
        _ => String::new(),
    };
    format!("{signed}.{signature}")
}

/// base64url without padding.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn mac<M: Mac + KeyInit>(secret: &str, message: &str) -> String {
    let mut mac = <M as KeyInit>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(message.as_bytes());
    encode(mac.finalize().into_bytes())
}
