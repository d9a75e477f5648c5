//! The keys of a JWKS: those in the variable, or those that are fetched and kept in the instance.

use super::{clock, metrics};
use crate::auth::{KeySet, KeySupply};
use crate::config::{Config, KeySource};
use crate::log::{self, Level};
use crate::metrics::Count;
use async_lock::Mutex;
use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use spin_sdk::http::send;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// How long a fetch may take. Requests wait for it only while there is no key that they could be verified with.
const FETCH_DEADLINE: Duration = Duration::from_secs(2);
/// The largest set, in bytes: some 100 keys, where issuers have two or three.
const MAX_JWKS_BYTES: usize = 64 * 1024;

thread_local! {
    static SUPPLY: RefCell<KeySupply> = RefCell::default();
    /// Held by the one that fetches.
    static TURN: Rc<Mutex<()>> = Rc::default();
}

/// The keys to verify tokens with now, and the number that stands for them. Those that are getting old are fetched in the
/// background.
pub fn at_hand(config: &Rc<Config>) -> (Option<Rc<KeySet>>, u64) {
    let url = match &config.token_keys.source {
        None => return (None, 0),
        Some(KeySource::Inline(keys)) => return (Some(Rc::clone(keys)), 0),
        Some(KeySource::Url(url)) => url,
    };
    let (ages, now) = (config.token_keys.ages, clock::elapsed());
    let (at_hand, is_due) = SUPPLY.with_borrow_mut(|supply| (supply.at_hand(now, ages), supply.is_due(now, ages)));
    if is_due {
        // Until it has begun, every other request would find it due as well.
        SUPPLY.with_borrow_mut(|supply| supply.asked(now));
        let (config, url) = (Rc::clone(config), url.clone());
        spin_sdk::wasip3::spawn(async move {
            let turn = TURN.with(Rc::clone);
            // Another request is at it already.
            let Some(_turn) = turn.try_lock() else { return };
            ask(&url).await;
            metrics::flush_later(&config);
        });
    }
    at_hand
}

/// Fetches the keys for a token that none at hand is for, unless they were just asked for. Requests that come meanwhile
/// wait for the same fetch.
pub async fn fetch(config: &Config) {
    let Some(KeySource::Url(url)) = &config.token_keys.source else {
        return;
    };
    let turn = TURN.with(Rc::clone);
    let _turn = turn.lock().await;
    if SUPPLY.with_borrow(|supply| supply.may_ask(clock::elapsed())) {
        ask(url).await;
    }
}

/// Asks once. What fails leaves the keys as they are, and is logged without the address: it may hold a secret.
async fn ask(url: &str) {
    let asked_at = clock::elapsed();
    SUPPLY.with_borrow_mut(|supply| supply.asked(asked_at));
    let answer = clock::within(FETCH_DEADLINE, get(url)).await;
    let keys = answer.unwrap_or_else(|| Err("it does not answer within the deadline".into()));
    let now = clock::elapsed();
    match keys {
        Ok(keys) => {
            metrics::count(Count::KeyFetch("fetched"));
            let refused = keys.refused().to_vec();
            if SUPPLY.with_borrow_mut(|supply| supply.fetched(keys, asked_at, now)) {
                for reason in refused {
                    log::write(Level::Warn, "jwks.key_refused", &[("reason", reason)]);
                }
            }
        }
        Err(error) => {
            metrics::count(Count::KeyFetch("failed"));
            SUPPLY.with_borrow_mut(|supply| supply.asked(now));
            log::write(Level::Warn, "jwks.not_fetched", &[("error", &error)]);
        }
    }
}

async fn get(url: &str) -> Result<KeySet, String> {
    let request = Request::get(url)
        .header(header::ACCEPT, "application/jwk-set+json, application/json")
        .body(Empty::<Bytes>::new())
        .map_err(|_| "jwt_jwks_url is no URL")?;
    let response =
        send(request).await.map_err(|_| "it cannot be reached, or jwt_jwks_address does not name its host and port")?;
    if response.status() != StatusCode::OK {
        return Err(format!("it answered {}", response.status().as_u16()));
    }
    let body = Limited::new(response.into_body(), MAX_JWKS_BYTES)
        .collect()
        .await
        .map_err(|_| format!("its answer is cut off, or above {MAX_JWKS_BYTES} bytes"))?;
    KeySet::parse(&body.to_bytes()).map_err(|reason| format!("its answer {reason}"))
}
