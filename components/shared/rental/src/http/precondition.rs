//! Conditional requests (RFC 9110, section 13). No resource tells when it was modified (`Last-Modified`), so
//! `If-Modified-Since` and `If-Unmodified-Since` are ignored (13.1.3, 13.1.4), and so is `If-Range`, without ranges.

use super::{Answer, problem};
use crate::domain::RowVersion;
use crate::error::Error;
use http::header::{self, HeaderName};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};

/// The entity tags of `If-Match` or `If-None-Match`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Tags {
    /// There is no such header.
    Absent,
    /// `*`: any version, as long as there is one.
    Any,
    /// One of these versions; tags that are not ours are left out.
    OneOf(Vec<RowVersion>),
}

impl Tags {
    /// Reads all lines of a header as one list (5.3). What is no tag names nothing.
    fn parse(headers: &HeaderMap, name: &HeaderName, is_weak_enough: bool) -> Self {
        let mut lines = headers.get_all(name).iter().peekable();
        if lines.peek().is_none() {
            return Self::Absent;
        }
        let mut versions = Vec::new();
        for line in lines {
            let mut rest = line.as_bytes();
            while let Some((element, behind)) = next_element(rest) {
                rest = behind;
                let (is_weak, tag) = match element.strip_prefix(b"W/") {
                    Some(tag) => (true, tag),
                    None => (false, element),
                };
                match std::str::from_utf8(tag) {
                    Ok("*") if !is_weak => return Self::Any,
                    Ok(tag) if is_weak_enough || !is_weak => versions.extend(RowVersion::from_etag(tag)),
                    _ => {}
                }
            }
        }
        Self::OneOf(versions)
    }

    /// Whether one of them is the tag of a representation that is there; without a tag, as lists are, only `*` is.
    fn match_one(&self, current: Option<RowVersion>) -> bool {
        match self {
            Self::Absent => false,
            Self::Any => true,
            Self::OneOf(versions) => current.is_some_and(|current| versions.contains(&current)),
        }
    }
}

/// The first element of a list, without the white space around it, and what comes behind its comma. A comma within
/// quotation marks is part of a tag (8.8.3).
pub(super) fn next_element(list: &[u8]) -> Option<(&[u8], &[u8])> {
    if list.is_empty() {
        return None;
    }
    let mut is_quoted = false;
    let comma = list.iter().position(|byte| {
        is_quoted ^= *byte == b'"';
        *byte == b',' && !is_quoted
    });
    let (element, behind) = comma.and_then(|comma| list.split_at_checked(comma)).unwrap_or((list, &[]));
    Some((element.trim_ascii(), behind.get(1..).unwrap_or_default()))
}

/// What the headers of a request demand of the current version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conditions {
    if_match: Tags,
    if_none_match: Tags,
}

/// What becomes of a conditional request, in the order of 13.2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The method is performed.
    Holds,
    /// `If-Match` does not match: 412.
    IfMatchFails,
    /// `If-None-Match` matches: 304 for GET and HEAD, 412 for others.
    IfNoneMatchFails,
}

impl Conditions {
    /// Reads `If-Match`, which compares strongly, and `If-None-Match`, which compares weakly (13.1.1, 13.1.2).
    pub fn of(headers: &HeaderMap) -> Self {
        Self {
            if_match: Tags::parse(headers, &header::IF_MATCH, false),
            if_none_match: Tags::parse(headers, &header::IF_NONE_MATCH, true),
        }
    }

    /// Whether they hold for a representation that is there, with the tag of this version or without one.
    pub fn evaluate(&self, current: Option<RowVersion>) -> Condition {
        match self {
            Self { if_match, .. } if *if_match != Tags::Absent && !if_match.match_one(current) => {
                Condition::IfMatchFails
            }
            Self { if_none_match, .. } if if_none_match.match_one(current) => Condition::IfNoneMatchFails,
            _ => Condition::Holds,
        }
    }

