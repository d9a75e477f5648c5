//! Whether a token is good: its key, its signature, then its claims.

use super::{Algorithm, KeySet, NoKey, Policy, Token, VerifiedToken};
use crate::error::Error;

/// What became of a token.
#[derive(Debug)]
pub enum Verification {
    /// It is good.
    Verified(VerifiedToken),
    /// No key at hand is the one that it names.
    UnknownKey,
    /// It is not good: [`Error::Unauthenticated`]; or it is, and names no tenant: [`Error::Forbidden`].
    Refused(Error),
}

/// Verifies a token at `now` (Unix time in seconds) with the secret, if it says HS256, or else with a key of `keys`. The
/// token finds the key and the key decides the algorithm; at most one signature is checked, and nothing that a token
/// claims is looked at before.
pub fn verify(token: &Token<'_>, policy: &Policy, keys: Option<&KeySet>, now: u64) -> Verification {
    let key = match (token.algorithm, &policy.secret, &policy.source) {
        (Algorithm::Hs256, Some(secret), _) => Ok(secret),
        (Algorithm::Hs256, None, _) | (_, _, None) => {
            return Verification::Refused(Error::Unauthenticated("an algorithm that no key is for"));
        }
        _ => keys.ok_or(NoKey::Unknown).and_then(|keys| keys.find(token)),
    };
    let key = match key {
        Ok(key) => key,
        Err(NoKey::Unknown) => return Verification::UnknownKey,
        Err(NoKey::Ambiguous) => {
            return Verification::Refused(Error::Unauthenticated("no key is named and several fit"));
        }
    };
    if !key.verifies(token.signed.as_bytes(), &token.signature) {
        return Verification::Refused(Error::Unauthenticated("a wrong signature"));
    }
    match token.claims().and_then(|claims| VerifiedToken::of(&claims, policy, now)) {
        Ok(verified) => Verification::Verified(verified),
        Err(error) => Verification::Refused(error),
    }
}
