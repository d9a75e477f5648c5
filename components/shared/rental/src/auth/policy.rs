//! What a token is held to.

use super::supply::Ages;
use super::{Key, KeySet};
use std::rc::Rc;

/// What a token is held to: the keys that may have signed it, its issuer and its audience.
#[derive(Clone)]
pub struct Policy {
    /// The HS256 key, at least 32 bytes. `None` where only a JWKS counts.
    pub secret: Option<Key>,
    /// The keys of RS256, ES256 and EdDSA.
    pub source: Option<KeySource>,
    /// How old fetched keys become.
    pub ages: Ages,
    /// The only accepted `iss`.
    pub issuer: String,
    /// What `aud` must be or contain.
    pub audience: String,
}

/// Where the keys of a JWKS are.
#[derive(Clone)]
pub enum KeySource {
    /// Given with the configuration.
    Inline(Rc<KeySet>),
    /// At this URL.
    Url(String),
}
