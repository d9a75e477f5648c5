//! A JWKS (RFC 7517): the public keys of whoever issues tokens.

use super::key::{Algorithm, Key};
use super::members::Members;
use super::token::Token;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rsa::BoxedUint;
use serde::Deserialize;
use serde_json::Value;

/// The sizes of RSA keys, in bits: from what RFC 7518 (section 3.3) asks for to what is still quick to check.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// Why a key, or a whole set, is not taken.
pub type Reason = &'static str;

/// The keys of a set that tokens can be verified with.
#[derive(PartialEq)]
pub struct KeySet {
    keys: Vec<NamedKey>,
    refused: Vec<Reason>,
}

#[derive(PartialEq)]
struct NamedKey {
    id: Option<String>,
    key: Key,
}

/// Why a set has no key for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoKey {
    /// The set may have changed since it was read.
    Unknown,
    /// More than one would fit, and the token does not say which.
    Ambiguous,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Members>,
}

impl KeySet {
    /// Reads a set. Keys for other purposes and of kinds that are not known are left out (RFC 7517, section 5); what is
    /// refused, because it is weak, broken or a secret, is told by [`KeySet::refused`].
    ///
    /// # Errors
    /// A set that is no JWKS, or has no key that is taken.
    pub fn parse(json: &[u8]) -> Result<Self, Reason> {
        let document: Document = serde_json::from_slice(json)
            .map_err(|_| "is no JWKS: an object with the member `keys`, a list of objects")?;
        let mut set = Self { keys: Vec::new(), refused: Vec::new() };
        for jwk in &document.keys {
            match read(jwk) {
                Ok(Some(key)) => set.keys.push(key),
                Ok(None) => {}
                Err(reason) => set.refused.push(reason),
            }
        }
        if set.keys.is_empty() {
            return Err(set.refused.first().copied().unwrap_or("has no key for RS256, ES256 or EdDSA"));
        }
        Ok(set)
    }

    /// Why keys of the set were refused.
    pub fn refused(&self) -> &[Reason] {
        &self.refused
    }

    /// The key that a token is to be checked with: one for its algorithm, and the one that it names. A token may leave the
    /// name out, or a key have none, only where no other key would fit.
    ///
    /// # Errors
    /// [`NoKey`].
    pub fn find(&self, token: &Token<'_>) -> Result<&Key, NoKey> {
        let fitting: Vec<&NamedKey> =
            self.keys.iter().filter(|named| named.key.algorithm() == token.algorithm).collect();
        if let ([only], None) | ([only @ NamedKey { id: None, .. }], _) = (fitting.as_slice(), &token.key_id) {
            return Ok(&only.key);
        }
        let mut named = fitting.iter().filter(|named| named.id.is_some() && named.id == token.key_id);
        match (named.next(), named.next()) {
            (Some(key), None) => Ok(&key.key),
            (None, _) if token.key_id.is_some() || fitting.is_empty() => Err(NoKey::Unknown),
            _ => Err(NoKey::Ambiguous),
        }
    }
}

/// A key of a set; `None` for one that is not for verifying tokens.
fn read(jwk: &Members) -> Result<Option<NamedKey>, Reason> {
    let kind = text(jwk, "kty")?.ok_or("has a key without `kty`")?;
    if kind == "oct" {
        return Err("has a key of the kind `oct`, which is a secret");
    }
    if jwk.get("d").is_some() {
        return Err("has a private key");
    }
    let verifies = match jwk.get("key_ops") {
        None => true,
        Some(Value::Array(uses)) => uses.iter().any(|it| it.as_str() == Some("verify")),
        Some(_) => return Err(MALFORMED),
    };
    if !verifies || text(jwk, "use")?.is_some_and(|it| it != "sig") {
        return Ok(None);
    }
    let algorithm = match (kind, text(jwk, "crv")?) {
        ("RSA", _) => Algorithm::Rs256,
        ("EC", Some("P-256")) => Algorithm::Es256,
        ("OKP", Some("Ed25519")) => Algorithm::EdDsa,
        _ => return Ok(None),
    };
    if text(jwk, "alg")?.is_some_and(|it| it != algorithm.name()) {
        return Ok(None);
    }
    let key = match algorithm {
        Algorithm::Rs256 => rsa_key(&bytes(jwk, "n")?, &bytes(jwk, "e")?)?,
        Algorithm::Es256 => p256_key(&bytes(jwk, "x")?, &bytes(jwk, "y")?)?,
        _ => ed25519_key(&bytes(jwk, "x")?)?,
    };
    Ok(Some(NamedKey { id: text(jwk, "kid")?.map(str::to_owned), key }))
}

const MALFORMED: Reason = "has a key with a missing or malformed member";

