//! One request of OTLP over HTTP (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>), in protobuf.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

use super::span::{Span, spans};

/// Where batches of spans are sent.
pub const TRACES: &str = "/v1/traces";

/// The largest head of a request, in bytes: the four headers of an exporter are 200.
const MAX_HEAD_BYTES: usize = 16 << 10;
/// The most headers of a request.
const MAX_HEADERS: usize = 64;
/// The largest batch, in bytes: 512 spans, which is how many an exporter sends at once, of 8 KB.
const MAX_BODY_BYTES: usize = 4 << 20;
/// How long a sender may be silent: all of them are on this machine.
const PATIENCE: Duration = Duration::from_secs(2);

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
pub fn receive(mut stream: TcpStream) -> std::io::Result<Vec<Span>> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let taken = batch(&mut stream);
    let status = taken.as_ref().map_or_else(|refusal| *refusal, |_| OK);
    // An empty body is an `ExportTraceServiceResponse` in which nothing was rejected.
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )?;
    Ok(taken.unwrap_or_default())
}

fn batch(stream: &mut TcpStream) -> Result<Vec<Span>, Refusal> {
    let mut bytes = Vec::new();
    let (head, length) = loop {
        if let Some(found) = head(&bytes)? {
            break found;
        }
        if bytes.len() > MAX_HEAD_BYTES {
            return Err(BAD_REQUEST);
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece) {
            Ok(0) => return Err(BAD_REQUEST),
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
            Err(_) => return Err(TIMEOUT),
        }
    };
    let mut body = bytes.split_off(head);
    let missing = length.saturating_sub(body.len()) as u64;
    Read::take(stream, missing).read_to_end(&mut body).map_err(|_| TIMEOUT)?;
    let request = body.get(..length).ok_or(BAD_REQUEST)?;
    ExportTraceServiceRequest::decode(request).map(spans).map_err(|_| BAD_REQUEST)
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
