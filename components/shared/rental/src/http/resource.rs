//! Answers to reads, made of cache entries.

use super::{Answer, problem};
use crate::domain::RowVersion;
use crate::error::Error;
use cache::{CacheStatus, Entry};
use http::StatusCode;
use http::request::Parts;

/// The answer for a single resource: 200 with the tag of its version, or 404.
pub fn single(entry: Entry, status: CacheStatus, request: &Parts) -> Answer {
    let answer = match entry.version.and_then(RowVersion::from_entry) {
        _ if !entry.found => problem(&Error::NotFound, request.uri.path()),
        Some(version) => Answer::json(StatusCode::OK, entry.body).with_etag(version),
        None => Answer::json(StatusCode::OK, entry.body),
    };
    answer.with_cache_status(status)
}

/// The answer for a list: 200, or 404 when what it is a list of does not exist. A list has no version.
pub fn list(entry: Entry, status: CacheStatus, request: &Parts) -> Answer {
    single(Entry { version: None, ..entry }, status, request)
}
