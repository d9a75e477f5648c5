//! The page cursor, `after=`: the pages of a list by keyset, beside those by number.
//!
//! A page by number costs what lies before it, and the count of all matches. A cursor names the last item that the client
//! has seen, and an index leads from there to the next: every page costs the same, and none is missed or repeated when
//! rows come and go in between.

use super::{Direction, ListQuery, parameter};
use crate::domain::{Id, Money, Timestamp, Violations};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// The longest text that a list is sorted by, in characters: an address.
const MAX_TEXT_CHARS: usize = 200;

/// Between the parts of a page's name in the cache.
const SEPARATOR: &str = "|after ";

/// What kind of values a list is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortKind {
    /// Texts.
    Text,
    /// Decimal numbers.
    Money,
    /// Moments.
    Time,
}

impl SortKind {
    /// The one spelling of a value of this kind; `None` for what is none.
    fn canonical(self, text: &str) -> Option<String> {
        match self {
            Self::Text => (text.chars().count() <= MAX_TEXT_CHARS && !text.contains('\0')).then(|| text.to_owned()),
            Self::Money => Money::parse(text).map(|money| money.to_string()),
            Self::Time => Timestamp::parse(text).map(|time| time.to_string()),
        }
    }
}

/// A cursor: the last item that a client has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor<I> {
    /// What the list is sorted by; `None` stands after every value.
    pub value: Option<String>,
    /// The id, which breaks ties.
    pub id: I,
}

/// What a cursor's text holds. It is bound to its order: in another one it would name another place.
#[derive(Serialize, Deserialize)]
struct Content(String, bool, Option<String>, String);

impl<I: Id> Cursor<I> {
    /// The text that a client sends back, for the order of `asked`.
    ///
    /// # Errors
    /// Those of JSON, which has none for texts.
    pub fn encode(&self, asked: &ListQuery) -> Result<String, serde_json::Error> {
        let descending = asked.direction == Direction::Descending;
        let content = Content(asked.sort_field.to_owned(), descending, self.value.clone(), self.id.to_string());
        serde_json::to_vec(&content).map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
    }

    fn decode(text: &str, asked: &ListQuery, kind: SortKind) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let Content(field, descending, value, id) = serde_json::from_slice(&bytes).ok()?;
        let is_of_this_order = field == asked.sort_field && descending == (asked.direction == Direction::Descending);
        let value = match value {
            None => None,
            Some(text) => Some(kind.canonical(&text)?),
        };
        is_of_this_order.then_some(Self { value, id: I::read(&id)? })
    }
}

/// Where a page by keyset begins: after a cursor, or at the start of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AfterCursor<I>(pub Option<Cursor<I>>);

impl<I: Id> AfterCursor<I> {
    /// Reads the member `after` of a query that has been read as `asked`: a cursor of this order, or nothing for the first
    /// page. `None` when the query has none and means a page by number.
    ///
    /// # Errors
    /// Names `after` when it is no cursor of this order, or when the query asks for a page by number too.
    pub fn parse(query: Option<&str>, asked: &ListQuery, kind: SortKind) -> Result<Option<Self>, Violations> {
        let mut violations = Violations::default();
        let cursor = parameter(query, "after", &mut violations);
        let is_by_number = parameter(query, "pageNumber", &mut violations).is_some();
        if !violations.is_empty() {
            return Err(violations);
        }
        let Some(cursor) = cursor else {
            return Ok(None);
        };
        if is_by_number {
            return Err(Violations::one("after", "cannot be combined with pageNumber"));
        }
        match Self::from_text(&cursor, asked, kind) {
            Some(after) => Ok(Some(after)),
            None => Err(Violations::one("after", "must be a nextCursor of a list in the same order, or empty")),
        }
    }

    /// After the cursor that `text` holds in this order, or at the start when it is empty; `None` for any other text.
    pub fn from_text(text: &str, asked: &ListQuery, kind: SortKind) -> Option<Self> {
        if text.is_empty() {
            return Some(Self(None));
        }
        Cursor::decode(text, asked, kind).map(|cursor| Self(Some(cursor)))
    }

    /// The one name of this page among the pages of its list, as [`ListQuery::cache_field`]; made anew of what the cursor
    /// says, so that no other spelling of it is another page.
    ///
    /// # Errors
    /// As [`Cursor::encode`].
    pub fn cache_field(&self, asked: &ListQuery) -> Result<Option<String>, serde_json::Error> {
        let Some(field) = asked.cache_field() else {
            return Ok(None);
        };
        let cursor = self.0.as_ref().map(|cursor| cursor.encode(asked)).transpose()?;
        Ok(Some(format!("{field}{SEPARATOR}{}", cursor.unwrap_or_default())))
    }
}

