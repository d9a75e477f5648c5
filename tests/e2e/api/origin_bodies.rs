//! Bodies on their way to the origin and back, and an origin that fails.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use crate::api::origin::behind;
use crate::support::origin_server::OriginServer;
use crate::support::{Private, Request, eventually, exchange, trials};

trials![
    a_large_request_is_read_no_faster_than_the_origin_reads,
    a_large_answer_is_read_no_faster_than_the_client_reads,
    chunked_bodies_arrive_whole_and_chunked,
    a_request_that_breaks_off_is_never_whole_at_the_origin,
    an_answer_that_breaks_off_is_never_whole_at_the_client,
    an_answer_comes_before_the_request_is_read,
    an_origin_that_is_down_is_502,
    an_origin_that_does_not_speak_http_is_502,
    an_origin_at_another_address_than_allowed_is_502,
    an_origin_that_is_silent_is_504,
    a_client_that_takes_its_time_is_not_a_late_origin,
];

/// A photograph of every room, in bytes.
const LARGE: usize = 50 << 20;
/// An address at which nothing listens, and which no server of these tests is ever given.
const NOWHERE: &str = "http://127.0.0.1:1";
/// More than what the four sockets between a client and the origin hold of it (up to 6 MiB each), in bytes.
const ON_THE_WAY: usize = 32 << 20;
/// How long nothing moves until nothing will.
const STILL: Duration = Duration::from_secs(1);

/// No two pieces of a power of two are alike.
fn large_body() -> Vec<u8> {
    let block: Vec<u8> = (0..65_521_u32).map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let mut body = block.repeat(LARGE / block.len() + 1);
    body.truncate(LARGE);
    body
}

fn connect(own: &Private) -> TcpStream {
    let stream = TcpStream::connect(own.base_url.trim_start_matches("http://")).expect("the host listens");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
    stream
}

/// Waits until the count has stood still. A count that would go on is met again by the assertion on it.
fn at_rest(count: &AtomicUsize) -> usize {
    eventually("some bytes are on their way", || (count.load(Ordering::SeqCst) > 0).then_some(()));
    loop {
        let before = count.load(Ordering::SeqCst);
        std::thread::sleep(STILL);
        if count.load(Ordering::SeqCst) == before {
            return before;
        }
    }
}

fn a_large_request_is_read_no_faster_than_the_origin_reads() {
    let (go, gone) = mpsc::channel::<()>();
    let gone = std::sync::Mutex::new(gone);
    let origin = OriginServer::start(move |exchange| {
        gone.lock().expect("one at a time").recv().expect("the test goes on");
        let is_whole = exchange.body().expect("a whole body") == large_body();
        exchange.answer(if is_whole { "200 OK" } else { "500 Changed" }, &[], b"");
    });
    let own = behind(&origin);
    // The second is handed on by another component.
    for path in ["/api/attachments", "/api/paymentmethods"] {
        let mut stream = connect(&own);
        let sent = Arc::<AtomicUsize>::default();
        let (mut writer, counted) = (stream.try_clone().expect("a stream"), Arc::clone(&sent));
        let sending = std::thread::spawn(move || {
            let head =
                format!("POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {LARGE}\r\n\r\n");
            writer.write_all(head.as_bytes()).expect("the head");
            for piece in large_body().chunks(64 * 1024) {
                writer.write_all(piece).expect("the body");
                counted.fetch_add(piece.len(), Ordering::SeqCst);
            }
        });
        let on_the_way = at_rest(&sent);
        assert!(on_the_way < ON_THE_WAY, "{path}: {on_the_way} bytes were taken, and the origin has read none");
        go.send(()).expect("the origin waits");
        sending.join().expect("all is sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{path}: {}", String::from_utf8_lossy(&answer));
    }
}

