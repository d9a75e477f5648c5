//! Authentication: bearer tokens (JSON Web Tokens, RFC 7519), signed with HS256 by a shared secret, or with RS256, ES256 or
//! EdDSA by a key of a JWKS.

mod claims;
mod jwk;
mod kept_keys;
mod key;
mod key_set;
mod members;
mod memory;
mod policy;
mod supply;
#[cfg(test)]
mod tests;
mod token;

pub use claims::{Validity, VerifiedToken};
pub use kept_keys::{keep, kept};
pub use key::{Algorithm, Key};
pub use key_set::{KeySet, LeftOut, NoKey, NoKeySet};
pub use memory::{Memory, Print};
pub use policy::{KeySource, Policy};
pub use supply::{ASK_AGAIN_AFTER, ASK_AGAIN_WITHOUT_KEYS, Ages, KeySupply};
pub use token::{Token, bearer};

use crate::domain::TenantId;
use crate::error::Error;

/// The caller of a request.
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