fn text<'a>(jwk: &'a Members, name: &str) -> Result<Option<&'a str>, Reason> {
    jwk.get(name).map(|value| value.as_str().ok_or(MALFORMED)).transpose()
}

fn bytes(jwk: &Members, name: &str) -> Result<Vec<u8>, Reason> {
    let text = text(jwk, name)?.ok_or(MALFORMED)?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| MALFORMED)
}

fn rsa_key(modulus: &[u8], exponent: &[u8]) -> Result<Key, Reason> {
    let number = BoxedUint::from_be_slice_vartime;
    rsa::PublicKey::new_with_size_limits(number(modulus), number(exponent), RSA_BITS)
        .map(Key::Rs256)
        .map_err(|_| "has an RSA key that is not of 2048 to 4096 bits, or broken")
}

/// The coordinates in full length (RFC 7518, section 6.2.1.2), as an uncompressed point.
fn p256_key(x: &[u8], y: &[u8]) -> Result<Key, Reason> {
    const BROKEN: Reason = "has a P-256 key that is no point on the curve";
    if x.len() != 32 || y.len() != 32 {
        return Err(BROKEN);
    }
    p256::ecdsa::VerifyingKey::from_sec1_bytes(&[&[4], x, y].concat()).map(Key::Es256).map_err(|_| BROKEN)
}

