//! The load generator: a closed loop over kept connections, each with one request under way.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::Barrier;

/// Longer than any deadline of the system: reached only by a request that hangs, and that ends the benchmark.
const PATIENCE: Duration = Duration::from_secs(30);

/// The generator's threads, one a processor. What drives it is synchronous, as the clients of PostgreSQL and Redis are.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Runtime::new().unwrap_or_else(|error| panic!("no threads: {error}")));

/// A request to send.
#[derive(Clone)]
pub struct Ask {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// The value of `Authorization`.
    pub authorization: HeaderValue,
    /// A body, which is JSON.
    pub body: Bytes,
}

/// What the n-th request is; the connection's number keeps writers apart.
pub type Next = Arc<dyn Fn(usize, usize) -> Ask + Send + Sync>;

/// When the loop ends.
#[derive(Clone, Copy)]
pub enum Limit {
    /// After this long.
    For(Duration),
    /// After so many requests of all connections together.
    Requests(usize),
}

/// What the cache did for an answer, as its `Cache-Status` says; an answer without one is a write's, or not the API's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// From the cache.
    Hit,
    /// Read from PostgreSQL and stored, or read by another request and shared.
    Miss,
    /// Read from PostgreSQL past the cache.
    Bypass,
    /// The answer says nothing of the cache.
    Other,
}

impl Kind {
    fn of(headers: &HeaderMap) -> Kind {
        let Some(status) = headers.get("cache-status").and_then(|status| status.to_str().ok()) else {
            return Kind::Other;
        };
        match status {
            _ if status.contains("hit") => Kind::Hit,
            _ if status.contains("fwd=bypass") => Kind::Bypass,
            _ => Kind::Miss,
        }
    }
}

/// One answered request.
#[derive(Clone, Copy)]
pub struct Answered {
    /// From its first byte out to its last byte in, in microseconds.
    pub micros: u32,
    /// What the cache did.
    pub kind: Kind,
    /// Whether it was a write.
    pub is_write: bool,
    /// Whether it was a page of a list.
    pub is_list: bool,
}

/// What a load did.
pub struct Outcome {
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// Every request.
    pub answered: Vec<Answered>,
    /// The processor time of the generator itself.
    pub own_cpu: Duration,
}

/// Sends requests from so many connections until the limit is reached. All connections are open before the first request.
///
/// # Errors
/// When a connection breaks, or an answer is no success: what is measured must not be failures.
pub fn run(address: SocketAddr, connections: usize, limit: Limit, next: Next) -> Result<Outcome> {
    RUNTIME.block_on(loop_until(address, connections, limit, next))
}

/// Sends a request once, and gives the answer's body.
pub fn once(address: SocketAddr, ask: Ask) -> Result<Bytes> {
    let name = format!("{} {}", ask.method, ask.target);
    let exchange = async { exchange(&mut connect(address).await?, address, ask).await };
    RUNTIME.block_on(exchange).map(|(_, body)| body).context(name)
}

async fn loop_until(address: SocketAddr, connections: usize, limit: Limit, next: Next) -> Result<Outcome> {
    let sent = Arc::new(AtomicUsize::new(0));
    let barrier = Arc::new(Barrier::new(connections + 1));
    let start = |number| {
        let (sent, barrier, next) = (sent.clone(), barrier.clone(), next.clone());
        tokio::spawn(async move { client(address, number, limit, &sent, &barrier, next).await })
    };
    let clients: Vec<_> = (0..connections).map(start).collect();
    barrier.wait().await;
    let (began, cpu) = (Instant::now(), own_cpu()?);
    let mut answered = Vec::new();
    for client in clients {
        answered.extend(client.await??);
    }
    Ok(Outcome { elapsed: began.elapsed(), answered, own_cpu: own_cpu()?.saturating_sub(cpu) })
}

async fn client(
    address: SocketAddr,
    number: usize,
    limit: Limit,
    sent: &AtomicUsize,
    barrier: &Barrier,
    next: Next,
) -> Result<Vec<Answered>> {
    let connected = connect(address).await;
    // Also when it failed: the others wait.
    barrier.wait().await;
    let mut sender = connected?;
    let began = Instant::now();
    let mut answered = Vec::new();
    loop {
        let turn = sent.fetch_add(1, Ordering::Relaxed);
        let is_over = match limit {
            Limit::For(time) => began.elapsed() >= time,
            Limit::Requests(count) => turn >= count,
        };
        if is_over {
            return Ok(answered);
        }
        let ask = next(number, turn);
        let name = format!("{} {}", ask.method, ask.target);
        let exchange = tokio::time::timeout(PATIENCE, exchange(&mut sender, address, ask));
        let exchange = exchange.await.map_err(|_| anyhow!("no answer in {PATIENCE:?}"));
        answered.push(exchange.and_then(|answered| answered).with_context(|| name)?.0);
    }
}

async fn connect(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await.context("cannot connect")?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn exchange(sender: &mut SendRequest<Full<Bytes>>, address: SocketAddr, ask: Ask) -> Result<(Answered, Bytes)> {
    let is_write = ask.method != Method::GET;
    let is_list = ask.target.starts_with("/api/properties?");
    let mut request = Request::builder().method(ask.method).uri(ask.target).header(header::HOST, address.to_string());
    request = request.header(header::AUTHORIZATION, ask.authorization);
    if is_write {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    let request = request.body(Full::new(ask.body))?;
    sender.ready().await?;
    let began = Instant::now();
    let response: Response<Incoming> = sender.send_request(request).await?;
    let (head, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    let micros = u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX);
    if !head.status.is_success() {
        bail!("{}: {}", head.status, String::from_utf8_lossy(&body));
    }
    Ok((Answered { micros, kind: Kind::of(&head.headers), is_write, is_list }, body))
}

fn own_cpu() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(u64::try_from(micros).unwrap_or_default()))
}
