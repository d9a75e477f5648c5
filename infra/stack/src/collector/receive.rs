//! One request of OTLP over HTTP (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>), in protobuf.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

/// Where batches of spans are sent.
pub const TRACES: &str = "/v1/traces";

/// The largest head of a request, in bytes: the four headers of an exporter are 200.
const MAX_HEAD_BYTES: usize = 16 << 10;
/// The most headers of a request.
const MAX_HEADERS: usize = 64;
/// The largest batch, in bytes: 512 spans, which is how many an exporter sends at once, of 8 KB.
const MAX_BODY_BYTES: usize = 4 << 20;
/// How long a sender may be silent: all of them are on this machine.
const IO_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a request may take to arrive. The next sender waits for as long, and so does `Collector::drop`.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a request was not taken: the status that it is answered.
type Refusal = &'static str;

const OK: &str = "200 OK";
const BAD_REQUEST: Refusal = "400 Bad Request";
const NOT_FOUND: Refusal = "404 Not Found";
const TIMEOUT: Refusal = "408 Request Timeout";
const LENGTH_REQUIRED: Refusal = "411 Length Required";
const TOO_LARGE: Refusal = "413 Content Too Large";
const UNSUPPORTED: Refusal = "415 Unsupported Media Type";

/// Reads a batch, and answers it. The connection is closed behind it.
pub fn receive(mut stream: TcpStream) -> std::io::Result<ExportTraceServiceRequest> {
    stream.set_write_timeout(Some(IO_TIMEOUT))?;
    let taken = batch(Incoming { stream: &stream, deadline: Instant::now() + REQUEST_TIMEOUT });
    let status = taken.as_ref().map_or_else(|refusal| *refusal, |_| OK);
    // An empty body is an `ExportTraceServiceResponse` in which nothing was rejected.
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )?;
    Ok(taken.unwrap_or_default())
}

/// The bytes of a request, until its deadline.
struct Incoming<'a> {
    stream: &'a TcpStream,
    deadline: Instant,
}

impl Read for Incoming<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left.min(IO_TIMEOUT)))?;
        self.stream.read(bytes)
    }
}

fn batch(mut incoming: Incoming<'_>) -> Result<ExportTraceServiceRequest, Refusal> {
    let mut bytes = Vec::new();
    let (head, length) = loop {
        if let Some(found) = head(&bytes)? {
            break found;
        }
        if bytes.len() > MAX_HEAD_BYTES {
            return Err(BAD_REQUEST);
        }
        let mut piece = [0; 4096];
        match incoming.read(&mut piece) {
            Ok(0) => return Err(BAD_REQUEST),
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
            Err(_) => return Err(TIMEOUT),
        }
    };
    let mut body = bytes.split_off(head);
    let missing = length.saturating_sub(body.len()) as u64;
    incoming.take(missing).read_to_end(&mut body).map_err(|_| TIMEOUT)?;
    let request = body.get(..length).ok_or(BAD_REQUEST)?;
    ExportTraceServiceRequest::decode(request).map_err(|_| BAD_REQUEST)
}

/// How long the head is, and the body behind it; nothing while the head is not whole.
fn head(bytes: &[u8]) -> Result<Option<(usize, usize)>, Refusal> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head) = request.parse(bytes).map_err(|_| BAD_REQUEST)? else { return Ok(None) };
    if (request.method, request.path) != (Some("POST"), Some(TRACES)) {
        return Err(NOT_FOUND);
    }
    let header = |name: &str| request.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
    if header("content-encoding").is_some() {
        return Err(UNSUPPORTED);
    }
    let length = header("content-length").and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok());
    match length.ok_or(LENGTH_REQUIRED)? {
        length if length > MAX_BODY_BYTES => Err(TOO_LARGE),
        length => Ok(Some((head, length))),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_sender_that_is_never_silent_is_cut_off_at_the_deadline() {
        const DEADLINE: Duration = Duration::from_millis(200);
        let check = |head: &str| {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            let mut sender = TcpStream::connect(listener.local_addr().expect("an address")).expect("it listens");
            let (stream, _) = listener.accept().expect("a connection");
            std::thread::scope(|scope| {
                scope.spawn(move || {
                    sender.write_all(head.as_bytes()).expect("it reads");
                    // For 3 s, unless the connection is closed.
                    for _ in 0..150 {
                        std::thread::sleep(Duration::from_millis(20));
                        if sender.write_all(b"a").is_err() {
                            return;
                        }
                    }
                });
                let begun = Instant::now();
                let refusal = batch(Incoming { stream: &stream, deadline: begun + DEADLINE }).expect_err("refused");
                assert_eq!(refusal, TIMEOUT, "{head}");
                assert!((DEADLINE..10 * DEADLINE).contains(&begun.elapsed()), "{:?}", begun.elapsed());
                drop(stream);
            });
        };
        check("POST /v1/traces HTTP/1.1\r\nname: ");
        check("POST /v1/traces HTTP/1.1\r\ncontent-length: 1000\r\n\r\n");
    }
}
