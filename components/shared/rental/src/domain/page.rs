//! A page of a list.

use crate::sql::{RowError, RowReader};
use serde::Serialize;

/// One page of a list, as the contract answers it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    items: Vec<T>,
    total_count: i64,
    page_number: i64,
    total_pages: i64,
    has_next_page: bool,
    has_previous_page: bool,
}

impl<T> Page<T> {
    /// Reads a page from rows that each begin with the total and go on with an item, or with nulls alone: a page past the
    /// end is one row with the total.
    ///
    /// # Errors
    /// Those of `read`, and when a row is no such row.
    pub fn from_rows<'a>(
        rows: impl IntoIterator<Item = RowReader<'a>>,
        page_number: i64,
        page_size: i64,
        read: impl Fn(&mut RowReader<'a>) -> Result<T, RowError>,
    ) -> Result<Self, RowError> {
        let mut total = 0;
        let mut items = Vec::new();
        for mut row in rows {
            total = row.integer()?;
            if !row.rest_is_null() {
                items.push(read(&mut row)?);
            }
        }
        Ok(Self::new(items, total, page_number, page_size))
    }

    /// Puts a page together. `page_size` is at least 1: [`crate::http::ListQuery`] sees to that.
    pub fn new(items: Vec<T>, total_count: i64, page_number: i64, page_size: i64) -> Self {
        let total_pages = (total_count + page_size - 1) / page_size;
        Self {
            items,
            total_count,
            page_number,
            total_pages,
            has_next_page: page_number < total_pages,
            has_previous_page: page_number > 1,
        }
    }
}

/// One page of a list by keyset. It has no totals: counting is what its pages are spared.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeysetPage<T> {
    items: Vec<T>,
    has_next_page: bool,
    has_previous_page: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

impl<T> KeysetPage<T> {
    /// Puts a page together from its items and the one behind them, if there is one; `cursor` names an item.
    ///
    /// # Errors
    /// Those of `cursor`.
    pub fn new<E>(
        mut items: Vec<T>,
        page_size: i64,
        has_previous_page: bool,
        cursor: impl FnOnce(&T) -> Result<String, E>,
    ) -> Result<Self, E> {
        let size = usize::try_from(page_size).unwrap_or(usize::MAX);
        let has_next_page = items.len() > size;
        items.truncate(size);
        let next_cursor = items.last().filter(|_| has_next_page).map(cursor).transpose()?;
        Ok(Self { items, has_next_page, has_previous_page, next_cursor })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Column;

    fn check(total: i64, number: i64, size: i64, expected: (i64, bool, bool)) {
        let page = Page::<()>::new(Vec::new(), total, number, size);
        assert_eq!(
            (page.total_pages, page.has_next_page, page.has_previous_page),
            expected,
            "{total} items, page {number} of size {size}"
        );
    }

    #[test]
    fn a_page_past_the_end_is_empty_and_knows_the_total() {
        let rows = [[Column::Integer(7), Column::Null], [Column::Integer(7), Column::Integer(1)]];
        let read = |rows: &[[Column; 2]]| {
            let page = Page::from_rows(rows.iter().map(|row| RowReader::new(row)), 2, 5, RowReader::integer);
            page.map(|page| (page.items, page.total_count))
        };
        assert_eq!(read(&rows[..1]), Ok((vec![], 7)));
        assert_eq!(read(&rows[1..]), Ok((vec![1], 7)));
        assert_eq!(read(&[]), Ok((vec![], 0)));
    }

    #[test]
    fn pages_are_counted_from_the_total() {
        check(0, 1, 10, (0, false, false));
        check(10, 1, 10, (1, false, false));
        check(11, 1, 10, (2, true, false));
        check(11, 2, 10, (2, false, true));
        check(11, 9, 10, (2, false, true));
    }

    #[test]
    fn a_keyset_page_has_a_cursor_only_when_there_is_more() {
        let page = |items: Vec<i64>| {
            KeysetPage::new(items, 2, false, |last| Ok::<_, ()>(last.to_string()))
                .map(|page| (page.items, page.next_cursor))
        };
        assert_eq!(page(vec![1, 2, 3]), Ok((vec![1, 2], Some("2".into()))));
        assert_eq!(page(vec![1, 2]), Ok((vec![1, 2], None)));
        assert_eq!(page(vec![]), Ok((vec![], None)));
    }
}
