//! A client that keeps its connections, and says of a request that failed whether it may have been carried out.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// Longer than any deadline in the system.
const PATIENCE: Duration = Duration::from_secs(20);

/// The header with a session's token, of requests and answers.
const SESSION: &str = "renttracker-session";

/// What the cache had to do with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    /// Answered from the cache.
    Hit,
    /// Answered by the instance, from what it got from the cache a moment ago.
    Lease,
    /// Read from PostgreSQL and stored.
    Stored,
    /// Read from PostgreSQL and not stored.
    Miss,
    /// Shared another's read.
    Collapsed,
    /// The cache was left out.
    Bypass,
    /// It does not say: a write, or an error.
    Silent,
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The version in the entity tag.
    pub version: Option<u64>,
    /// From `Cache-Status`.
    pub cache: Cache,
    /// From `RentTracker-Session`.
    pub session: Option<String>,
    /// The whole body.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Failure {
    /// Nobody listened: it was not carried out.
    NotSent(std::io::Error),
    /// It may have been carried out.
    Unknown(std::io::Error),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::NotSent(error) => write!(f, "nobody listens: {error}"),
            Failure::Unknown(error) => write!(f, "no answer: {error}"),
        }
    }
}

/// A connection that is opened when it is needed.
#[derive(Default)]
pub struct Connection {
    stream: Option<(u16, TcpStream)>,
    buffer: Vec<u8>,
}

impl Connection {
    /// Sends a request to a port of this machine and reads the answer.
    pub fn exchange(&mut self, port: u16, request: &[u8]) -> Result<Reply, Failure> {
        let stream = match self.stream.take() {
            Some((its, stream)) if its == port => stream,
            _ => connect(port).map_err(Failure::NotSent)?,
        };
        let mut stream = stream;
        self.buffer.clear();
        let reply = stream.write_all(request).and_then(|()| read(&mut stream, &mut self.buffer));
        let (reply, keep) = reply.map_err(Failure::Unknown)?;
        if keep {
            self.stream = Some((port, stream));
        }
        Ok(reply)
    }

    /// Opens the connection beforehand.
    pub fn open(&mut self, port: u16) -> std::io::Result<()> {
        self.stream = Some((port, connect(port)?));
        Ok(())
    }
}

fn connect(port: u16) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Makes the bytes of a request, with a session's token if it has one.
pub fn request(method: &str, target: &str, token: &str, session: Option<&str>, body: Option<&str>) -> Vec<u8> {
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: history\r\nAuthorization: Bearer {token}\r\n");
    if let Some(session) = session {
        head += &format!("{SESSION}: {session}\r\n");
    }
    match body {
        None => format!("{head}\r\n").into_bytes(),
        Some(body) => {
            let length = body.len();
            format!("{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
        }
    }
}

fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> std::io::Result<(Reply, bool)> {
    let invalid = |text: String| std::io::Error::new(std::io::ErrorKind::InvalidData, text);
    let mut piece = [0; 8192];
    let mut more = |buffer: &mut Vec<u8>| {
        let length = stream.read(&mut piece)?;
        if length == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        buffer.extend_from_slice(&piece[..length]);
        Ok::<_, std::io::Error>(())
    };
    let (head, length, mut reply, keep) = loop {
        more(buffer)?;
        let mut slots = [httparse::EMPTY_HEADER; 32];
        let mut response = httparse::Response::new(&mut slots);
        let parsed = response.parse(buffer).map_err(|error| invalid(format!("no HTTP: {error}")))?;
        let httparse::Status::Complete(head) = parsed else {
            continue;
        };
        let value = |name: &str| {
            let header = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
            header.and_then(|header| std::str::from_utf8(header.value).ok())
        };
        let length =
            value("content-length").map_or(Ok(0), str::parse::<usize>).map_err(|error| invalid(error.to_string()))?;
        let version = value("etag").and_then(|tag| tag.trim_matches('"').parse().ok());
        let keep = value("connection").is_none_or(|word| !word.eq_ignore_ascii_case("close"));
        let cache = value("cache-status").map_or(Cache::Silent, cache);
        let session = value(SESSION).map(str::to_owned);
        let status = response.code.unwrap_or_default();
        break (head, length, Reply { status, version, cache, session, body: Vec::new() }, keep);
    };
    while buffer.len() < head + length {
        more(buffer)?;
    }
    reply.body = buffer[head..head + length].to_vec();
    Ok((reply, keep))
}

fn cache(text: &str) -> Cache {
    match text {
        text if text.ends_with("hit") => Cache::Hit,
        text if text.ends_with("detail=lease") => Cache::Lease,
        text if text.contains("bypass") => Cache::Bypass,
        text if text.contains("collapsed") => Cache::Collapsed,
        text if text.contains("stored") => Cache::Stored,
        _ => Cache::Miss,
    }
}
