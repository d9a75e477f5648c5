//! The version of a row, which is also its entity tag.

use serde::Serialize;
use std::num::NonZeroU64;

/// How often a row has been written: 1 at creation, one more with each change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = i64, minimum = 1))]
pub struct RowVersion(i64);

impl RowVersion {
    /// A version from the database or from a client; `None` below 1.
    pub fn new(value: i64) -> Option<Self> {
        (value >= 1).then_some(Self(value))
    }

    /// As an entry of the cache has it.
    pub fn in_entry(self) -> Option<NonZeroU64> {
        u64::try_from(self.0).ok().and_then(NonZeroU64::new)
    }

    /// The version that [`RowVersion::in_entry`] made.
    pub fn from_entry(version: NonZeroU64) -> Option<Self> {
        i64::try_from(version.get()).ok().map(Self)
    }

    /// The number.
    pub fn get(self) -> i64 {
        self.0
    }

    /// The strong entity tag of this version, quotes included (RFC 9110, section 8.8.3).
    pub fn etag(self) -> String {
        let mut digits = itoa::Buffer::new();
        ["\"", digits.format(self.0), "\""].concat()
    }

    /// Reads an entity tag that [`RowVersion::etag`] made; `None` for a weak or foreign one.
    pub fn from_etag(tag: &str) -> Option<Self> {
        let digits = tag.strip_prefix('"')?.strip_suffix('"')?;
        let canonical = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
        if !canonical {
            return None;
        }
        digits.parse().ok().and_then(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_etag_names_exactly_one_version() {
        let version = RowVersion::new(12).expect("12 is a version");
        assert_eq!(version.etag(), "\"12\"");
        assert_eq!(RowVersion::from_etag("\"12\""), Some(version));
        for foreign in ["12", "\"012\"", "W/\"12\"", "\"\"", "\"+12\"", "\"0\"", "\"99999999999999999999\""] {
            assert_eq!(RowVersion::from_etag(foreign), None, "{foreign}");
        }
    }
}