    /// Passes a request that changes a representation of this version, or without one, if they hold.
    ///
    /// # Errors
    /// [`Error::PreconditionFailed`].
    pub fn allow_write(&self, current: Option<RowVersion>) -> Result<(), Error> {
        if self.evaluate(current) == Condition::Holds { Ok(()) } else { Err(Error::PreconditionFailed) }
    }
}

/// The answer to GET or HEAD as the request's conditions have it. Only a success is conditional: what is not there is
/// answered as such whatever is demanded of it (13.2.1).
pub fn conditional(answer: Answer, request: &Parts) -> Answer {
    let is_conditional =
        |headers: &HeaderMap| headers.contains_key(header::IF_NONE_MATCH) || headers.contains_key(header::IF_MATCH);
    let is_read = matches!(request.method, Method::GET | Method::HEAD);
    if !is_read || answer.status != StatusCode::OK || !is_conditional(&request.headers) {
        return answer;
    }
    let etag = answer.headers.get(header::ETAG).and_then(|value| value.to_str().ok());
    let current = etag.and_then(RowVersion::from_etag);
    let without_body = match Conditions::of(&request.headers).evaluate(current) {
        Condition::Holds => return answer,
        Condition::IfMatchFails => problem(&Error::PreconditionFailed, request.uri.path()),
        Condition::IfNoneMatchFails => Answer::empty(StatusCode::NOT_MODIFIED),
    };
    let tagged = current.into_iter().fold(without_body, Answer::with_etag);
    answer.cache_status.into_iter().fold(tagged, Answer::with_cache_status)
}

/// Which versions of a row a statement may replace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Versions {
    /// Whichever is there.
    Any,
    /// Only these; none at all if it is empty.
    Only(Vec<i64>),
    /// All but these.
    AllBut(Vec<i64>),
}

/// What a write demands of the version that it replaces, by header and by body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Precondition {
    conditions: Conditions,
    row_version: Option<RowVersion>,
}

impl Precondition {
    /// Takes what a request says: its headers, and `rowVersion` from its body.
    pub fn new(headers: &HeaderMap, row_version: Option<RowVersion>) -> Self {
        Self { conditions: Conditions::of(headers), row_version }
    }

    /// Whether it names a version that it replaces, so that the last writer does not win.
    pub fn names_a_version(&self) -> bool {
        self.conditions.if_match != Tags::Absent || self.row_version.is_some()
    }

    /// The versions that the statement may replace. A row has one version at a time, so two demands meet in at most one.
    pub fn versions(&self) -> Versions {
        let Conditions { if_match, if_none_match } = &self.conditions;
        let named = match (if_match, self.row_version) {
            (Tags::OneOf(versions), _) => Some(versions.clone()),
            (_, row_version) => row_version.map(|version| vec![version]),
        };
        let numbers = |versions: &[RowVersion]| versions.iter().copied().map(RowVersion::get).collect();
        match (named, if_none_match) {
            (_, Tags::Any) => Versions::Only(Vec::new()),
            (None, Tags::OneOf(versions)) if !versions.is_empty() => Versions::AllBut(numbers(versions)),
            (None, _) => Versions::Any,
            (Some(mut named), _) => {
                named.retain(|it| self.refusal(*it).is_none());
                Versions::Only(numbers(&named))
            }
        }
    }

    /// Whether the headers hold for a row of this version.
    pub fn headers_hold(&self, current: RowVersion) -> bool {
        self.conditions.evaluate(Some(current)) == Condition::Holds
    }

    /// Why a row of this version is not replaced: the headers are answered before `rowVersion`.
    pub fn refusal(&self, current: RowVersion) -> Option<Error> {
        let is_current = self.row_version.is_none_or(|version| version == current);
        let conflict = || (!is_current).then_some(Error::Conflict);
        self.conditions.allow_write(Some(current)).err().or_else(conflict)
    }
}

#[cfg(test)]
mod tests;
