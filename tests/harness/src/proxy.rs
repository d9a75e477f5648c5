//! A TCP proxy in front of a server, one for each host, so that one host alone can be cut off, delayed or watched.
//!
//! A connection through it lives and dies with the connection behind it: a client never talks to another server than the
//! one that it first reached.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::random::scramble;

const BUFFER: usize = 16 * 1024;

/// The thread that all proxies run on. Dropping it ends them.
pub struct Network {
    runtime: Option<Runtime>,
}

/// What becomes of what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is passed on.
    Open,
    /// Connections are closed, and new ones are closed at once.
    Cut,
    /// Nothing is passed on, and nothing is closed: it all arrives late.
    Stalled,
}

/// What is done with a command that holds a watched text.
#[derive(Clone)]
pub enum Catch {
    /// It arrives this much later, and so does everything behind it.
    Delay(Duration),
    /// This is done, once, and the command is never passed on.
    Stop(Arc<dyn Fn() + Send + Sync>),
}

struct Watch {
    text: Vec<u8>,
    catch: Catch,
}

/// How often a thing really happened.
#[derive(Default)]
pub struct Counts {
    /// Connections that were open when the link was cut.
    pub cut: AtomicU64,
    /// Connections refused while it was cut.
    pub refused: AtomicU64,
    /// Pieces held up while it was stalled.
    pub stalled: AtomicU64,
    /// Answers that were delayed on purpose.
    pub delayed: AtomicU64,
    /// Commands with the watched text.
    pub caught: AtomicU64,
}

/// The way of one host to one server.
pub struct Link {
    port: u16,
    upstream: SocketAddr,
    mode: watch::Sender<Mode>,
    /// Milliseconds, from and to.
    answer_delay: Mutex<(u64, u64)>,
    is_delaying: AtomicBool,
    /// Of a thousand pieces so many are held up, for at most so many milliseconds.
    noise: (u64, u64),
    dice: AtomicU64,
    watch: Mutex<Option<Watch>>,
    is_watching: AtomicBool,
    /// What happened.
    pub counts: Counts,
}

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    ToServer,
    ToHost,
}

