//! Keys that signatures are checked with. A key is for one algorithm, whatever a token says.

use ed25519_dalek::Signature as EdDsaSignature;
use hmac::{Hmac, KeyInit, Mac};
use p256::ecdsa::Signature as Es256Signature;
use p256::ecdsa::signature::Verifier;
use sha2::Sha256;

/// The algorithms of JWS that are understood (RFC 7518, section 3.1; RFC 8037; RFC 9864).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// The algorithm with this name in `alg`, in exactly this spelling. `Ed25519` is the name of `EdDSA` with the one curve that
    /// is known here (RFC 9864, section 2.2).
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "HS256" => Some(Self::Hs256),
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

/// A key that was checked when it was made. It has no `Debug`: one of them is a secret.
#[derive(Clone, PartialEq)]
pub enum Key {
    /// The secret that is shared with RentTracker.
    Hs256(Vec<u8>),
    /// An RSA key.
    Rs256(rsa::PublicKey),
    /// A point on P-256.
    Es256(p256::ecdsa::VerifyingKey),
    /// An Ed25519 key.
    EdDsa(ed25519_dalek::VerifyingKey),
}

impl Key {
    /// What it is for, and for nothing else.
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Hs256(_) => Algorithm::Hs256,
            Self::Rs256(_) => Algorithm::Rs256,
            Self::Es256(_) => Algorithm::Es256,
            Self::EdDsa(_) => Algorithm::EdDsa,
        }
    }

    /// Whether `signature` is this key's for `message`. An HMAC is compared in constant time; the others are public.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Hs256(secret) => Hmac::<Sha256>::new_from_slice(secret)
                .is_ok_and(|mac| mac.chain_update(message).verify_slice(signature).is_ok()),
            Self::Rs256(key) => key.pkcs1v15_verify::<Sha256>(message, signature).is_ok(),
            // 64 bytes, and a high S as well as a low one: RFC 7518 asks for neither, and issuers make both. Nothing here
            // rests on a token having one spelling only.
            Self::Es256(key) => {
                Es256Signature::from_slice(signature).is_ok_and(|signature| key.verify(message, &signature).is_ok())
            }
            // Strictly: an R or S that has another encoding, and points of small order, are refused.
            Self::EdDsa(key) => EdDsaSignature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{EC_X, EC_Y, ED_X, RSA_N, bytes};
    use super::super::{KeySet, Token};
    use super::*;
    use curve25519_dalek::Scalar;
    use serde_json::json;
    use sha2::{Digest, Sha512};

    /// A key of a set, as a token without a name finds it.
    fn key(jwk: serde_json::Value, token: &Token<'_>) -> Key {
        let set =
            KeySet::parse(json!({ "keys": [jwk] }).to_string().as_bytes()).unwrap_or_else(|reason| panic!("{reason}"));
        set.find(token).cloned().unwrap_or_else(|error| panic!("{error:?}"))
    }

    /// The RFCs' own tokens are verified with their own keys, and with the last bit of what is signed changed they are not.
    fn check(text: &str, find: impl Fn(&Token<'_>) -> Key) {
        let token = Token::parse(text).unwrap_or_else(|error| panic!("{error}"));
        let key = find(&token);
        assert_eq!(key.algorithm(), token.algorithm);
        assert!(key.verifies(token.signed.as_bytes(), &token.signature), "{text}");
        let mut other = token.signed.as_bytes().to_vec();
        *other.last_mut().expect("a last byte") ^= 1;
        assert!(!key.verifies(&other, &token.signature));
    }

    #[test]
    fn the_tokens_of_rfc_7515_and_8037_verify_with_their_keys() {
        check(
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            |_| {
                Key::Hs256(bytes(
                    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
                ))
            },
        );
        check(
            "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
            |token| key(json!({"kty": "RSA", "n": RSA_N, "e": "AQAB"}), token),
        );
        check(
            "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
            |token| key(json!({"kty": "EC", "crv": "P-256", "x": EC_X, "y": EC_Y}), token),
        );
        check(
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
            |token| key(json!({"kty": "OKP", "crv": "Ed25519", "x": ED_X}), token),
        );
    }

    #[test]
    fn ecdsa_is_taken_with_a_high_and_a_low_s_in_64_bytes_and_no_der() {
        let signing = p256::ecdsa::SigningKey::from_slice(&[7; 32]).expect("a key");
        let key = Key::Es256(*signing.verifying_key());
        let signature: Es256Signature = p256::ecdsa::signature::Signer::sign(&signing, b"message");
        let (r, s) = signature.split_scalars();
        let other = Es256Signature::from_scalars(r.to_bytes(), (-s).to_bytes()).expect("a signature");
        assert_ne!(signature.to_bytes(), other.to_bytes());
        for taken in [signature, other] {
            assert!(key.verifies(b"message", &taken.to_bytes()));
            assert!(!key.verifies(b"message", taken.to_der().as_bytes()));
            assert!(!key.verifies(b"another message", &taken.to_bytes()));
        }
        let zero = [0; 32];
        for (r, s) in [(&zero[..], &s.to_bytes()[..]), (&r.to_bytes()[..], &zero[..])] {
            assert!(!key.verifies(b"message", &[r, s].concat()), "a zero");
        }
    }

    #[test]
    fn ed25519_is_taken_in_its_one_encoding_only() {
        let signing = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
        let key = Key::EdDsa(signing.verifying_key());
        let signature = ed25519_dalek::Signer::sign(&signing, b"message").to_bytes();
        assert!(key.verifies(b"message", &signature));
        // S + L, where L is the order of the group (RFC 8032, section 5.1), little-endian.
        let order: [u8; 32] = [
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
        ];
        let mut larger = signature;
        let mut carry = 0;
        for (byte, more) in larger[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(more) + carry;
            *byte = sum.to_le_bytes()[0];
            carry = sum >> 8;
        }
        assert_eq!(carry, 0);
        assert!(!key.verifies(b"message", &larger), "S is not reduced");
        // R as the neutral element, in its right encoding and with a y of p + 1, which is 1; S made to fit (for the former
        // the equation holds, so lenient verification takes it).
        let neutral = [&[1][..], &[0; 31]].concat();
        for r in [neutral.clone(), [&[0xee][..], &[0xff; 30], &[0x7f]].concat()] {
            let hash = Sha512::digest([&r, &signing.verifying_key().to_bytes()[..], b"message"].concat());
            let s = Scalar::from_bytes_mod_order_wide(&hash.into()) * signing.to_scalar();
            let forged = [r.as_slice(), s.as_bytes()].concat();
            let parsed = EdDsaSignature::from_slice(&forged).expect("64 bytes");
            assert_eq!(signing.verifying_key().verify(b"message", &parsed).is_ok(), r == neutral);
            assert!(!key.verifies(b"message", &forged), "R is of small order");
        }
    }
}
