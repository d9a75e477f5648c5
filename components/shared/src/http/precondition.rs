//! Conditional requests (RFC 9110, section 13).

use crate::domain::RowVersion;
use crate::error::Error;
use http::{HeaderMap, header};

/// What a write demands of the version that it replaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// There is no `If-Match`.
    Absent,
    /// `If-Match: *`: any version, as long as there is one.
    Any,
    /// One of these versions. It is empty when no tag could be ours, and then nothing matches.
    OneOf(Vec<RowVersion>),
}

impl IfMatch {
    /// Reads `If-Match`. The comparison is strong, so weak tags never match; neither does what is no tag at all.
    pub fn parse(headers: &HeaderMap) -> Self {
        let mut versions = Vec::new();
        let mut present = false;
        for value in headers.get_all(header::IF_MATCH) {
            present = true;
            let text = value.to_str().unwrap_or_default();
            if text.trim() == "*" {
                return Self::Any;
            }
            versions.extend(text.split(',').filter_map(|tag| RowVersion::from_etag(tag.trim())));
        }
        if present { Self::OneOf(versions) } else { Self::Absent }
    }

    /// Whether a row of this version may be replaced.
    pub fn allows(&self, current: RowVersion) -> bool {
        match self {
            Self::Absent | Self::Any => true,
            Self::OneOf(versions) => versions.contains(&current),
        }
    }

    /// The versions that a statement may replace, or `None` when any will do.
    fn versions(&self) -> Option<&[RowVersion]> {
        match self {
            Self::Absent | Self::Any => None,
            Self::OneOf(versions) => Some(versions),
        }
    }
}

/// What a write demands of the version that it replaces, by header and by body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Precondition {
    if_match: IfMatch,
    row_version: Option<RowVersion>,
}

impl Precondition {
    /// Takes what a request says: `If-Match` from its headers, and `rowVersion` from its body.
    pub fn new(headers: &HeaderMap, row_version: Option<RowVersion>) -> Self {
        Self { if_match: IfMatch::parse(headers), row_version }
    }

    /// Whether it demands nothing, so that the last writer wins.
    pub fn is_absent(&self) -> bool {
        self.if_match == IfMatch::Absent && self.row_version.is_none()
    }

    /// The versions that a statement may replace, or `None` when any will do. A row has one version at a time, so two
    /// demands meet in at most one.
    pub fn versions(&self) -> Option<Vec<i64>> {
        let named = match (self.if_match.versions(), self.row_version) {
            (None, None) => return None,
            (None, Some(version)) => vec![version],
            (Some(versions), None) => versions.to_vec(),
            (Some(versions), Some(version)) => versions.iter().copied().filter(|named| *named == version).collect(),
        };
        Some(named.into_iter().map(RowVersion::get).collect())
    }

    /// Why a statement did not replace a row of this version: `If-Match` is answered before `rowVersion`.
    pub fn refusal(&self, current: RowVersion) -> Error {
        if self.if_match.allows(current) { Error::Conflict } else { Error::PreconditionFailed }
    }
}

/// Whether `If-None-Match` says that the client already has this version. The comparison is weak.
pub fn is_not_modified(headers: &HeaderMap, current: RowVersion) -> bool {
    headers.get_all(header::IF_NONE_MATCH).iter().any(|value| {
        value.to_str().unwrap_or_default().split(',').any(|tag| {
            let tag = tag.trim();
            tag == "*" || RowVersion::from_etag(tag.strip_prefix("W/").unwrap_or(tag)) == Some(current)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    fn version(number: i64) -> RowVersion {
        RowVersion::new(number).expect("a version")
    }

    #[test]
    fn if_match_compares_strongly() {
        let allows = |value| IfMatch::parse(&headers(header::IF_MATCH, value)).allows(version(3));
        assert!(allows("\"3\""));
        assert!(allows("\"2\", \"3\""));
        assert!(allows("*"));
        assert!(!allows("\"2\""));
        assert!(!allows("W/\"3\""));
        assert!(!allows("3"));
        assert!(!allows(""));
        assert!(IfMatch::parse(&HeaderMap::new()).allows(version(3)));
    }

    #[test]
    fn header_and_body_must_both_hold_and_the_header_is_answered_first() {
        let demand = |tag, body| Precondition::new(&headers(header::IF_MATCH, tag), body);
        assert_eq!(demand("\"3\"", None).versions(), Some(vec![3]));
        assert_eq!(demand("\"3\", \"4\"", Some(version(4))).versions(), Some(vec![4]));
        assert_eq!(demand("\"3\"", Some(version(4))).versions(), Some(vec![]));
        assert_eq!(demand("*", None).versions(), None);
        assert_eq!(demand("nonsense", None).versions(), Some(vec![]));
        assert_eq!(demand("\"2\"", Some(version(2))).refusal(version(3)), Error::PreconditionFailed);
        assert_eq!(demand("\"3\"", Some(version(2))).refusal(version(3)), Error::Conflict);
        assert!(Precondition::new(&HeaderMap::new(), None).is_absent());
        assert!(!demand("*", None).is_absent());
    }

    #[test]
    fn if_none_match_compares_weakly() {
        let unmodified = |value| is_not_modified(&headers(header::IF_NONE_MATCH, value), version(3));
        assert!(unmodified("\"3\""));
        assert!(unmodified("W/\"3\""));
        assert!(unmodified("\"1\", \"3\""));
        assert!(unmodified("*"));
        assert!(!unmodified("\"2\""));
        assert!(!unmodified("3"));
        assert!(!is_not_modified(&HeaderMap::new(), version(3)));
    }
}
