//! A double of Upstash: its REST protocol (<https://upstash.com/docs/redis/features/restapi>) in front of a real Redis, on
//! loopback. `tests/conformance.rs` holds it to Upstash's own client.
//!
//! It has commands by path and by body, `/pipeline`, `/multi-exec`, both ways to give the token, answers in base64, sync
//! tokens, and the statuses and texts of errors. It lacks what nobody here uses: `/monitor`, `/subscribe`, RESP2 answers, and
//! read-only tokens.

mod request;
mod response;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{RedisError, Value};
use tokio::runtime::Runtime;
use tokio::task::AbortHandle;

use crate::request::{Asked, Command, Commands};
use crate::response::{Answer, Encoding};

/// The largest request, in bytes, of most of Upstash's plans.
const MAX_REQUEST_BYTES: usize = 10_000_000;
const SYNC_TOKEN: &str = "upstash-sync-token";

/// All doubles of a process run here, and wait for Redis most of the time.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().expect("the operating system gives us threads")
});

/// A double that serves. Dropping it ends it.
pub struct Double {
    address: SocketAddr,
    served: Arc<Served>,
    serving: AbortHandle,
}

struct Served {
    primary: redis::Client,
    replica: Option<redis::Client>,
    token: String,
    /// How many commands may have changed something: how far the primary is.
    writes: AtomicU64,
    requests: AtomicU64,
    commands: Mutex<BTreeMap<String, u64>>,
}

impl Double {
    /// In front of the Redis at this URL, which need not be there yet, for those who have the token.
    pub fn start(redis_url: &str, token: &str) -> Result<Double> {
        Double::serve(redis_url, None, token)
    }

    /// The same with a replica that never catches up by itself: a command that only reads is answered by it, unless the sync
    /// token says that the client knows of all that was written.
    pub fn with_replica(redis_url: &str, replica_url: &str, token: &str) -> Result<Double> {
        Double::serve(redis_url, Some(replica_url), token)
    }

    fn serve(redis_url: &str, replica_url: Option<&str>, token: &str) -> Result<Double> {
        let served = Arc::new(Served {
            primary: redis::Client::open(redis_url)?,
            replica: replica_url.map(redis::Client::open).transpose()?,
            token: token.to_owned(),
            writes: AtomicU64::default(),
            requests: AtomicU64::default(),
            commands: Mutex::default(),
        });
        let listener = RUNTIME.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).context("no port")?;
        let address = listener.local_addr()?;
        let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
            // Where it fails the answer is slower, and right.
            let _ = stream.set_nodelay(true);
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&served));
        let serving = RUNTIME.spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Ok(Double { address, served, serving })
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests have come.
    pub fn requests(&self) -> u64 {
        self.served.requests.load(Ordering::SeqCst)
    }

    /// How often each command was asked for, by its name in capitals.
    pub fn commands(&self) -> BTreeMap<String, u64> {
        self.served.commands.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(State(served): State<Arc<Served>>, request: Request) -> Response {
    served.requests.fetch_add(1, Ordering::SeqCst);
    let (parts, body) = request.into_parts();
    let sync_token = parts.headers.get(SYNC_TOKEN).and_then(|value| value.to_str().ok()?.parse().ok());
    let encoding = Encoding::of(&parts.headers);
    let answer = match to_bytes(body, MAX_REQUEST_BYTES).await {
        Ok(body) => match request::parse(&parts, &body, &served.token) {
            Ok(asked) => served.run(asked, sync_token).await,
            Err(refusal) => Answer::Refused(refusal),
        },
        Err(_) => Answer::Refused((StatusCode::BAD_REQUEST, "ERR max request size exceeded".into())),
    };
    let (status, json) = answer.into_json(encoding);
    let mut response = Response::new(Body::from(json));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    response.headers_mut().insert(SYNC_TOKEN, served.writes.load(Ordering::SeqCst).into());
    response
}

impl Served {
    async fn run(&self, asked: Asked, sync_token: Option<u64>) -> Answer {
        match self.try_run(asked, sync_token).await {
            Ok(answer) => answer,
            Err(error) if error.kind() == redis::ErrorKind::IoError => {
                Answer::Refused((StatusCode::SERVICE_UNAVAILABLE, "ERR the database cannot be reached".into()))
            }
            Err(error) => Answer::Refused((StatusCode::BAD_REQUEST, response::text_of(&error))),
        }
    }

    /// A connection a request: nothing of one that broke off is left for the next.
    async fn try_run(&self, asked: Asked, sync_token: Option<u64>) -> Result<Answer, RedisError> {
        let mut primary = self.primary.get_multiplexed_async_connection().await?;
        Ok(match asked {
            Asked::One(command) => {
                let mut connection = self.place_of(&command, sync_token, &mut primary).await?;
                Answer::One(self.execute(&command, &mut connection).await?)
            }
            Asked::Pipeline(commands) => Answer::Many(self.execute_all(&commands, sync_token, &mut primary).await?),
            Asked::Transaction(commands) => {
                self.writes.fetch_add(1, Ordering::SeqCst);
                primary.req_packed_command(&redis::cmd("MULTI")).await?;
                for command in &commands {
                    self.note(command);
                    // What is wrong here is told again by EXEC, which then discards them all.
                    let _ = primary.req_packed_command(&command.to_redis()).await;
                }
                match primary.req_packed_command(&redis::cmd("EXEC")).await?.extract_error()? {
                    Value::Array(results) => Answer::Many(results.into_iter().map(Value::extract_error).collect()),
                    other => Answer::One(other),
                }
            }
        })
    }

    async fn execute_all(
        &self,
        commands: &Commands,
        sync_token: Option<u64>,
        primary: &mut MultiplexedConnection,
    ) -> Result<Vec<Result<Value, RedisError>>, RedisError> {
        let mut results = Vec::new();
        for command in commands {
            let mut connection = self.place_of(command, sync_token, primary).await?;
            match self.execute(command, &mut connection).await {
                Err(error) if error.kind() == redis::ErrorKind::IoError => return Err(error),
                result => results.push(result),
            }
        }
        Ok(results)
    }

    async fn execute(&self, command: &Command, connection: &mut MultiplexedConnection) -> Result<Value, RedisError> {
        self.note(command);
        let value = command.to_redis().query_async(connection).await?;
        Ok(if command.name() == "INFO" { response::as_upstash_tells(value) } else { value })
    }

    fn note(&self, command: &Command) {
        *self.commands.lock().unwrap_or_else(PoisonError::into_inner).entry(command.name()).or_default() += 1;
    }

    /// Who answers the command: what may write goes to the primary, what only reads to anybody.
    async fn place_of(
        &self,
        command: &Command,
        sync_token: Option<u64>,
        primary: &mut MultiplexedConnection,
    ) -> Result<MultiplexedConnection, RedisError> {
        let Some(replica) = &self.replica else {
            self.writes.fetch_add(1, Ordering::SeqCst);
            return Ok(primary.clone());
        };
        let about: Value = redis::cmd("COMMAND").arg("INFO").arg(command.name()).query_async(primary).await?;
        if !response::is_read_only(&about) {
            self.writes.fetch_add(1, Ordering::SeqCst);
            return Ok(primary.clone());
        }
        match sync_token == Some(self.writes.load(Ordering::SeqCst)) {
            true => Ok(primary.clone()),
            false => replica.get_multiplexed_async_connection().await,
        }
    }
}
