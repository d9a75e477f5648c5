//! Asking the origin: the client's request goes there and its answer comes back, both as they are. No body is held: of a request's a
//! piece at a time is in the instance, of an answer's nothing.

use super::wire::Unread;
use crate::log::{self, Level};
use crate::sdk::wasip3::http::client;
use crate::sdk::wasip3::http::types::{ErrorCode, Fields, Method, Request, Response, Scheme, Trailers};
use crate::sdk::wasip3::wit_bindgen::{FutureReader, StreamReader, StreamWriter};
use crate::sdk::wasip3::{spawn, wit_future, wit_stream};
use crate::time::alarm;
use crate::time::clock::elapsed;
use futures::future::{Either, select};
use rental::config::Origin;
use rental::http::{Field, OriginFailure, to_client, to_origin};
use std::cell::Cell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::Duration;

/// How much of a request's body is on its way at a time, in bytes: as much as a socket takes at once.
const PIECE_BYTES: usize = 64 * 1024;
const CONTENT_LENGTH: &str = "content-length";

/// Since when the origin has to take its next step, on the instance's clock; `None` while it is the client's turn.
type Waiting = Rc<Cell<Option<Duration>>>;
type TrailersReader = FutureReader<Result<Option<Trailers>, ErrorCode>>;

/// Sends the request to the origin; its answer.
///
/// # Errors
/// When there is none, or not in time. A request whose client breaks off, and an answer that the origin breaks off, are broken off on
/// the other side too.
pub async fn relay(unread: Unread, origin: &Origin) -> Result<Response, OriginFailure> {
    let answer = exchange(unread, origin).await;
    if let Err(failure) = &answer {
        log::write(Level::Warn, "origin.failed", &[("error", &failure.to_string())]);
    }
    answer
}

async fn exchange(unread: Unread, origin: &Origin) -> Result<Response, OriginFailure> {
    let received = unread.into_inner();
    let method = received.get_method();
    let target = received.get_path_with_query();
    let mut headers = to_origin(received.get_headers().copy_all());
    let (mut body, trailers) = Request::consume_body(received, always_fine());
    // Only its first bytes show whether there is a body: by HTTP/2 no header has to say so.
    let (_, first) = body.read(Vec::with_capacity(PIECE_BYTES)).await;
    let waiting = Waiting::new(Cell::new(Some(elapsed())));
    let (contents, upload) = if first.is_empty() {
        add_length_of_nothing(&mut headers, &method);
        (None, None)
    } else {
        let (writer, contents) = wit_stream::new();
        (Some(contents), Some(Box::pin(upload(first, body, writer, Rc::clone(&waiting)))))
    };
    let request = addressed(headers, contents, trailers, origin, &method, target.as_deref())?;
    let answer = within_steps(client::send(request), upload, &waiting, origin.timeout).await?;
    handed_back(answer, &method)
}

/// What is told of a message that is only passed on.
fn always_fine() -> FutureReader<Result<(), ErrorCode>> {
    wit_future::new(|| Ok(())).1
}

/// Says that there is no body, where a client of HTTP/1.1 would otherwise send one of unknown length.
fn add_length_of_nothing(headers: &mut Vec<Field>, method: &Method) {
    let is_said = headers.iter().any(|(name, _)| name == CONTENT_LENGTH);
    if !is_said && !matches!(method, Method::Get | Method::Head) {
        headers.push((CONTENT_LENGTH.into(), b"0".to_vec()));
    }
}

fn addressed(
    headers: Vec<Field>,
    contents: Option<StreamReader<u8>>,
    trailers: TrailersReader,
    origin: &Origin,
    method: &Method,
    target: Option<&str>,
) -> Result<Request, OriginFailure> {
    let unfit = |()| OriginFailure::NoAnswer("the host refuses its method, address or path".into());
    let headers = Fields::from_list(&headers).map_err(|error| no_answer("the request's headers", &error))?;
    let (request, _) = Request::new(headers, contents, trailers, None);
    request.set_method(method).map_err(unfit)?;
    let is_plain = origin.scheme.as_str() == "http";
    request.set_scheme(Some(if is_plain { &Scheme::Http } else { &Scheme::Https })).map_err(unfit)?;
    request.set_authority(Some(origin.authority.as_str())).map_err(unfit)?;
    request.set_path_with_query(target).map_err(unfit)?;
    Ok(request)
}

/// Sends the client's body on, each piece when the origin has taken the one before.
async fn upload(first: Vec<u8>, mut client: StreamReader<u8>, mut origin: StreamWriter<u8>, waiting: Waiting) {
    let mut piece = first;
    while !piece.is_empty() {
        waiting.set(Some(elapsed()));
        let mut rest = origin.write_all(piece).await;
        if !rest.is_empty() {
            // It has answered without reading on, or is gone.
            return;
        }
        waiting.set(None);
        rest.reserve(PIECE_BYTES);
        piece = client.read(rest).await.1;
    }
    waiting.set(Some(elapsed()));
}

/// The head of the answer, while the body of the request is sent; what is left of that goes on behind it.
async fn within_steps(
    sending: impl Future<Output = Result<Response, ErrorCode>>,
    mut upload: Option<Pin<Box<impl Future<Output = ()> + 'static>>>,
    waiting: &Waiting,
    timeout: Duration,
) -> Result<Response, OriginFailure> {
    let mut sending = pin!(sending);
    let answered = poll_fn(|context| {
        if upload.as_mut().is_some_and(|it| it.as_mut().poll(context).is_ready()) {
            upload = None;
        }
        sending.as_mut().poll(context)
    });
    let answer = match select(answered, pin!(overdue(waiting, timeout))).await {
        Either::Left((answer, _)) => answer.map_err(failed)?,
        Either::Right(_) => return Err(OriginFailure::Late),
    };
    if let Some(upload) = upload {
        spawn(upload);
    }
    Ok(answer)
}

/// Resolves when the origin has taken longer for a step than it may.
async fn overdue(waiting: &Waiting, timeout: Duration) {
    loop {
        let since = waiting.get();
        let now = elapsed();
        let due = since.unwrap_or(now) + timeout;
        if since.is_some() && now >= due {
            return;
        }
        alarm::at(due).await;
    }
}

fn failed(error: ErrorCode) -> OriginFailure {
    match error {
        ErrorCode::ConnectionTimeout | ErrorCode::ConnectionReadTimeout | ErrorCode::HttpResponseTimeout => {
            OriginFailure::Late
        }
        ErrorCode::HttpRequestDenied => {
            OriginFailure::NoAnswer("origin_address does not name the host and port of origin_url".into())
        }
        error => no_answer("no answer", &error),
    }
}

fn no_answer(what: &str, error: &dyn std::fmt::Debug) -> OriginFailure {
    OriginFailure::NoAnswer(format!("{what}: {error:?}"))
}

/// The origin's answer as one of ours.
fn handed_back(answer: Response, asked: &Method) -> Result<Response, OriginFailure> {
    let status = answer.get_status_code();
    let headers = to_client(answer.get_headers().copy_all());
    let (contents, trailers) = Response::consume_body(answer, always_fine());
    // These have no body whatever length they tell (RFC 9110, section 6.4.1); the platform would miss it.
    let has_body = !matches!(asked, Method::Head) && !matches!(status, 204 | 304);
    let headers = Fields::from_list(&headers).map_err(|error| no_answer("the answer's headers", &error))?;
    let (answer, _) = Response::new(headers, has_body.then_some(contents), trailers);
    answer.set_status_code(status).map_err(|()| OriginFailure::NoAnswer(format!("the status {status}")))?;
    Ok(answer)
}
