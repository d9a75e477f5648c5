//! What a user would write instead: the two cached GETs as a native program on axum and the `redis` crate, with the token
//! check, the keys and the stored bytes of the components. It has no misses: the benchmark asks for what is cached.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use cache::{CacheKey, Namespace, Slot};
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use rental::auth::{Caller, HASH_KEY_BYTES, Memory, Token, Verification, bearer, verify};
use rental::config::{Config, RedisEndpoint};
use rental::domain::{PropertyId, RowVersion};
use rental::http::{Direction, ListQuery, SortFields};
use rental::resource::Resource;

const SORT_FIELDS: SortFields =
    SortFields { names: &["address"], default: "address", default_direction: Direction::Ascending };

thread_local! {
    /// The configuration, and the tokens that were verified lately, are a thread's own, as they are an instance's.
    static CONFIG: Option<Config> = Config::parse(|name| std::env::var(name).ok()).ok();
    // Nobody but the benchmark asks it: the key need not be random.
    static MEMORY: RefCell<Memory> = RefCell::new(Memory::new(&[7; HASH_KEY_BYTES]));
}

struct App {
    namespace: Namespace,
    epoch: u64,
    redis: MultiplexedConnection,
}

fn main() -> Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve())
}

async fn serve() -> Result<()> {
    let config = Config::parse(|name| std::env::var(name).ok())?;
    let epoch = std::env::var("epoch").context("the epoch of the stored bytes is needed")?.parse()?;
    let RedisEndpoint::Native(url) = config.redis else { bail!("the peer speaks Redis's own protocol") };
    let redis = redis::Client::open(url)?.get_multiplexed_async_connection().await?;
    let app = Arc::new(App { namespace: config.namespace, epoch, redis });
    let routes = Router::new().route("/api/properties", get(list)).route("/api/properties/{id}", get(single));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        // Where it fails the answer is slower, and right.
        let _ = stream.set_nodelay(true);
    });
    Ok(axum::serve(listener, routes.with_state(app)).await?)
}

async fn single(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let Some(id) = PropertyId::parse(&id) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    answer(&app, &headers, Resource::Property(id), "").await
}

async fn list(State(app): State<Arc<App>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let field = ListQuery::parse(query.as_deref(), &SORT_FIELDS).ok().and_then(|asked| asked.cache_field());
    let Some(field) = field else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    answer(&app, &headers, Resource::PropertyList, &field).await
}

/// Who asks: the components' own check, and like them once a token.
fn caller(headers: &HeaderMap) -> Option<Caller> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let text = bearer(headers.get(header::AUTHORIZATION).map(|value| value.as_bytes())).ok()?;
    let hash = MEMORY.with_borrow(|memory| memory.hash(text));
    if let Some(caller) = MEMORY.with_borrow_mut(|memory| memory.recall(&hash, 0, now)) {
        return Some(caller);
    }
    let token = Token::parse(text).ok()?;
    let Verification::Verified(verified) =
        CONFIG.with(|config| Some(verify(&token, &config.as_ref()?.auth, None, now)))?
    else {
        return None;
    };
    let caller = verified.caller.clone();
    MEMORY.with_borrow_mut(|memory| memory.remember(hash, 0, verified));
    Some(caller)
}

async fn answer(app: &App, headers: &HeaderMap, resource: Resource, field: &str) -> Response {
    let Some(caller) = caller(headers) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let key = CacheKey::new(&app.namespace, caller.tenant.owner(), &resource);
    let mut redis = app.redis.clone();
    let bytes: Result<Option<Vec<u8>>, _> =
        if field.is_empty() { redis.get(key.as_str()).await } else { redis.hget(key.as_str(), field).await };
    let Ok(Some(bytes)) = bytes else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let slot = Slot::new(&app.namespace, None, caller.tenant.owner(), &resource, field);
    let Ok(entry) = slot.open(bytes, app.epoch) else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let mut headers = HeaderMap::new();
    let fixed = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "private, no-cache"),
        (header::VARY, "Authorization, Origin"),
        (header::HeaderName::from_static("cache-status"), "RentTracker; hit"),
    ];
    headers.extend(fixed.map(|(name, value)| (name, header::HeaderValue::from_static(value))));
    if let Some(tag) = entry
        .version
        .and_then(RowVersion::from_entry)
        .and_then(|version| header::HeaderValue::try_from(version.etag()).ok())
    {
        headers.insert(header::ETAG, tag);
    }
    (headers, entry.body).into_response()
}
