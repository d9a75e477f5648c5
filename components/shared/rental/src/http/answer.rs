//! Answers.

use crate::domain::RowVersion;
use cache::CacheStatus;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode};

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// An answer that is complete but for what every answer has (see [`super::finish`]).
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; empty for 204 and 304.
    pub body: Vec<u8>,
    /// What the cache did for it, if it was asked.
    pub cache_status: Option<CacheStatus>,
}

impl Answer {
    /// An answer without a body.
    pub fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::with_capacity(12), body: Vec::new(), cache_status: None }
    }

    /// A JSON answer.
    pub fn json(status: StatusCode, body: Vec<u8>) -> Self {
        let mut answer = Self::empty(status);
        answer.body = body;
        answer.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        answer
    }

    /// Says what the cache did for it.
    #[must_use]
    pub fn with_cache_status(mut self, status: CacheStatus) -> Self {
        self.cache_status = Some(status);
        self.headers.insert(CACHE_STATUS, HeaderValue::from_static(cache_status(status)));
        self
    }

    /// Tags it with the version of the row.
    #[must_use]
    pub fn with_etag(self, version: RowVersion) -> Self {
        self.with(header::ETAG, &version.etag())
    }

    /// Adds a header. A value that cannot stand in a header is left out; ours are made of digits, ids and paths.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }
}

/// The value of `Cache-Status` (RFC 9211).
fn cache_status(status: CacheStatus) -> &'static str {
    match status {
        CacheStatus::Hit => "RentTracker; hit",
        CacheStatus::Lease => "RentTracker; hit; detail=lease",
        CacheStatus::Stored => "RentTracker; fwd=miss; stored",
        CacheStatus::Miss => "RentTracker; fwd=miss",
        CacheStatus::Collapsed => "RentTracker; fwd=miss; collapsed",
        CacheStatus::Bypass => "RentTracker; fwd=bypass",
    }
}
