//! An answer, and what the contract says of every one of them.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

/// Words that show something of the inside. None of them has a place in an error that a client sees.
const LEAKS: [&str; 20] = [
    "select *",
    "insert into",
    "delete from",
    "returning",
    "postgres",
    "psql",
    "redis",
    "sqlstate",
    "127.0.0.1",
    "localhost",
    "panicked",
    "backtrace",
    ".rs:",
    "stack trace",
    "renttracker_",
    "relation \"",
    "column \"",
    "connection refused",
    "os error",
    "spin_sdk",
];

/// What `Cache-Status` (RFC 9211) said.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum Cache {
    /// Answered from the cache.
    Hit,
    /// Answered by the instance, from what it got from the cache a moment ago.
    Lease,
    /// Read from PostgreSQL and put into the cache.
    Stored,
    /// Shared the read of another request.
    Collapsed,
    /// Read from PostgreSQL and not kept.
    Unstored,
    /// The cache was left out.
    Bypass,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Method and target, for messages.
    pub asked: String,
    /// The status code.
    pub status: u16,
    /// As they came, in order.
    pub headers: Vec<(String, String)>,
    /// Everything after the headers, up to the end of the connection.
    pub body: Vec<u8>,
    head: bool,
}

impl Answer {
    /// Reads the bytes of a whole connection.
    pub fn parse(asked: String, head: bool, bytes: &[u8]) -> Answer {
        let mut slots = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut slots);
        let parsed = response.parse(bytes);
        let Ok(httparse::Status::Complete(length)) = parsed else {
            panic!("{asked}: no HTTP answer ({parsed:?}): {:?}", String::from_utf8_lossy(bytes));
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let headers = response.headers.iter().map(|header| (header.name.to_ascii_lowercase(), text(header.value)));
        let headers = headers.collect();
        Answer { status: response.code.unwrap_or_default(), headers, body: bytes[length..].to_vec(), asked, head }
    }

    /// `Content-Length` on every answer but 204 and 304, and right; nothing chunked; every error is a problem; nothing is
    /// sniffed, kept for others or, if it is an error, kept at all; and no word on what serves.
    pub fn hold_to_the_contract(&self) {
        assert_eq!(self.header("x-content-type-options").as_deref(), Some("nosniff"), "{self}");
        let caching = if self.status >= 400 { "no-store" } else { "private, no-cache" };
        assert_eq!(self.header("cache-control").as_deref(), Some(caching), "{self}");
        for name in ["server", "x-powered-by"] {
            assert_eq!(self.header(name), None, "{self}");
        }
        assert_eq!(self.header("transfer-encoding"), None, "a chunked answer: {self}");
        let length = self.header("content-length").map(|text| text.parse::<usize>().unwrap_or(usize::MAX));
        match (self.status, self.head) {
            (204 | 304, _) => {
                assert_eq!(length, None, "no Content-Length on {}: {self}", self.status);
                assert!(self.body.is_empty(), "no body on {}: {self}", self.status);
            }
            (_, true) => {
                assert!(length.is_some(), "Content-Length: {self}");
                assert!(self.body.is_empty(), "a body after HEAD: {self}");
            }
            _ => assert_eq!(length, Some(self.body.len()), "Content-Length: {self}"),
        }
        // Health says how it is in its own words, up or down.
        if self.status >= 400 && !self.head && !self.path().starts_with("/api/health") {
            self.problem(self.status);
        }
    }

