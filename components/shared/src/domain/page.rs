//! A page of a list.

use serde::Serialize;

/// One page of a list, as the contract answers it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    items: Vec<T>,
    total_count: i64,
    page_number: i64,
    total_pages: i64,
    has_next_page: bool,
    has_previous_page: bool,
}

impl<T> Page<T> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(total: i64, number: i64, size: i64, expected: (i64, bool, bool)) {
        let page = Page::<()>::new(Vec::new(), total, number, size);
        assert_eq!(
            (page.total_pages, page.has_next_page, page.has_previous_page),
            expected,
            "{total} items, page {number} of size {size}"
        );
    }

    #[test]
    fn pages_are_counted_from_the_total() {
        check(0, 1, 10, (0, false, false));
        check(10, 1, 10, (1, false, false));
        check(11, 1, 10, (2, true, false));
        check(11, 2, 10, (2, false, true));
        check(11, 9, 10, (2, false, true));
    }
}
