//! A backend behind the API: HTTP/1.1 on a socket, so that a test says what it reads and writes, and when.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Longer than any deadline in the system: reached only when something hangs, and that fails the test.
const PATIENCE: Duration = Duration::from_secs(60);

/// The head of a request that has come.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its method.
    pub method: String,
    /// Path and query, as they stand.
    pub target: String,
    /// As they came, in order, their names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Received {
    /// All values of a header, in order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(its, _)| its == name).map(|(_, value)| value.as_str()).collect()
    }
}

/// A request, and the connection that it came by.
pub struct Exchange {
    /// Its head.
    pub head: Received,
    stream: TcpStream,
    /// What was read behind the head.
    unread: Vec<u8>,
}

impl Read for Exchange {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.unread.is_empty() {
            return self.stream.read(buffer);
        }
        let count = buffer.len().min(self.unread.len());
        buffer[..count].copy_from_slice(&self.unread[..count]);
        self.unread.drain(..count);
        Ok(count)
    }
}

impl Exchange {
    /// The whole body. An error is one that breaks off.
    pub fn body(&mut self) -> io::Result<Vec<u8>> {
        if self.head.all("transfer-encoding") == ["chunked"] {
            return self.chunks();
        }
        let length = self.head.all("content-length").first().map_or(0, |length| length.parse().expect("a length"));
        let mut body = vec![0; length];
        self.read_exact(&mut body)?;
        Ok(body)
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let size = usize::from_str_radix(line.split(';').next().unwrap_or_default(), 16).expect("a chunk's size");
            if size == 0 {
                while !self.line()?.is_empty() {}
                return Ok(body);
            }
            let start = body.len();
            body.resize(start + size, 0);
            self.read_exact(&mut body[start..])?;
            self.line()?;
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        let mut byte = [0];
        while !line.ends_with(b"\r\n") {
            self.read_exact(&mut byte)?;
            line.push(byte[0]);
        }
        line.truncate(line.len() - 2);
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    /// Writes bytes as they are; an error is a client that is gone.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Writes a whole answer, and says that the connection ends with it.
    pub fn answer(&mut self, status: &str, headers: &[(&str, &str)], body: &[u8]) {
        let mut head = format!("HTTP/1.1 {status}\r\nConnection: close\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        // What cannot be written is of no use to anybody.
        let _ = self.write(&[head.as_bytes(), b"\r\n", body].concat());
    }
}

/// The server. Dropping it ends it.
pub struct OriginServer {
    url: String,
    seen: Arc<Mutex<Vec<Received>>>,
    over: Arc<AtomicBool>,
}

impl OriginServer {
    /// Answers each request by `answer`, on a thread of its own.
    pub fn start(answer: impl Fn(&mut Exchange) + Send + Sync + 'static) -> OriginServer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (seen, over, answer) =
            (Arc::<Mutex<Vec<Received>>>::default(), Arc::<AtomicBool>::default(), Arc::new(answer));
        let server = OriginServer { url, seen: Arc::clone(&seen), over: Arc::clone(&over) };
        std::thread::spawn(move || {
            for stream in listener.incoming().map(|stream| stream.expect("a connection")) {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                std::thread::spawn(move || {
                    if let Some(mut exchange) = receive(stream) {
                        seen.lock().expect("a list").push(exchange.head.clone());
                        answer(&mut exchange);
                    }
                });
            }
        });
        server
    }

    /// Answers each request with 200 and its body.
    pub fn echo() -> OriginServer {
        OriginServer::start(|exchange| {
            let body = exchange.body().expect("a whole body");
            exchange.answer("200 OK", &[("Content-Type", "application/octet-stream")], &body);
        })
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The requests that have come.
    pub fn seen(&self) -> Vec<Received> {
        self.seen.lock().expect("a list").clone()
    }

    /// The only request that has come.
    #[track_caller]
    pub fn only(&self) -> Received {
        let mut seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.remove(0)
    }

    /// Forgets them.
    pub fn forget(&self) {
        self.seen.lock().expect("a list").clear();
    }
}

/// Reads a head; `None` when the connection ends before.
fn receive(mut stream: TcpStream) -> Option<Exchange> {
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 8192];
        match stream.read(&mut piece) {
            Ok(count @ 1..) => bytes.extend_from_slice(&piece[..count]),
            _ => return None,
        }
        let mut slots = [httparse::EMPTY_HEADER; 128];
        let mut request = httparse::Request::new(&mut slots);
        if let Ok(httparse::Status::Complete(length)) = request.parse(&bytes) {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let headers = request.headers.iter().map(|it| (it.name.to_ascii_lowercase(), text(it.value))).collect();
            let (method, target) = (request.method.unwrap_or_default(), request.path.unwrap_or_default());
            let head = Received { method: method.into(), target: target.into(), headers };
            return Some(Exchange { head, stream, unread: bytes[length..].to_vec() });
        }
    }
}

impl Drop for OriginServer {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Wakes it up.
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
    }
}
