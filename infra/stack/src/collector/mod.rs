//! A collector of OpenTelemetry on loopback: takes spans by OTLP over HTTP, keeps them in memory, and shows traces as trees.
//!
//! The package registries have no collector that does this without a container or a runtime of its own.

mod buffer;
mod receive;
mod span;
mod tree;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Result;

pub use buffer::Trace;
use buffer::TraceBuffer;
pub use span::Span;

/// How often a host sends the spans that have ended, in ms: soon enough to look at. OpenTelemetry's default is 5,000.
const SEND_EVERY_MS: u64 = 500;
/// A trace that no span has been added to for so long is whole: two sendings, and time for one to arrive. What a component does
/// after its answer is over before (50 ms for the outbox, 250 ms for counts).
pub const QUIET: Duration = Duration::from_millis(3 * SEND_EVERY_MS);

/// A collector that takes spans. Dropping it ends it.
pub struct Collector {
    address: SocketAddr,
    buffer: Arc<Mutex<TraceBuffer>>,
    stopping: Arc<AtomicBool>,
    receiver: Option<JoinHandle<()>>,
}

impl Collector {
    /// Starts it on a free port of loopback.
    pub fn start() -> Result<Collector> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let (buffer, stopping) = (Arc::new(Mutex::new(TraceBuffer::default())), Arc::new(AtomicBool::new(false)));
        let receiver = std::thread::Builder::new().name("collector".into()).spawn({
            let (buffer, stopping) = (buffer.clone(), stopping.clone());
            move || {
                // One after another: a host sends one batch at a time, and a second one waits in the backlog.
                for stream in listener.incoming().flatten() {
                    if stopping.load(Ordering::SeqCst) {
                        return;
                    }
                    // A broken connection needs no report: the sender was answered, or has gone.
                    if let Ok(batch) = receive::receive(stream) {
                        buffer.lock().unwrap_or_else(PoisonError::into_inner).add(span::spans(batch));
                    }
                }
            }
        })?;
        Ok(Collector { address, buffer, stopping, receiver: Some(receiver) })
    }

    /// What makes a host, embedded or Spin, send its traces here: its environment.
    pub fn environment(&self) -> BTreeMap<String, String> {
        // Traces alone: for the general endpoint Spin would send its metrics and logs too.
        let endpoint = format!("http://{}{}", self.address, receive::TRACES);
        let variables = [
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", endpoint),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf".to_owned()),
            ("OTEL_BSP_SCHEDULE_DELAY", SEND_EVERY_MS.to_string()),
        ];
        variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Every span that is kept.
    pub fn spans(&self) -> Vec<Span> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner).spans().cloned().collect()
    }

    /// Takes out the traces that no span has been added to for `quiet`.
    pub fn take(&self, quiet: Duration) -> Vec<Trace> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner).take(quiet)
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        // Wakes the thread, which waits for a connection. Without one the thread is left, and ends with the process.
        if TcpStream::connect(self.address).is_ok()
            && let Some(receiver) = self.receiver.take()
        {
            let _ = receiver.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as Message};
    use prost::Message as _;

    use super::*;

    /// What is answered to these bytes.
    fn send(collector: &Collector, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(collector.address).expect("it listens");
        stream.write_all(request).expect("it reads");
        let mut answer = String::new();
        // What is refused early may break the connection behind its answer.
        let _ = stream.read_to_string(&mut answer);
        answer.lines().next().unwrap_or_default().to_owned()
    }

    fn post(path: &str, body: &[u8]) -> Vec<u8> {
        let head = format!("POST {path} HTTP/1.1\r\nhost: collector\r\ncontent-length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    }

    fn batch(name: &str) -> Vec<u8> {
        let span = Message { trace_id: vec![1; 16], span_id: vec![2; 8], name: name.into(), ..Message::default() };
        let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
        let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
        ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    }

    #[test]
    fn a_batch_is_kept_and_its_trace_is_taken_out_once() {
        let collector = Collector::start().expect("a collector");
        assert_eq!(send(&collector, &post("/v1/traces", &batch("GET"))), "HTTP/1.1 200 OK");
        // The answer comes before the batch is kept.
        while collector.spans().is_empty() {
            std::thread::yield_now();
        }
        assert!(collector.take(Duration::from_secs(3600)).is_empty(), "more may come");
        let names: Vec<_> = collector.take(Duration::ZERO).into_iter().flat_map(|trace| trace.spans).collect();
        assert_eq!(names.iter().map(|span| span.name.as_str()).collect::<Vec<_>>(), ["GET"]);
        assert!(collector.spans().is_empty());
    }

    #[test]
    fn what_is_no_batch_is_refused_and_the_next_is_taken() {
        let collector = Collector::start().expect("a collector");
        let check = |request: &[u8], status: &str| {
            assert_eq!(
                send(&collector, request),
                format!("HTTP/1.1 {status}"),
                "{:?}",
                String::from_utf8_lossy(request)
            );
        };
        check(&post("/v1/logs", &batch("GET")), "404 Not Found");
        check(&post("/v1/traces", b"\xff\xff"), "400 Bad Request");
        check(b"POST /v1/traces HTTP/1.1\r\nhost: c\r\n\r\n", "411 Length Required");
        check(b"POST /v1/traces HTTP/1.1\r\ncontent-length: 99999999\r\n\r\n", "413 Content Too Large");
        check(
            b"POST /v1/traces HTTP/1.1\r\ncontent-encoding: gzip\r\ncontent-length: 0\r\n\r\n",
            "415 Unsupported Media Type",
        );
        check(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400 Bad Request");
        assert!(collector.spans().is_empty());
        check(&post("/v1/traces", &batch("GET")), "200 OK");
    }
}
