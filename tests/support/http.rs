//! HTTP as it stands on the wire: one connection a request, read to its end, so that a byte too many or too few, a
//! chunked answer or a body after `HEAD` cannot hide behind a forgiving client.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use super::answer::Answer;

/// Longer than any deadline in the system: reached only when a request hangs, and that fails the test.
const PATIENCE: Duration = Duration::from_secs(60);

/// How the request carries its body.
pub enum Body {
    /// None, and no `Content-Length`.
    None,
    /// With a `Content-Length`.
    Sized(Vec<u8>),
    /// In these chunks.
    Chunked(Vec<Vec<u8>>),
}

/// A request under construction.
pub struct Request {
    /// `host:port`.
    pub address: String,
    /// Any token.
    pub method: String,
    /// Path and query, written as they stand.
    pub target: String,
    /// In the order given, duplicates and all.
    pub headers: Vec<(String, String)>,
    /// What comes after the headers.
    pub body: Body,
}

impl Request {
    /// A request without a body.
    pub fn new(base_url: &str, method: &str, target: &str) -> Request {
        let address = base_url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        Request { address, method: method.into(), target: target.into(), headers: Vec::new(), body: Body::None }
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Request {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// A JSON body with its content type.
    pub fn json(self, value: &Value) -> Request {
        self.raw_json(value.to_string())
    }

    /// Bytes sent as JSON, whether they are or not.
    pub fn raw_json(self, bytes: impl Into<Vec<u8>>) -> Request {
        self.header("Content-Type", "application/json").body(bytes)
    }

    /// A body without a content type.
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Request {
        self.body = Body::Sized(bytes.into());
        self
    }

    /// A chunked body.
    pub fn chunks(mut self, chunks: &[&[u8]]) -> Request {
        self.body = Body::Chunked(chunks.iter().map(|chunk| chunk.to_vec()).collect());
        self
    }

    /// Sends it and holds the answer to what every answer owes: see [`Answer::hold_to_the_contract`].
    pub fn send(self) -> Answer {
        let answer = self.send_unchecked();
        answer.hold_to_the_contract();
        answer
    }

    /// Sends it, for answers that the server makes before any component sees the request.
    pub fn send_unchecked(self) -> Answer {
        let asked = format!("{} {}", self.method, self.target);
        let bytes = exchange(&self.address, &self.bytes()).unwrap_or_else(|error| panic!("{asked}: {error}"));
        Answer::parse(asked, self.method == "HEAD", &bytes)
    }

    /// What goes over the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: {}\r\n", self.method, self.target, self.address);
        head.push_str("Connection: close\r\n");
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let mut bytes = match &self.body {
            Body::None => return [head.as_bytes(), b"\r\n"].concat(),
            Body::Sized(body) => {
                let _ = write!(head, "Content-Length: {}\r\n\r\n", body.len());
                return [head.as_bytes(), body].concat();
            }
            Body::Chunked(_) => [head.as_bytes(), b"Transfer-Encoding: chunked\r\n\r\n"].concat(),
        };
        if let Body::Chunked(chunks) = &self.body {
            for chunk in chunks {
                bytes.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
                bytes.extend(chunk);
                bytes.extend(b"\r\n");
            }
            bytes.extend(b"0\r\n\r\n");
        }
        bytes
    }
}

/// Writes `bytes` and reads until the server closes. Writing goes on beside reading: a server may answer, and close,
/// before it has read a body that is too large.
pub fn exchange(address: &str, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    writer.set_write_timeout(Some(PATIENCE))?;
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // Fails when the server has answered early and closed; what it answered is what counts.
            let _ = writer.write_all(bytes);
        });
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Err(error) if answer.is_empty() => Err(error),
            _ => Ok(answer),
        }
    })
}
