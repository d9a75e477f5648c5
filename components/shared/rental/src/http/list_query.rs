//! The query of a list.

use super::parameter;
use crate::domain::Violations;

/// The largest page.
const MAX_PAGE_SIZE: i64 = 50;
const DEFAULT_PAGE_SIZE: i64 = 10;
/// The largest page number: more would overflow the offset's arithmetic long after the last page of anything.
const MAX_PAGE_NUMBER: i64 = i32::MAX as i64;
/// The longest search term, in characters: as long as the longest member that is searched.
const MAX_SEARCH_CHARS: usize = 500;

/// Which way a list is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From small to large.
    Ascending,
    /// From large to small.
    Descending,
}

impl Direction {
    /// Its word in SQL.
    pub fn sql(self) -> &'static str {
        match self {
            Self::Ascending => "ASC",
            Self::Descending => "DESC",
        }
    }
}

/// The fields that a list can be sorted by, and what it is sorted by when the query names none of them.
#[derive(Debug)]
pub struct SortFields {
    /// The names, as the contract spells them.
    pub names: &'static [&'static str],
    /// The field that is taken instead of a missing or an unknown one.
    pub default: &'static str,
    /// The direction when there is no `sortField`.
    pub default_direction: Direction,
}

/// The query of a list: every member within its bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuery {
    /// From 1.
    pub page_number: i64,
    /// 1 to 50.
    pub page_size: i64,
    /// What to look for; never blank.
    pub search: Option<String>,
    /// One of [`SortFields::names`].
    pub sort_field: &'static str,
    /// Which way.
    pub direction: Direction,
}