fn ed25519_key(x: &[u8]) -> Result<Key, Reason> {
    const BROKEN: Reason = "has an Ed25519 key that is weak or no point on the curve";
    let x: &[u8; 32] = x.try_into().map_err(|_| BROKEN)?;
    let key = ed25519_dalek::VerifyingKey::from_bytes(x).map_err(|_| BROKEN)?;
    // The crate takes other encodings of a point than its one right one (RFC 8032, section 5.1.3).
    if key.is_weak() || key.to_edwards().compress().as_bytes() != x {
        return Err(BROKEN);
    }
    Ok(Key::EdDsa(key))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{EC_X, EC_Y, ED_X, RSA_N};
    use super::*;
    use serde_json::json;

    fn parse(keys: Value) -> Result<KeySet, Reason> {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes())
    }

    fn rsa() -> Value {
        json!({"kty": "RSA", "n": RSA_N, "e": "AQAB"})
    }

    fn ec() -> Value {
        json!({"kty": "EC", "crv": "P-256", "x": EC_X, "y": EC_Y})
    }

    fn ed() -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "x": ED_X})
    }

    fn with(mut key: Value, changes: Value) -> Value {
        key.as_object_mut().expect("an object").extend(changes.as_object().expect("an object").clone());
        key
    }

    /// Number of keys taken, and of keys refused, of a set with a good key beside this one.
    fn beside(key: Value) -> (usize, usize) {
        let set = parse(json!([with(ed(), json!({"kid": "good"})), key])).unwrap_or_else(|reason| panic!("{reason}"));
        (set.keys.len() - 1, set.refused().len())
    }

    #[test]
    fn a_key_is_taken_left_out_or_refused_by_what_it_is_for() {
        let base64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        for key in
            [rsa(), ec(), ed(), with(rsa(), json!({"alg": "RS256", "use": "sig", "key_ops": ["verify"], "x5t": "x"}))]
        {
            assert_eq!(beside(key.clone()), (1, 0), "{key}");
        }
        for key in [
            with(rsa(), json!({"use": "enc"})),
            with(rsa(), json!({"alg": "RSA-OAEP"})),
            with(rsa(), json!({"alg": "PS256"})),
            with(rsa(), json!({"alg": "HS256"})),
            with(rsa(), json!({"alg": "none"})),
            with(ec(), json!({"alg": "RS256"})),
            with(ec(), json!({"crv": "P-384"})),
            with(ec(), json!({"key_ops": ["sign"]})),
            with(ed(), json!({"crv": "X25519"})),
            with(ed(), json!({"kty": "AKP"})),
        ] {
            assert_eq!(beside(key.clone()), (0, 0), "{key}");
        }
        let modulus = |bits: usize| base64(&[&[0x80][..], &vec![0; bits / 8 - 2], &[1]].concat());
        for key in [
            json!({"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ"}),
            json!({"kty": "oct", "alg": "RS256", "n": RSA_N, "e": "AQAB"}),
            with(ed(), json!({"d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"})),
            with(rsa(), json!({"n": modulus(1024)})),
            with(rsa(), json!({"n": modulus(2040)})),
            with(rsa(), json!({"n": modulus(4104)})),
            with(rsa(), json!({"n": ""})),
            with(rsa(), json!({"e": ""})),
            with(rsa(), json!({"e": "AQ"})),
            with(rsa(), json!({"e": "Ag"})),
            with(rsa(), json!({"e": RSA_N})),
            with(rsa(), json!({"n": "+/=="})),
            with(rsa(), json!({"n": 5})),
            with(ec(), json!({"y": EC_X})),
            with(ec(), json!({"x": ""})),
            with(ec(), json!({"x": base64(&[0; 33])})),
            with(ed(), json!({"x": base64(&[0; 31])})),
            // Of small order: the neutral element, and a point that is written with a y of p + 1.
            with(ed(), json!({"x": base64(&[&[1][..], &[0; 31]].concat())})),
            with(ed(), json!({"x": base64(&[&[0xee][..], &[0xff; 30], &[0x7f]].concat())})),
            // y = 3 and y = p + 3 are the same point, of large order.
            with(ed(), json!({"x": base64(&[&[0xf0][..], &[0xff; 30], &[0x7f]].concat())})),
            with(ed(), json!({"kid": 1})),
            with(ed(), json!({"use": ["sig"]})),
            with(ed(), json!({"key_ops": "verify"})),
            json!({"crv": "Ed25519", "x": ED_X}),
        ] {
            assert_eq!(beside(key.clone()), (0, 1), "{key}");
        }
        assert_eq!(beside(with(ed(), json!({"x": base64(&[&[3][..], &[0; 31]].concat())}))), (1, 0), "y = 3 itself");
        assert_eq!(beside(with(rsa(), json!({"n": modulus(4096)}))), (1, 0));
    }

    #[test]
    fn a_set_without_a_key_that_is_taken_is_refused_and_says_why() {
        for (json, word) in [
            ("", "no JWKS"),
            ("[]", "no JWKS"),
            ("{}", "no JWKS"),
            (r#"{"keys":{}}"#, "no JWKS"),
            (r#"{"keys":[1]}"#, "no JWKS"),
            (r#"{"keys":[],"keys":[]}"#, "no JWKS"),
            (r#"{"keys":[{"kty":"RSA","kty":"oct"}]}"#, "no JWKS"),
            (r#"{"keys":[]}"#, "no key"),
            (r#"{"keys":[{"kty":"oct","k":"x"}]}"#, "secret"),
        ] {
            let reason = KeySet::parse(json.as_bytes()).err().unwrap_or_else(|| panic!("{json} was taken"));
            assert!(reason.contains(word), "{json}: {reason}");
        }
    }

    fn find(keys: Value, algorithm: &str, id: Option<&str>) -> Result<usize, NoKey> {
        let mut header = json!({ "alg": algorithm });
        if let Some(id) = id {
            header["kid"] = id.into();
        }
        let text = format!("{}.e30.", URL_SAFE_NO_PAD.encode(header.to_string()));
        let token = Token::parse(&text).unwrap_or_else(|error| panic!("{error}"));
        let set = parse(keys).unwrap_or_else(|reason| panic!("{reason}"));
        set.find(&token).map(|key| set.keys.iter().position(|named| named.key == *key).expect("one of them"))
    }

    #[test]
    fn the_key_id_must_match_unless_one_key_alone_fits() {
        let named = |id: &str, key: Value| with(key, json!({ "kid": id }));
        let one = || json!([named("a", ed()), named("r", rsa())]);
        assert_eq!(find(one(), "EdDSA", Some("a")), Ok(0));
        assert_eq!(find(one(), "EdDSA", None), Ok(0));
        assert_eq!(find(one(), "EdDSA", Some("r")), Err(NoKey::Unknown), "the key of another algorithm");
        assert_eq!(find(one(), "EdDSA", Some("x")), Err(NoKey::Unknown));
        assert_eq!(find(one(), "ES256", None), Err(NoKey::Unknown));
        assert_eq!(find(json!([ed()]), "EdDSA", Some("x")), Ok(0), "the only key has no name");

        let other = with(ed(), json!({"x": URL_SAFE_NO_PAD.encode([&[3][..], &[0; 31]].concat())}));
        let two = || json!([named("a", ed()), named("b", other.clone())]);
        assert_eq!(find(two(), "EdDSA", Some("b")), Ok(1));
        assert_eq!(find(two(), "EdDSA", None), Err(NoKey::Ambiguous));
        assert_eq!(find(two(), "EdDSA", Some("x")), Err(NoKey::Unknown));
        assert_eq!(find(json!([ed(), other.clone()]), "EdDSA", None), Err(NoKey::Ambiguous));
        assert_eq!(find(json!([ed(), other.clone()]), "EdDSA", Some("a")), Err(NoKey::Unknown));
        assert_eq!(
            find(json!([named("a", ed()), named("a", other.clone())]), "EdDSA", Some("a")),
            Err(NoKey::Ambiguous)
        );
    }
}
