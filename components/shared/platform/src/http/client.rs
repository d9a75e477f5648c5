//! Sending a request with a body.

use crate::sdk::http::{Response, send as send_unwoken};
use crate::sdk::wasip3::http::types::ErrorCode;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use std::future::poll_fn;
use std::pin::pin;

/// Sends a request. The SDK (7.0.0) writes the body in a task of its own and lets that begin when something else wakes the
/// instance, which for a request in the background may be no sooner than the end of its deadline. So it is woken here.
///
/// # Errors
/// When nobody answers, or nobody may be asked.
pub async fn send(request: Request<Full<Bytes>>) -> Result<Response, ErrorCode> {
    let mut sending = pin!(send_unwoken(request));
    let mut is_woken = false;
    poll_fn(|context| {
        let polled = sending.as_mut().poll(context);
        if !std::mem::replace(&mut is_woken, true) {
            context.waker().wake_by_ref();
        }
        polled
    })
    .await
}
