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
mod verify;

pub use claims::{Validity, VerifiedToken};
pub use kept_keys::{keep, kept};
pub use key::{Algorithm, Key};
pub use key_set::{KeySet, LeftOut, NoKey, NoKeySet};
pub use memory::{HASH_KEY_BYTES, Memory, TokenHash};
pub use policy::{KeySource, Policy};
pub use supply::{ASK_AGAIN_AFTER, ASK_AGAIN_WITHOUT_KEYS, Ages, KeySupply};
pub use token::{Token, bearer};
pub use verify::{Verification, verify};

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
