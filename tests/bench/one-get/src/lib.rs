//! A component that answers what Redis has under one key, and does nothing else: no token, no deadline, no checksum. What a
//! cache on this platform could cost at the least. As a hit of the product it keeps its connection in its instance.

use std::cell::RefCell;
use std::rc::Rc;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::Full;
use spin_sdk::http::{IntoResponse, Request, Response};
use spin_sdk::redis::Connection;
use spin_sdk::variables;

thread_local! {
    static KEPT: RefCell<Option<Rc<(Connection, String)>>> = const { RefCell::new(None) };
}

/// Answers. It is exported to WebAssembly alone, whose names no native linker takes.
#[cfg_attr(target_arch = "wasm32", spin_sdk::http_service)]
pub async fn handle(_: Request) -> Result<impl IntoResponse> {
    let kept = KEPT.with_borrow(Option::clone);
    let kept = match kept {
        Some(kept) => kept,
        None => {
            let connection = Connection::open(variables::get("redis_url").await?).await?;
            let kept = Rc::new((connection, variables::get("key").await?));
            KEPT.set(Some(Rc::clone(&kept)));
            kept
        }
    };
    let (connection, key) = &*kept;
    let value = connection.get(key).await?.context("there is no such key")?;
    Ok(Response::builder().header("content-length", value.len()).body(Full::new(Bytes::from(value)))?)
}
