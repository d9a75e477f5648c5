//! Who is asking: bearer tokens (JSON Web Tokens, RFC 7519), signed with HS256 by a shared secret, or with RS256, ES256 or
//! EdDSA by a key of a JWKS.

mod claims;
mod kept_keys;
mod key;
mod key_set;
mod members;
mod memory;
mod supply;
#[cfg(test)]
mod tests;
mod token;

pub use claims::{Validity, Verified};
pub use kept_keys::{keep, kept};
pub use key::{Algorithm, Key};
pub use key_set::{KeySet, LeftOut, NoKey, NoKeySet};
pub use memory::{Memory, Print};
pub use supply::{ASK_AGAIN_AFTER, ASK_AGAIN_WITHOUT_KEYS, Ages, KeySupply};
pub use token::{Token, bearer};

use crate::config::Config;
use crate::domain::TenantId;
use crate::error::Error;

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

/// What became of a token.
#[derive(Debug)]
pub enum Verdict {
    /// It is good.
    Verified(Verified),
    /// No key at hand is the one that it names.
    UnknownKey,
    /// It is not good: [`Error::Unauthenticated`]; or it is, and names no tenant: [`Error::Forbidden`].
    Refused(Error),
}

/// Verifies a token at `now` (Unix time in seconds) with the secret, if it says HS256, or else with a key of `keys`. The
/// token finds the key and the key decides the algorithm; at most one signature is checked, and nothing that a token
/// claims is looked at before.
pub fn verify(token: &Token<'_>, config: &Config, keys: Option<&KeySet>, now: u64) -> Verdict {
    let key = match (token.algorithm, &config.token_keys.secret, &config.token_keys.source) {
        (Algorithm::Hs256, Some(secret), _) => Ok(secret),
        (Algorithm::Hs256, None, _) | (_, _, None) => {
            return Verdict::Refused(Error::Unauthenticated("an algorithm that no key is for"));
        }
        _ => keys.ok_or(NoKey::Unknown).and_then(|keys| keys.find(token)),
    };
    let key = match key {
        Ok(key) => key,
        Err(NoKey::Unknown) => return Verdict::UnknownKey,
        Err(NoKey::Ambiguous) => return Verdict::Refused(Error::Unauthenticated("no key is named and several fit")),
    };
    if !key.verifies(token.signed.as_bytes(), &token.signature) {
        return Verdict::Refused(Error::Unauthenticated("a wrong signature"));
    }
    match token.claims().and_then(|claims| Verified::of(&claims, config, now)) {
        Ok(verified) => Verdict::Verified(verified),
        Err(error) => Verdict::Refused(error),
    }
}
