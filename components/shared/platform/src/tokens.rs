//! Who is asking: a token that this instance has verified before, or one to verify now.

use super::keys::{self, Place};
use super::{clock, metrics};
use rental::auth::{Caller, Memory, Print, Token, Verdict, bearer, verify};
use rental::config::{Config, KeySource};
use rental::error::Error;
use rental::metrics::Count;
use std::cell::RefCell;
use std::rc::Rc;

thread_local! {
    static MEMORY: RefCell<Memory> = RefCell::default();
}

/// Verifies the value of an `Authorization` header.
///
/// # Errors
/// [`Error::Unauthenticated`] for a token that is missing, malformed, expired, not for us or not rightly signed;
/// [`Error::Forbidden`] for a valid one that names no tenant; [`Error::Unavailable`] when there are no keys, because those
/// that tokens are verified with cannot be fetched.
pub async fn authenticate(config: &Rc<Config>, authorization: Option<&[u8]>) -> Result<Caller, Error> {
    let caller = find(config, authorization).await;
    if let Err(Error::Unauthenticated(_) | Error::Forbidden(_)) = &caller {
        metrics::count(Count::Token("refused"));
    }
    caller
}

async fn find(config: &Rc<Config>, authorization: Option<&[u8]>) -> Result<Caller, Error> {
    let token = bearer(authorization)?;
    let print = Print::of(token);
    let now = clock::unix_ms() / 1_000;
    let (mut keys, mut number) = keys::at_hand(config);
    if let Some(caller) = MEMORY.with_borrow_mut(|memory| memory.recall(&print, number, now)) {
        metrics::count(Count::Token("remembered"));
        return Ok(caller);
    }
    let token = Token::parse(token)?;
    let mut verdict = verify(&token, config, keys.as_deref(), now);
    for place in [Place::Store, Place::Issuer] {
        if !matches!((&verdict, &config.token_keys.source), (Verdict::UnknownKey, Some(KeySource::Url(_)))) {
            break;
        }
        keys::look(config, place).await;
        (keys, number) = keys::at_hand(config);
        verdict = verify(&token, config, keys.as_deref(), clock::unix_ms() / 1_000);
    }
    match verdict {
        Verdict::Verified(verified) => {
            metrics::count(Count::Token("verified"));
            let caller = verified.caller.clone();
            MEMORY.with_borrow_mut(|memory| memory.remember(print, number, verified));
            Ok(caller)
        }
        Verdict::UnknownKey if keys.is_none() => Err(Error::Unavailable("the keys of tokens cannot be fetched".into())),
        Verdict::UnknownKey => Err(Error::Unauthenticated("an unknown key")),
        Verdict::Refused(error) => Err(error),
    }
}
