//! The form of a token: three parts in base64url (JWS compact serialization, RFC 7515, section 7.1).

use super::key::Algorithm;
use super::members::Members;
use crate::error::Error;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// The longest token that is looked at, in bytes. RentTracker's are below 1 KB.
const MAX_TOKEN_BYTES: usize = 8 * 1024;

pub(super) const MALFORMED: Error = Error::Unauthenticated("malformed");

/// The token of `Bearer <token>`; the scheme's case does not matter (RFC 9110, section 11.1).
///
/// # Errors
/// [`Error::Unauthenticated`] when there is none, or one above the limit.
pub fn bearer(authorization: Option<&[u8]>) -> Result<&str, Error> {
    const NO_TOKEN: Error = Error::Unauthenticated("not a bearer token");
    let header = authorization.ok_or(Error::Unauthenticated("there is none"))?;
    let (scheme, token) = std::str::from_utf8(header).ok().and_then(|text| text.split_once(' ')).ok_or(NO_TOKEN)?;
    if scheme.eq_ignore_ascii_case("Bearer") && token.len() <= MAX_TOKEN_BYTES {
        Ok(token.trim_matches(' '))
    } else {
        Err(NO_TOKEN)
    }
}

/// A token whose signature has not been checked yet. Its claims are out of reach until then.
#[derive(Debug)]
pub struct Token<'a> {
    /// What it says it is signed with: that finds a key, and the key alone decides how it is checked.
    pub(super) algorithm: Algorithm,
    /// The key that it says it is signed by.
    pub(super) key_id: Option<String>,
    /// What is signed: the first two parts as they came.
    pub(super) signed: &'a str,
    pub(super) signature: Vec<u8>,
    payload: &'a str,
}

impl<'a> Token<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for another form, a member that stands twice, an algorithm that no key can have (`none`
    /// among them) and critical extensions, none of which are understood here.
    pub fn parse(token: &'a str) -> Result<Self, Error> {
        let (signed, signature) = token.rsplit_once('.').ok_or(MALFORMED)?;
        let (header, payload) = signed.split_once('.').ok_or(MALFORMED)?;
        if payload.contains('.') {
            return Err(MALFORMED);
        }
        let header = object(header)?;
        let algorithm = header
            .get("alg")
            .and_then(Value::as_str)
            .and_then(Algorithm::named)
            .ok_or(Error::Unauthenticated("an algorithm that no key is for"))?;
        if header.get("crit").is_some() {
            return Err(Error::Unauthenticated("a critical extension that is not understood"));
        }
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(id)) => Some(id.clone()),
            Some(_) => return Err(MALFORMED),
        };
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| MALFORMED)?;
        Ok(Self { algorithm, key_id, signed, signature, payload })
    }

    /// The claims. Only [`super::verify`] asks for them, once the signature is known to be good.
    pub(super) fn claims(&self) -> Result<Members, Error> {
        object(self.payload)
    }
}

fn object(part: &str) -> Result<Members, Error> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| MALFORMED)?;
    serde_json::from_slice(&bytes).map_err(|_| MALFORMED)
}
