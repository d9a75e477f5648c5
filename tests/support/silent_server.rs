//! A server that accepts every connection, never answers, and counts connections.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

#[derive(Default)]
struct Counts {
    over: AtomicBool,
    came: AtomicUsize,
    open: AtomicUsize,
    most_at_once: AtomicUsize,
}

/// The server. Dropping it ends it; connections end when their clients close them.
pub struct SilentServer {
    counts: Arc<Counts>,
    port: u16,
    accepting: Option<JoinHandle<()>>,
}

impl SilentServer {
    /// Listens on a port that somebody else has left.
    pub fn listen(port: u16) -> SilentServer {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
        let counts = Arc::new(Counts::default());
        let ours = Arc::clone(&counts);
        let accepting = std::thread::spawn(move || {
            for stream in listener.incoming().map(|stream| stream.expect("a connection")) {
                if ours.over.load(Ordering::SeqCst) {
                    return;
                }
                ours.came.fetch_add(1, Ordering::SeqCst);
                let open = ours.open.fetch_add(1, Ordering::SeqCst) + 1;
                ours.most_at_once.fetch_max(open, Ordering::SeqCst);
                let counts = Arc::clone(&ours);
                std::thread::spawn(move || {
                    hear_out(stream);
                    counts.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        SilentServer { counts, port, accepting: Some(accepting) }
    }

    /// Starts to look anew how many are there at once; how many have come so far.
    pub fn forget(&self) -> usize {
        self.counts.most_at_once.store(0, Ordering::SeqCst);
        self.counts.came.load(Ordering::SeqCst)
    }

    /// How many have come, and how many were there at once since [`SilentServer::forget`].
    pub fn seen(&self) -> (usize, usize) {
        (self.counts.came.load(Ordering::SeqCst), self.counts.most_at_once.load(Ordering::SeqCst))
    }
}

fn hear_out(mut stream: TcpStream) {
    let mut heard = [0; 1024];
    while stream.read(&mut heard).is_ok_and(|count| count > 0) {}
}

impl Drop for SilentServer {
    fn drop(&mut self) {
        self.counts.over.store(true, Ordering::SeqCst);
        // Wakes it up.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}
