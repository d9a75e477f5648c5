//! The smallest HTTP client that shows what is on the wire.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Long enough for a loaded machine: a test that hangs must fail, not wait.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A connection that is kept alive.
pub struct Client {
    reader: BufReader<TcpStream>,
}

/// An answer, as it came.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, TIMEOUT).expect("the host accepts");
        stream.set_read_timeout(Some(TIMEOUT)).expect("a timeout can be set");
        Self { reader: BufReader::new(stream) }
    }

    /// Sends a request as it is given.
    pub fn send(&mut self, request: &[u8]) {
        self.reader.get_mut().write_all(request).expect("the host reads");
    }

    /// Sends a request with a body.
    pub fn post(&mut self, path: &str, body: &str) -> Answer {
        self.send(
            format!("POST {path} HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n\r\n{body}", body.len()).as_bytes(),
        );
        self.answer(true)
    }

    /// Sends a request without a body.
    pub fn get(&mut self, path: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n").as_bytes());
        self.answer(true)
    }

    /// Reads an answer; one to HEAD has no body.
    pub fn answer(&mut self, body: bool) -> Answer {
        self.try_answer(body).expect("the host answers")
    }

    /// Reads an answer, or nothing when the connection is closed first.
    pub fn try_answer(&mut self, body: bool) -> Option<Answer> {
        let status = self.line()?.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line");
        let mut headers = Vec::new();
        while let Some((name, value)) = self.line()?.split_once(": ") {
            headers.push((name.to_lowercase(), value.to_owned()));
        }
        let mut answer = Answer { status, headers, body: String::new() };
        if body && status != 204 && status != 304 {
            answer.body = match answer.header("content-length") {
                Some(length) => self.exactly(length.parse().expect("a length")),
                None => self.chunks(),
            };
        }
        Some(answer)
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        (self.reader.read_line(&mut line).expect("the host answers in time") > 0).then(|| line.trim_end().to_owned())
    }

    fn exactly(&mut self, length: usize) -> String {
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body).expect("the whole body comes");
        String::from_utf8(body).expect("text")
    }

    fn chunks(&mut self) -> String {
        let mut body = String::new();
        loop {
            let length = usize::from_str_radix(&self.line().expect("a chunk"), 16).expect("a chunk's length");
            body += &self.exactly(length);
            self.line();
            if length == 0 {
                return body;
            }
        }
    }
}
