//! One key of a JWKS (a JWK, RFC 7517): which algorithm it is for, and whether it may be used at all.

use super::key::{Algorithm, Key};
use super::members::Members;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rsa::BoxedUint;
use serde_json::Value;
use std::fmt;

/// The sizes of RSA keys, in bits: from what RFC 7518 (section 3.3) asks for to what is still quick to check.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// Members that only a private key has (RFC 7518, sections 6.2.2 and 6.3.2; RFC 8037, section 2; RFC 9964 for `priv`).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "priv"];

/// Why a key is not taken.
pub type Reason = &'static str;

/// A key, and its name in the set.
#[derive(PartialEq)]
pub struct NamedKey {
    /// Its `kid`.
    pub id: Option<String>,
    /// The key.
    pub key: Key,
}

impl fmt::Debug for NamedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} for {:?}", self.id, self.key.algorithm())
    }
}

/// Reads a key, or what else it is for.
///
/// # Errors
/// Why it should not be in the set at all.
pub fn read(jwk: &Members) -> Result<Result<NamedKey, Reason>, Reason> {
    let kind = text(jwk, "kty")?.ok_or("has no `kty`")?;
    if kind == "oct" {
        return Err("is of the kind `oct`, which is a secret");
    }
    if PRIVATE.iter().any(|name| jwk.value(name).is_some()) {
        return Err("is a private key");
    }
    let verifies = match jwk.value("key_ops") {
        None => true,
        Some(Value::Array(uses)) => uses.iter().any(|it| it.as_str() == Some("verify")),
        Some(_) => return Err(MALFORMED),
    };
    if !verifies {
        return Ok(Err("is not for verifying, by its `key_ops`"));
    }
    if text(jwk, "use")?.is_some_and(|it| it != "sig") {
        return Ok(Err("is not for signatures, by its `use`"));
    }
    let algorithm = match (kind, text(jwk, "crv")?) {
        ("RSA", _) => Algorithm::Rs256,
        ("EC", Some("P-256")) => Algorithm::Es256,
        ("OKP", Some("Ed25519")) => Algorithm::EdDsa,
        _ => return Ok(Err("is of a kind or a curve that is not known, by its `kty` and `crv`")),
    };
    if text(jwk, "alg")?.is_some_and(|it| Algorithm::named(it) != Some(algorithm)) {
        return Ok(Err("is for another algorithm, by its `alg`"));
    }
    let key = match algorithm {
        Algorithm::Rs256 => rsa_key(&bytes(jwk, "n")?, &bytes(jwk, "e")?)?,
        Algorithm::Es256 => p256_key(&bytes(jwk, "x")?, &bytes(jwk, "y")?)?,
        _ => ed25519_key(&bytes(jwk, "x")?)?,
    };
    Ok(Ok(NamedKey { id: text(jwk, "kid")?.map(str::to_owned), key }))
}

const MALFORMED: Reason = "has a missing or malformed member";

fn text<'a>(jwk: &'a Members, name: &str) -> Result<Option<&'a str>, Reason> {
    jwk.value(name).map(|value| value.as_str().ok_or(MALFORMED)).transpose()
}

fn bytes(jwk: &Members, name: &str) -> Result<Vec<u8>, Reason> {
    let text = text(jwk, name)?.ok_or(MALFORMED)?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| MALFORMED)
}

fn rsa_key(modulus: &[u8], exponent: &[u8]) -> Result<Key, Reason> {
    let number = BoxedUint::from_be_slice_vartime;
    rsa::PublicKey::new_with_size_limits(number(modulus), number(exponent), RSA_BITS)
        .map(Key::Rs256)
        .map_err(|_| "is an RSA key that is not of 2048 to 4096 bits, or broken")
}

/// The coordinates in full length (RFC 7518, section 6.2.1.2), as an uncompressed point.
fn p256_key(x: &[u8], y: &[u8]) -> Result<Key, Reason> {
    const BROKEN: Reason = "is a P-256 key that is no point on the curve";
    if x.len() != 32 || y.len() != 32 {
        return Err(BROKEN);
    }
    p256::ecdsa::VerifyingKey::from_sec1_bytes(&[&[4], x, y].concat()).map(Key::Es256).map_err(|_| BROKEN)
}

fn ed25519_key(x: &[u8]) -> Result<Key, Reason> {
    const BROKEN: Reason = "is an Ed25519 key that is weak or no point on the curve";
    let x: &[u8; 32] = x.try_into().map_err(|_| BROKEN)?;
    let key = ed25519_dalek::VerifyingKey::from_bytes(x).map_err(|_| BROKEN)?;
    // The crate takes other encodings of a point than its one right one (RFC 8032, section 5.1.3).
    if key.is_weak() || key.to_edwards().compress().as_bytes() != x {
        return Err(BROKEN);
    }
    Ok(Key::EdDsa(key))
}