fn a_large_answer_is_read_no_faster_than_the_client_reads() {
    let written = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&written);
    let origin = OriginServer::start(move |exchange| {
        counted.store(0, Ordering::SeqCst);
        let chunked = exchange.head.target.ends_with("chunked");
        let framing = if chunked { "Transfer-Encoding: chunked".into() } else { format!("Content-Length: {LARGE}") };
        let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n{framing}\r\n\r\n");
        exchange.write(head.as_bytes()).expect("the head");
        for piece in large_body().chunks(64 * 1024) {
            let frame = if chunked { format!("{:x}\r\n", piece.len()) } else { String::new() };
            let end: &[u8] = if chunked { b"\r\n" } else { b"" };
            exchange.write(&[frame.as_bytes(), piece, end].concat()).expect("the body");
            counted.fetch_add(piece.len(), Ordering::SeqCst);
        }
        let _ = exchange.write(if chunked { b"0\r\n\r\n" } else { b"" });
    });
    let own = behind(&origin);
    for path in ["/api/attachments/length", "/api/attachments/chunked"] {
        written.store(0, Ordering::SeqCst);
        let mut stream = connect(&own);
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("the request");
        let on_the_way = at_rest(&written);
        assert!(on_the_way < ON_THE_WAY, "{path}: {on_the_way} bytes were taken, and the client has read none");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("the whole answer");
        let body = bytes.windows(4).position(|it| it == b"\r\n\r\n").expect("a head") + 4;
        let body = if path.ends_with("chunked") { unchunked(&bytes[body..]) } else { bytes[body..].to_vec() };
        assert!(body == large_body(), "{path}: {} bytes came", body.len());
    }
}

/// The contents of a chunked body, which must be whole.
fn unchunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let line = bytes.windows(2).position(|it| it == b"\r\n").expect("a chunk's size");
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..line]).expect("digits"), 16).expect("a size");
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&bytes[line + 2..line + 2 + size]);
        bytes = &bytes[line + 2 + size + 2..];
    }
}

fn chunked_bodies_arrive_whole_and_chunked() {
    let origin = OriginServer::start(|exchange| {
        assert_eq!(exchange.head.all("content-length"), Vec::<&str>::new());
        let body = exchange.body().expect("a whole body");
        let head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
        let _ = exchange.write(head);
        for piece in body.chunks(7) {
            let _ = exchange.write(format!("{:x}\r\n", piece.len()).as_bytes());
            let _ = exchange.write(&[piece, b"\r\n"].concat());
        }
        let _ = exchange.write(b"0\r\n\r\n");
    });
    let own = behind(&origin);
    for path in ["/api/attachments", "/api/paymentmethods"] {
        let answer = own.request("POST", path).chunks(&[b"some", b" bytes in ", b"chunks"]).send_unchecked().is(200);
        assert_eq!(answer.needs("transfer-encoding"), "chunked");
        assert_eq!(unchunked(&answer.body), b"some bytes in chunks", "{answer}");
    }
}

fn a_request_that_breaks_off_is_never_whole_at_the_origin() {
    let (seen, whole) = mpsc::channel();
    let seen = std::sync::Mutex::new(seen);
    let origin = OriginServer::start(move |exchange| {
        let is_whole = exchange.body().is_ok();
        seen.lock().expect("one at a time").send(is_whole).expect("the test waits");
    });
    let own = behind(&origin);
    for path in ["/api/attachments", "/api/paymentmethods"] {
        for (framing, part) in [("Content-Length: 1000", "part of it"), ("Transfer-Encoding: chunked", "4\r\npart\r\n")]
        {
            let mut stream = connect(&own);
            let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n{part}");
            stream.write_all(head.as_bytes()).expect("a part");
            eventually("the origin has the head", || (!origin.seen().is_empty()).then_some(()));
            drop(stream);
            let is_whole = whole.recv_timeout(Duration::from_secs(30)).expect("the origin sees the end");
            assert!(!is_whole, "{path}, {framing}: the origin took a part for the whole");
            origin.forget();
        }
    }
}