impl Network {
    /// One thread is enough: it only passes bytes on.
    pub fn start() -> Result<Network> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        Ok(Network { runtime: Some(runtime) })
    }

    /// A new way to `upstream`.
    pub fn link(&self, upstream: u16, noise: (u64, u64), seed: u64) -> Result<Arc<Link>> {
        let runtime = self.runtime.as_ref().context("the network has ended")?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let link = Arc::new(Link {
            port: listener.local_addr()?.port(),
            upstream: (Ipv4Addr::LOCALHOST, upstream).into(),
            mode: watch::Sender::new(Mode::Open),
            answer_delay: Mutex::new((0, 0)),
            is_delaying: AtomicBool::new(false),
            noise,
            dice: AtomicU64::new(seed),
            watch: Mutex::new(None),
            is_watching: AtomicBool::new(false),
            counts: Counts::default(),
        });
        let _inside = runtime.enter();
        let listener = TcpListener::from_std(listener)?;
        runtime.spawn(accept(listener, Arc::clone(&link)));
        Ok(link)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Link {
    /// Where the host connects to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Changes what becomes of what is sent.
    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Closes the connections that there are; new ones are passed on.
    pub fn drop_connections(&self) {
        self.set(Mode::Cut);
        // Until each has seen it.
        std::thread::sleep(Duration::from_millis(2));
        self.set(Mode::Open);
    }

    /// Delays every piece of an answer by a time in this range of milliseconds; `(0, 0)` ends it.
    pub fn delay_answers(&self, range: (u64, u64)) {
        *self.answer_delay.lock().unwrap_or_else(PoisonError::into_inner) = range;
        self.is_delaying.store(range.1 > 0, Ordering::SeqCst);
    }

    /// Watches for a command that holds `text`.
    pub fn watch(&self, text: &str, catch: Catch) {
        *self.watch.lock().unwrap_or_else(PoisonError::into_inner) = Some(Watch { text: text.into(), catch });
        self.is_watching.store(true, Ordering::SeqCst);
    }

    /// Watches no longer.
    pub fn unwatch(&self) {
        self.is_watching.store(false, Ordering::SeqCst);
        *self.watch.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn roll(&self) -> u64 {
        scramble(self.dice.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed))
    }

    /// Holds a piece up as long as it shall be.
    async fn hold(&self, direction: Direction) {
        if *self.mode.borrow() == Mode::Stalled {
            self.counts.stalled.fetch_add(1, Ordering::SeqCst);
            let _ = self.mode.subscribe().wait_for(|mode| *mode != Mode::Stalled).await;
        }
        if direction == Direction::ToHost && self.is_delaying.load(Ordering::SeqCst) {
            let (from, to) = *self.answer_delay.lock().unwrap_or_else(PoisonError::into_inner);
            self.counts.delayed.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(from + self.roll() % (to - from + 1))).await;
        }
        let (permille, most) = self.noise;
        if permille > 0 && self.roll() % 1_000 < permille {
            tokio::time::sleep(Duration::from_millis(1 + self.roll() % most)).await;
        }
    }

    /// Looks for the watched text, which may lie across two pieces. `false` when the piece must not be passed on.
    async fn inspect(&self, tail: &mut Vec<u8>, piece: &[u8]) -> bool {
        let caught = {
            let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(Watch { text, catch }) = &*watch else {
                return true;
            };
            tail.extend_from_slice(piece);
            let found = tail.windows(text.len()).any(|window| window == text);
            let kept = if found { 0 } else { (text.len() - 1).min(tail.len()) };
            tail.drain(..tail.len() - kept);
            if !found {
                return true;
            }
            let catch = catch.clone();
            if matches!(catch, Catch::Stop(_)) {
                *watch = None;
                self.is_watching.store(false, Ordering::SeqCst);
            }
            catch
        };
        self.counts.caught.fetch_add(1, Ordering::SeqCst);
        match caught {
            Catch::Delay(time) => {
                tokio::time::sleep(time).await;
                true
            }
            Catch::Stop(action) => {
                // It may take a while, in which the other ways are not held up.
                tokio::task::block_in_place(|| action());
                false
            }
        }
    }
}

async fn accept(listener: TcpListener, link: Arc<Link>) {
    loop {
        // Fails when the process is out of file descriptors, which passes.
        let Ok((host, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        if *link.mode.borrow() == Mode::Cut {
            link.counts.refused.fetch_add(1, Ordering::SeqCst);
            continue;
        }
        let link = Arc::clone(&link);
        tokio::spawn(async move {
            let mut mode = link.mode.subscribe();
            tokio::select! {
                _ = carry(host, &link) => {}
                _ = mode.wait_for(|mode| *mode == Mode::Cut) => {
                    link.counts.cut.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
    }
}

/// Ends both sides as soon as one ends.
async fn carry(host: TcpStream, link: &Link) -> std::io::Result<()> {
    let server = TcpStream::connect(link.upstream).await?;
    host.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let ((from_host, to_host), (from_server, to_server)) = (host.into_split(), server.into_split());
    tokio::select! {
        ended = pump(from_host, to_server, link, Direction::ToServer) => ended,
        ended = pump(from_server, to_host, link, Direction::ToHost) => ended,
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    link: &Link,
    direction: Direction,
) -> std::io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    let mut tail = Vec::new();
    loop {
        let length = from.read(&mut buffer).await?;
        let Some(piece) = buffer.get(..length).filter(|piece| !piece.is_empty()) else {
            return Ok(());
        };
        let is_watched = direction == Direction::ToServer && link.is_watching.load(Ordering::SeqCst);
        if is_watched && !link.inspect(&mut tail, piece).await {
            return Ok(());
        }
        link.hold(direction).await;
        to.write_all(piece).await?;
    }
}
