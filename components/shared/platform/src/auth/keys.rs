//! The keys of a JWKS: those in the variable, or those that are fetched, kept in the instance, and left to other instances in
//! the key-value store.

use crate::instance::Instance;
use crate::key_value::STORE;
use crate::log::{self, Level};
use crate::metrics;
use crate::sdk::http::send;
use crate::sdk::key_value::Store;
use crate::time::{clock, within};
use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use rental::auth::{KeySet, KeySource, LeftOut, keep, kept};
use rental::metrics::{Count, KeyFetchResult};
use sha2::{Digest, Sha256};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// How long a fetch may take. Requests wait for it only while there is no key that they could be verified with.
const FETCH_DEADLINE: Duration = Duration::from_secs(2);
/// The largest set, in bytes: some 100 keys, where issuers have two or three.
const MAX_JWKS_BYTES: usize = 64 * 1024;

/// The keys to verify tokens with now, and the number that stands for them. Those that are getting old are fetched in the
/// background.
pub fn at_hand(instance: &Rc<Instance>) -> (Option<Rc<KeySet>>, u64) {
    let url = match &instance.config.auth.source {
        None => return (None, 0),
        Some(KeySource::Inline(keys)) => {
            if !instance.keys.inline_is_told.replace(true) {
                log_left_out(instance, keys.left_out());
            }
            return (Some(Rc::clone(keys)), 0);
        }
        Some(KeySource::Url(url)) => url,
    };
    let (ages, now) = (instance.config.auth.ages, clock::unix());
    let (at_hand, is_due) = {
        let mut supply = instance.keys.supply.borrow_mut();
        (supply.at_hand(now, ages), supply.is_due(now, ages))
    };
    if is_due {
        // Until it has begun, every other request would find it due as well.
        instance.keys.supply.borrow_mut().asked(now);
        let (instance, url) = (Rc::clone(instance), url.clone());
        crate::sdk::wasip3::spawn(async move {
            let turn = Rc::clone(&instance.keys.turn);
            // Another request is at it already.
            let Some(_turn) = turn.try_lock() else { return };
            recall(&instance, &url).await;
            if instance.keys.supply.borrow().is_old(clock::unix(), ages) {
                ask(&instance, &url).await;
            }
            metrics::flush_later(&instance);
        });
    }
    at_hand
}

/// Where keys are that an instance does not have at hand.
#[derive(Clone, Copy)]
pub enum Place {
    /// In the key-value store, where another instance left them.
    Store,
    /// At `jwt_jwks_url`.
    Issuer,
}

/// Looks for the keys of a token that none at hand is for, unless they were just asked for. Requests that come meanwhile wait
/// for the same look.
pub async fn look_for_keys(instance: &Rc<Instance>, place: Place) {
    let Some(KeySource::Url(url)) = &instance.config.auth.source else {
        return;
    };
    let turn = Rc::clone(&instance.keys.turn);
    let _turn = turn.lock().await;
    if instance.keys.supply.borrow().may_ask(clock::unix()) {
        match place {
            Place::Store => recall(instance, url).await,
            Place::Issuer => ask(instance, url).await,
        }
    }
}

/// Has the log tell which keys of a set are left out and why, in the background, and once for all instances: what was told
/// last is in the key-value store. If that cannot be asked, it is rather told again.
fn log_left_out(instance: &Rc<Instance>, left_out: &[LeftOut]) {
    if left_out.is_empty() {
        return;
    }
    let (instance, left_out) = (Rc::clone(instance), left_out.to_vec());
    crate::sdk::wasip3::spawn(async move {
        let name = format!("jwks-told:{}", instance.config.namespace.name());
        let all: String = left_out.iter().map(|key| format!("{key}\n")).collect();
        let print = Sha256::digest(all);
        let reading = async { Store::open(STORE).await?.get(&name).await };
        let told = instance.key_value.ask(instance.config.key_value_timeout, reading).await.ok().flatten();
        if told.is_some_and(|told| told == print.as_slice()) {
            return;
        }
        // Another instance may be about to tell it as well.
        let is_told = Cell::new(false);
        let _ = instance.key_value.update(&name, |current| {
            is_told.set(current == print.as_slice());
            print.to_vec()
        });
        if is_told.get() {
            return;
        }
        for LeftOut { key, reason, is_refused } in &left_out {
            let (level, event) = match is_refused {
                true => (Level::Warn, "jwks.key_refused"),
                false => (Level::Info, "jwks.key_left_out"),
            };
            log::write(level, event, &[("key", key), ("reason", reason)]);
        }
    });
}

fn name(instance: &Rc<Instance>) -> String {
    format!("jwks:{}", instance.config.namespace.name())
}

/// Takes what another instance has left. A store that fails is no worse than an empty one: the issuer is asked.
async fn recall(instance: &Rc<Instance>, url: &str) {
    let reading = async { Store::open(STORE).await?.get(name(instance)).await };
    let Ok(Some(stored)) = instance.key_value.ask(instance.config.key_value_timeout, reading).await else {
        return;
    };
    let Some((asked_at, json)) = kept(&instance.config.database_url, url, &stored) else {
        log::write(Level::Warn, "jwks.kept_refused", &[]);
        return;
    };
    if let Ok(keys) = KeySet::parse(json) {
        let ages = instance.config.auth.ages;
        instance.keys.supply.borrow_mut().recalled(keys, asked_at, clock::unix(), ages);
    }
}

/// Leaves a set to other instances.
async fn leave(instance: &Rc<Instance>, url: &str, asked_at: Duration, json: &[u8]) {
    let Some(stored) = keep(&instance.config.database_url, url, asked_at, json) else {
        return;
    };
    let writing = async { Store::open(STORE).await?.set(name(instance), stored).await };
    if let Err(error) = instance.key_value.ask(instance.config.key_value_timeout, writing).await {
        log::write(Level::Warn, "jwks.not_kept", &[("error", &error.0)]);
    }
}

/// Asks once. What fails leaves the keys as they are, and is logged without the address: it may hold a secret.
async fn ask(instance: &Rc<Instance>, url: &str) {
    let asked_at = clock::unix();
    instance.keys.supply.borrow_mut().asked(asked_at);
    let answer = within(FETCH_DEADLINE, get(url)).await;
    let answer = answer.unwrap_or_else(|| Err("it does not answer within the deadline".into()));
    let now = clock::unix();
    let parsed = answer.and_then(|json| match KeySet::parse(&json) {
        Ok(keys) => Ok((keys, json)),
        Err(error) => {
            log_left_out(instance, error.left_out());
            Err(format!("its answer {error}"))
        }
    });
    match parsed {
        Ok((keys, json)) => {
            instance.counts.count(Count::KeyFetch(KeyFetchResult::Fetched));
            log_left_out(instance, keys.left_out());
            instance.keys.supply.borrow_mut().fetched(keys, asked_at, now);
            leave(instance, url, asked_at, &json).await;
        }
        Err(error) => {
            instance.counts.count(Count::KeyFetch(KeyFetchResult::Failed));
            instance.keys.supply.borrow_mut().asked(now);
            log::write(Level::Warn, "jwks.not_fetched", &[("error", &error)]);
        }
    }
}

async fn get(url: &str) -> Result<Bytes, String> {
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
    Ok(body.to_bytes())
}