impl ListQuery {
    /// Reads a query string (`+` is a space). Names match in any case, the first of two with the same name counts, as it
    /// does in RentTracker, and other names are ignored.
    ///
    /// # Errors
    /// Names the members whose value is no number, no boolean or no text.
    pub fn parse(query: Option<&str>, fields: &SortFields) -> Result<Self, Violations> {
        let mut violations = Violations::default();
        let mut read = |name: &str| parameter(query, name, &mut violations);
        let (page_number, page_size) = (read("pageNumber"), read("pageSize"));
        let (search, sort_field, descending) = (read("searchTerm"), read("sortField"), read("sortDescending"));

        let mut number = |name: &str, text: Option<String>, default: i64| match text {
            None => default,
            Some(text) => integer(&text).unwrap_or_else(|| {
                violations.add(name, "must be a whole number");
                default
            }),
        };
        let page_number = number("pageNumber", page_number, 1).clamp(1, MAX_PAGE_NUMBER);
        let page_size = match number("pageSize", page_size, DEFAULT_PAGE_SIZE) {
            i64::MIN..=0 => DEFAULT_PAGE_SIZE,
            size => size.min(MAX_PAGE_SIZE),
        };
        let descending = match descending.as_deref().map(str::trim) {
            None => None,
            Some(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Some(false),
            Some(_) => {
                violations.add("sortDescending", "must be true or false");
                None
            }
        };
        let search = search.filter(|term| !term.trim().is_empty());
        if search.as_ref().is_some_and(|term| term.chars().count() > MAX_SEARCH_CHARS) {
            violations.add("searchTerm", format!("must have at most {MAX_SEARCH_CHARS} characters"));
        }
        if !violations.is_empty() {
            return Err(violations);
        }

        let wanted = sort_field.as_deref().map(str::trim).filter(|name| !name.is_empty());
        let known = wanted.and_then(|name| fields.names.iter().find(|field| field.eq_ignore_ascii_case(name)).copied());
        let default_direction = if known.is_some() { Direction::Ascending } else { fields.default_direction };
        let direction = match descending {
            None => default_direction,
            Some(true) => Direction::Descending,
            Some(false) => Direction::Ascending,
        };
        Ok(Self { page_number, page_size, search, sort_field: known.unwrap_or(fields.default), direction })
    }

    /// How many items come before the page.
    pub fn offset(&self) -> i64 {
        (self.page_number - 1) * self.page_size
    }

    /// The one name of this page among the pages of its list: the field of the cache's hash. `None` for a search, which
    /// is not cached: what people type is too varied to be asked for again.
    pub fn cache_field(&self) -> Option<String> {
        if self.search.is_some() {
            return None;
        }
        let direction = match self.direction {
            Direction::Ascending => "asc",
            Direction::Descending => "desc",
        };
        Some(format!("{}|{}|{}|{direction}", self.page_number, self.page_size, self.sort_field))
    }

    /// Reads what [`ListQuery::cache_field`] made; `None` for what it never makes.
    pub fn from_cache_field(field: &str, fields: &SortFields) -> Option<Self> {
        let mut parts = field.split('|');
        let page_number = parts.next()?.parse().ok().filter(|number| (1..=MAX_PAGE_NUMBER).contains(number))?;
        let page_size = parts.next()?.parse().ok().filter(|size| (1..=MAX_PAGE_SIZE).contains(size))?;
        let name = parts.next()?;
        let sort_field = fields.names.iter().copied().find(|known| *known == name)?;
        let direction = match parts.next()? {
            "asc" => Direction::Ascending,
            "desc" => Direction::Descending,
            _ => return None,
        };
        parts.next().is_none().then_some(Self { page_number, page_size, search: None, sort_field, direction })
    }

    /// The search term as a `LIKE` pattern that finds it anywhere, its own wildcards taken literally.
    pub fn search_pattern(&self) -> Option<String> {
        let term = self.search.as_deref()?;
        let mut pattern = String::with_capacity(term.len() + 2);
        pattern.push('%');
        for character in term.chars() {
            if matches!(character, '\\' | '%' | '_') {
                pattern.push('\\');
            }
            pattern.push(character);
        }
        pattern.push('%');
        Some(pattern)
    }
}

/// A whole number of any length: what does not fit is as large, or as small, as can be.
fn integer(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(if text.starts_with('-') { i64::MIN } else { i64::MAX }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FIELDS: SortFields = SortFields {
        names: &["address", "leaseStartDate"],
        default: "address",
        default_direction: Direction::Descending,
    };

    fn parse(query: &str) -> ListQuery {
        ListQuery::parse(Some(query), &FIELDS).unwrap_or_else(|error| panic!("{query}: {error:?}"))
    }

    #[test]
    fn pages_are_brought_within_their_bounds() {
        let page = |query| {
            let query = parse(query);
            (query.page_number, query.page_size)
        };
        assert_eq!(page(""), (1, 10));
        assert_eq!(page("pageNumber=0&pageSize=0"), (1, 10));
        assert_eq!(page("pageNumber=-5&pageSize=-1"), (1, 10));
        assert_eq!(page("pageNumber=3&pageSize=51"), (3, 50));
        assert_eq!(page("PAGENUMBER=3&pagesize=7"), (3, 7));
        assert_eq!(page("pageNumber=99999999999999999999"), (MAX_PAGE_NUMBER, 10));
    }

    #[test]
    fn a_member_that_is_no_number_or_boolean_is_refused_by_name() {
        for (query, member) in [
            ("pageNumber=x", "pageNumber"),
            ("pageNumber=", "pageNumber"),
            ("pageSize=1.5", "pageSize"),
            ("pageSize=1e3", "pageSize"),
            ("sortDescending=1", "sortDescending"),
            ("sortDescending=", "sortDescending"),
            ("searchTerm=a%00", "searchTerm"),
            ("sortField=%00", "sortField"),
            ("searchTerm=%FF", "searchTerm"),
            ("searchTerm=%C0%80", "searchTerm"),
            ("searchTerm=%ED%A0%80", "searchTerm"),
            ("sortField=a%80", "sortField"),
            ("pageNumber=%D9%A1", "pageNumber"),
        ] {
            let violations = ListQuery::parse(Some(query), &FIELDS).expect_err(query);
            assert!(violations.by_member().contains_key(member), "{query}");
        }
    }

    #[test]
    fn the_first_of_two_counts_and_other_names_are_ignored() {
        assert_eq!(parse("pageNumber=2&PAGENUMBER=3&pageNumber=x").page_number, 2);
        assert_eq!(parse("page%4Eumber=2").page_number, 2);
        assert_eq!(parse("other=%FF&a=%00&&=&=x&%FF=1&pageSize=7").page_size, 7);
        assert_eq!(parse("searchTerm=100%&x").search.as_deref(), Some("100%"));
        assert_eq!(parse("searchTerm=a%2Bb+c").search.as_deref(), Some("a+b c"));
    }

    #[test]
    fn sorting_falls_back_to_the_list_s_own_order() {
        let sort = |query| {
            let query = parse(query);
            (query.sort_field, query.direction)
        };
        assert_eq!(sort(""), ("address", Direction::Descending));
        assert_eq!(sort("sortField=LEASESTARTDATE"), ("leaseStartDate", Direction::Ascending));
        assert_eq!(sort("sortField=leaseStartDate&sortDescending=True"), ("leaseStartDate", Direction::Descending));
        assert_eq!(sort("sortField=price"), ("address", Direction::Descending));
        assert_eq!(sort("sortDescending=false"), ("address", Direction::Ascending));
    }

    #[test]
    fn a_search_is_literal_and_not_cached() {
        let query = parse("searchTerm=50%25+_a%5Cb");
        assert_eq!(query.search.as_deref(), Some("50% _a\\b"));
        assert_eq!(query.search_pattern().as_deref(), Some("%50\\% \\_a\\\\b%"));
        assert_eq!(query.cache_field(), None);
        assert_eq!(parse("searchTerm=+").search, None);
    }

    #[test]
    fn a_page_has_one_name_however_it_is_asked_for() {
        let name = |query| parse(query).cache_field();
        assert_eq!(name("pageNumber=1&sortField=address&sortDescending=true"), name(""));
        assert_eq!(name("pageNumber=-1&pageSize=0"), name(""));
        assert_ne!(name("pageNumber=2"), name(""));
        assert_ne!(name("sortDescending=false"), name(""));
    }

    proptest! {
        #[test]
        fn no_query_makes_the_reader_panic(query in "\\PC*") {
            if let Ok(query) = ListQuery::parse(Some(&query), &FIELDS) {
                prop_assert!(query.offset() >= 0);
                prop_assert!((1..=MAX_PAGE_SIZE).contains(&query.page_size));
            }
        }
    }
}