    /// All values of a header, joined as a list; `None` when it is absent.
    pub fn header(&self, name: &str) -> Option<String> {
        let values: Vec<&str> = self
            .headers
            .iter()
            .filter(|(its, _)| its.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// The items of a header that is a list, lower-cased and sorted.
    pub fn list(&self, name: &str) -> Vec<String> {
        let value = self.header(name).unwrap_or_default();
        let mut items: Vec<String> =
            value.split(',').map(|item| item.trim().to_ascii_lowercase()).filter(|item| !item.is_empty()).collect();
        items.sort();
        items
    }

    /// The header, which must be there.
    pub fn needs(&self, name: &str) -> String {
        self.header(name).unwrap_or_else(|| panic!("no {name}: {self}"))
    }

    /// The path that was asked for, without its query.
    pub fn path(&self) -> &str {
        let target = self.asked.split_once(' ').map_or("", |(_, target)| target);
        target.split_once('?').map_or(target, |(path, _)| path)
    }

    /// The status must be this one.
    #[track_caller]
    pub fn is(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{self}");
        self
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// The exact spelling of a member: numbers are compared as text, never through a float.
    #[track_caller]
    pub fn spelling(&self, member: &str) -> Option<String> {
        let members: BTreeMap<String, Box<RawValue>> =
            serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self}"));
        members.get(member).map(|value| value.get().to_owned())
    }

    /// The body must be an RFC 9457 problem with this status that shows nothing of the inside.
    #[track_caller]
    pub fn problem(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self}");
        let media_type = self.needs("content-type");
        assert!(media_type.starts_with("application/problem+json"), "{self}");
        let problem = self.json();
        for member in ["type", "title", "detail", "instance"] {
            let text = problem[member].as_str();
            assert!(text.is_some_and(|text| !text.is_empty()), "{member} is missing: {self}");
        }
        assert_eq!(problem["status"], status, "{self}");
        assert_eq!(problem["instance"].as_str(), Some(self.path()), "instance: {self}");
        let known = ["type", "title", "status", "detail", "instance", "errors"];
        for (member, value) in problem.as_object().into_iter().flatten() {
            assert!(known.contains(&member.as_str()), "unknown member {member}: {self}");
            // The path is the client's own; everything else is ours.
            let text = if member == "instance" { String::new() } else { value.to_string().to_lowercase() };
            for leak in LEAKS {
                assert!(!text.contains(leak), "shows {leak:?}: {self}");
            }
        }
        if let Some(errors) = problem.get("errors") {
            let errors = errors.as_object().unwrap_or_else(|| panic!("errors is no object: {self}"));
            assert!(!errors.is_empty(), "{self}");
            for messages in errors.values() {
                let messages = messages.as_array().unwrap_or_else(|| panic!("errors: member to list: {self}"));
                assert!(!messages.is_empty() && messages.iter().all(Value::is_string), "{self}");
            }
        }
        problem
    }

    /// A 503 that says when to come again.
    #[track_caller]
    pub fn unavailable(&self) {
        self.problem(503);
        self.needs("retry-after");
    }

    /// A 400 whose `errors` names this member.
    #[track_caller]
    pub fn names(&self, member: &str) {
        let problem = self.problem(400);
        assert!(problem["errors"].get(member).is_some(), "does not name {member}: {self}");
    }

    /// What the cache had to do with it.
    #[track_caller]
    pub fn cache(&self) -> Cache {
        let status = self.needs("cache-status");
        let words: Vec<&str> = status.split(';').map(str::trim).collect();
        let says = |word: &str| words.contains(&word);
        match () {
            () if says("hit") && says("detail=lease") => Cache::Lease,
            () if says("hit") => Cache::Hit,
            () if says("fwd=bypass") => Cache::Bypass,
            () if says("collapsed") => Cache::Collapsed,
            () if says("fwd=miss") && says("stored") => Cache::Stored,
            () if says("fwd=miss") => Cache::Unstored,
            () => panic!("Cache-Status says neither hit, miss nor bypass: {self}"),
        }
    }

    /// The strong entity tag.
    #[track_caller]
    pub fn etag(&self) -> String {
        let tag = self.needs("etag");
        assert!(tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"'), "no strong ETag: {self}");
        tag
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body = String::from_utf8_lossy(&self.body);
        let body: String = body.chars().take(600).collect();
        write!(f, "[{}] answered {} {:?} {body}", self.asked, self.status, self.headers)
    }
}
