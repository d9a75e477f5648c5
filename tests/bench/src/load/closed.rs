//! The load generator as a closed loop: kept connections, each with one request under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use tokio::sync::Barrier;

use super::connection::{Answered, Ask, Client, RUNTIME, Server};

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
pub fn run(server: impl Into<Server>, connections: usize, limit: Limit, next: Next) -> Result<Outcome> {
    RUNTIME.block_on(loop_until(server.into(), connections, limit, next))
}

/// Sends a request once, and gives the answer's body.
pub fn once(server: impl Into<Server>, ask: Ask) -> Result<Bytes> {
    let mut client = Client::new(server.into());
    Ok(RUNTIME.block_on(client.exchange(ask, None))?.1)
}

async fn loop_until(server: Server, connections: usize, limit: Limit, next: Next) -> Result<Outcome> {
    let sent = Arc::new(AtomicUsize::new(0));
    let barrier = Arc::new(Barrier::new(connections + 1));
    let start = |number| {
        let (server, sent, barrier, next) = (server.clone(), sent.clone(), barrier.clone(), next.clone());
        tokio::spawn(async move { client(server, number, limit, &sent, &barrier, next).await })
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
    server: Server,
    number: usize,
    limit: Limit,
    sent: &AtomicUsize,
    barrier: &Barrier,
    next: Next,
) -> Result<Vec<Answered>> {
    let mut client = Client::new(server);
    let connected = client.connect().await;
    // Also when it failed: the others wait.
    barrier.wait().await;
    connected?;
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
        answered.push(client.exchange(next(number, turn), None).await?.0);
    }
}

/// The processor time that the generator has used.
pub fn own_cpu() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(u64::try_from(micros).unwrap_or_default()))
}