fn an_answer_that_breaks_off_is_never_whole_at_the_client() {
    let origin = OriginServer::start(|exchange| {
        let head = match exchange.head.target.contains("length") {
            true => "Content-Length: 1000\r\n\r\npart of it",
            false => "Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n",
        };
        let _ = exchange.body();
        let _ = exchange.write(format!("HTTP/1.1 200 OK\r\n{head}").as_bytes());
    });
    let own = behind(&origin);
    let address = own.base_url.trim_start_matches("http://");
    for (method, target) in [
        ("GET", "/api/attachments/length"),
        ("GET", "/api/attachments/chunks"),
        ("POST", "/api/paymentmethods?length"),
        ("POST", "/api/paymentmethods?chunks"),
    ] {
        // An error is a connection that was cut off, which is as good.
        let bytes = exchange(address, &Request::new(&own.base_url, method, target).bytes()).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.ends_with("0\r\n\r\n"), "{target}: {text}");
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        assert!(body.len() < 1000, "{target}: {text}");
        assert!(
            text.is_empty() || text.contains("content-length: 1000") || text.contains("chunked"),
            "{target}: {text}"
        );
    }
}

fn an_answer_comes_before_the_request_is_read() {
    let origin = OriginServer::start(|exchange| {
        exchange.answer("413 Too Large", &[], b"too large");
        // Closed at once, what is unread would take the answer with it.
        let _ = exchange.body();
    });
    let own = behind(&origin);
    let answer = own.request("POST", "/api/attachments").body(vec![b'x'; 4 << 20]).send_unchecked().is(413);
    assert_eq!(answer.text(), "too large");
}

/// A failure as a client sees it, on a path of nobody and on a method that one of ours lacks.
fn fails(own: &Private, status: u16) {
    for path in ["/api/auth/login", "/api/paymentmethods"] {
        let request = own.request("POST", path).header("Origin", "http://localhost:5112").body("x");
        let answer = request.send();
        answer.problem(status);
        assert_eq!(answer.needs("access-control-allow-origin"), "http://localhost:5112", "a page may read it");
    }
    own.await_logged("\"event\":\"origin.failed\"");
}

fn an_origin_that_is_down_is_502() {
    fails(&Private::with(&[("origin_url", NOWHERE), ("origin_address", NOWHERE)]), 502);
}

fn an_origin_that_does_not_speak_http_is_502() {
    let origin = OriginServer::start(|exchange| drop(exchange.write(b"SSH-2.0-OpenSSH_9.2\r\n")));
    fails(&behind(&origin), 502);
}

fn an_origin_at_another_address_than_allowed_is_502() {
    let origin = OriginServer::echo();
    let own = Private::with(&[("origin_url", origin.url()), ("origin_address", NOWHERE)]);
    fails(&own, 502);
    assert_eq!(origin.seen().len(), 0);
    own.await_logged("origin_address does not name");
}

/// With a deadline that a test can wait for.
fn behind_impatiently(origin: &OriginServer) -> Private {
    Private::with(&[("origin_url", origin.url()), ("origin_address", origin.url()), ("origin_timeout_ms", "700")])
}

fn an_origin_that_is_silent_is_504() {
    let origin = OriginServer::start(|exchange| {
        // It reads nothing of a large body, and all of a small one.
        if exchange.head.all("content-length") != [LARGE.to_string()] {
            let _ = exchange.body();
        }
        std::thread::sleep(Duration::from_secs(20));
    });
    let own = behind_impatiently(&origin);
    fails(&own, 504);
    own.request("GET", "/api/auth/me").send().problem(504);
    own.request("POST", "/api/attachments").body(large_body()).send().problem(504);
}

fn a_client_that_takes_its_time_is_not_a_late_origin() {
    let origin = OriginServer::echo();
    let own = behind_impatiently(&origin);
    let mut stream = connect(&own);
    let head = "POST /api/attachments HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 8\r\n\r\n";
    stream.write_all(head.as_bytes()).expect("the head");
    for piece in [b"some", b"body"] {
        stream.write_all(piece).expect("a piece");
        // Twice the deadline.
        std::thread::sleep(Duration::from_millis(1_400));
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("somebody"), "{answer}");
}
