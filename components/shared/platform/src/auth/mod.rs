//! Who is asking: a token that this instance has verified before, or one to verify now.

pub mod fetched_keys;
mod keys;

use crate::instance::Instance;
use crate::time::clock;
use keys::Place;
use rental::auth::{Caller, KeySource, Token, Verification, bearer, verify};
use rental::error::Error;
use rental::metrics::{Count, TokenResult};
use std::rc::Rc;

/// Verifies the value of an `Authorization` header.
///
/// # Errors
/// [`Error::Unauthenticated`] for a token that is missing, malformed, expired, not for us or not rightly signed;
/// [`Error::Forbidden`] for a valid one that names no tenant; [`Error::Unavailable`] when there are no keys, because those
/// that tokens are verified with cannot be fetched.
pub async fn authenticate(instance: &Rc<Instance>, authorization: Option<&[u8]>) -> Result<Caller, Error> {
    let caller = find(instance, authorization).await;
    if let Err(Error::Unauthenticated(_) | Error::Forbidden(_)) = &caller {
        instance.counts.count(Count::Token(TokenResult::Refused));
    }
    caller
}

async fn find(instance: &Rc<Instance>, authorization: Option<&[u8]>) -> Result<Caller, Error> {
    let token = bearer(authorization)?;
    let hash = instance.tokens.borrow().hash(token);
    let now = clock::unix_ms() / 1_000;
    let (mut keys, mut number) = keys::at_hand(instance);
    if let Some(caller) = instance.tokens.borrow_mut().recall(&hash, number, now) {
        instance.counts.count(Count::Token(TokenResult::Remembered));
        return Ok(caller);
    }
    let token = Token::parse(token)?;
    let mut verdict = verify(&token, &instance.config.auth, keys.as_deref(), now);
    for place in [Place::Store, Place::Issuer] {
        if !matches!((&verdict, &instance.config.auth.source), (Verification::UnknownKey, Some(KeySource::Url(_)))) {
            break;
        }
        keys::look_for_keys(instance, place).await;
        (keys, number) = keys::at_hand(instance);
        verdict = verify(&token, &instance.config.auth, keys.as_deref(), clock::unix_ms() / 1_000);
    }
    match verdict {
        Verification::Verified(verified) => {
            instance.counts.count(Count::Token(TokenResult::Verified));
            let caller = verified.caller.clone();
            instance.tokens.borrow_mut().remember(hash, number, verified);
            Ok(caller)
        }
        Verification::UnknownKey if keys.is_none() => {
            Err(Error::Unavailable("the keys of tokens cannot be fetched".into()))
        }
        Verification::UnknownKey => Err(Error::Unauthenticated("an unknown key")),
        Verification::Refused(error) => Err(error),
    }
}