/// What [`AfterCursor::cache_field`] put together: the page's name without its beginning, and the cursor. `None` for the name of a
/// page by number.
pub fn split_cache_field(field: &str) -> Option<(&str, &str)> {
    field.split_once(SEPARATOR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::PropertyId;
    use crate::http::SortFields;
    use proptest::prelude::*;

    const FIELDS: SortFields =
        SortFields { names: &["address", "rent"], default: "address", default_direction: Direction::Ascending };

    fn asked(query: &str) -> ListQuery {
        ListQuery::parse(Some(query), &FIELDS).expect("a query")
    }

    fn cursor(value: Option<&str>) -> Cursor<PropertyId> {
        let id = PropertyId::parse("0192f0c1-2345-7abc-8def-0123456789ab").expect("an id");
        Cursor { value: value.map(str::to_owned), id }
    }

    fn after(cursor: &str, order: &str, kind: SortKind) -> Result<Option<AfterCursor<PropertyId>>, Violations> {
        AfterCursor::parse(Some(&format!("{order}&after={cursor}")), &asked(order), kind)
    }

    #[test]
    fn a_cursor_names_its_place_again() {
        for (value, kind) in [
            (Some("1 Main St, ünïcode \"quoted\""), SortKind::Text),
            (None, SortKind::Text),
            (Some("-12.5"), SortKind::Money),
            (Some("2025-03-01T00:00:00.000001Z"), SortKind::Time),
        ] {
            let cursor = cursor(value);
            let text = cursor.encode(&asked("")).expect("a text");
            assert_eq!(after(&text, "", kind), Ok(Some(AfterCursor(Some(cursor)))), "{value:?}");
        }
    }

    #[test]
    fn nothing_after_the_name_is_the_start_and_no_name_is_a_page_by_number() {
        assert_eq!(after("", "", SortKind::Text), Ok(Some(AfterCursor(None))));
        assert_eq!(
            AfterCursor::parse(Some("AFTER="), &asked(""), SortKind::Text),
            Ok(Some(AfterCursor::<PropertyId>(None)))
        );
        assert_eq!(AfterCursor::<PropertyId>::parse(Some("pageSize=3"), &asked(""), SortKind::Text), Ok(None));
    }

    #[test]
    fn a_cursor_of_another_order_is_refused() {
        let cursor = cursor(Some("1 Main St")).encode(&asked("")).expect("a cursor");
        for (cursor, order, kind) in [
            ("x", "", SortKind::Text),
            ("bm90IEpTT04", "", SortKind::Text),
            (cursor.as_str(), "sortField=rent", SortKind::Text),
            (cursor.as_str(), "sortDescending=true", SortKind::Text),
            (cursor.as_str(), "", SortKind::Money),
            (cursor.as_str(), "pageNumber=1", SortKind::Text),
        ] {
            let refused = after(cursor, order, kind).expect_err(order);
            assert!(refused.by_member().contains_key("after"), "{cursor} {order}");
        }
    }

    #[test]
    fn a_page_has_one_name_however_its_cursor_is_spelt() {
        let name = |content: &str| {
            let after = after(&URL_SAFE_NO_PAD.encode(content), "sortField=rent", SortKind::Money);
            after.expect("a cursor").expect("by keyset").cache_field(&asked("sortField=rent")).expect("a name")
        };
        let id = "0192f0c1-2345-7abc-8def-0123456789ab";
        let usual = name(&format!(r#"["rent",false,"1.5","{id}"]"#));
        assert_eq!(usual, name(&format!(r#" [ "rent", false, "1.50", "{}" ] "#, id.to_uppercase())));
        assert_ne!(usual, name(&format!(r#"["rent",false,"1.6","{id}"]"#)));
        let searching = asked("searchTerm=x");
        assert_eq!(
            AfterCursor::<PropertyId>(None).cache_field(&searching).expect("a name"),
            None,
            "a search is not cached"
        );
    }

    proptest! {
        #[test]
        fn no_cursor_makes_the_reader_panic(cursor in "\\PC*") {
            let _ = after(&cursor, "", SortKind::Text);
            let _ = after(&URL_SAFE_NO_PAD.encode(cursor), "", SortKind::Time);
        }
    }
}
