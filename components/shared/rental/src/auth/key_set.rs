//! A JWKS (RFC 7517): the public keys of the issuer of tokens.

use super::jwk::{NamedKey, Reason, read};
use super::key::Key;
use super::members::Members;
use super::token::Token;
use serde::Deserialize;
use serde_json::Value;
use std::fmt;

/// How much of a key's name is told, in characters.
const SHOWN_ID_CHARS: usize = 64;

/// The keys of a set that tokens can be verified with.
#[derive(Debug, PartialEq)]
pub struct KeySet {
    keys: Vec<NamedKey>,
    left_out: Vec<LeftOut>,
}

/// A key of a set that no token is verified with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Its `kid`, or its place in the set.
    pub key: String,
    /// Why.
    pub reason: Reason,
    /// Whether it should not be there at all, because it is weak, broken or a secret; or is for another purpose.
    pub is_refused: bool,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {} {}", self.key, self.reason)
    }
}

/// Why a set is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoKeySet {
    /// It is not what it should be.
    #[error("is no JWKS: an object with the member `keys`, a list of objects")]
    Malformed,
    /// No key of it is taken, for these reasons.
    #[error("has no key for RS256, ES256 or EdDSA")]
    NoKey(Vec<LeftOut>),
}

impl NoKeySet {
    /// The keys that were left out.
    pub fn left_out(&self) -> &[LeftOut] {
        match self {
            Self::Malformed => &[],
            Self::NoKey(left_out) => left_out,
        }
    }
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
    /// Reads a set. Keys for other purposes and of kinds that are not known are left out (RFC 7517, section 5), and so are those
    /// that are weak, broken or a secret: [`KeySet::left_out`] tells all of them.
    ///
    /// # Errors
    /// A set that is no JWKS, or has no key that is taken.
    pub fn parse(json: &[u8]) -> Result<Self, NoKeySet> {
        let document: Document = serde_json::from_slice(json).map_err(|_| NoKeySet::Malformed)?;
        let mut set = Self { keys: Vec::new(), left_out: Vec::new() };
        for (place, jwk) in (1..).zip(&document.keys) {
            let (reason, is_refused) = match read(jwk) {
                Ok(Ok(key)) => {
                    set.keys.push(key);
                    continue;
                }
                Ok(Err(reason)) => (reason, false),
                Err(reason) => (reason, true),
            };
            let id = jwk.value("kid").and_then(Value::as_str);
            let shown = |id: &str| format!("{:?}", id.chars().take(SHOWN_ID_CHARS).collect::<String>());
            let key = id.map_or_else(|| format!("{place}"), shown);
            set.left_out.push(LeftOut { key, reason, is_refused });
        }
        if set.keys.is_empty() { Err(NoKeySet::NoKey(set.left_out)) } else { Ok(set) }
    }

    /// The keys that were left out.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
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

#[cfg(test)]
mod tests;
