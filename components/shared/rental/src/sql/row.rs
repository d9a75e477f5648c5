//! A row from PostgreSQL, independent of the platform's types.

/// One column of a row. Queries cast to these types, so there are no others.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// SQL `NULL`.
    Null,
    /// `text`, `uuid` and `numeric`.
    Text(String),
    /// `bigint` and `int`.
    Integer(i64),
    /// `boolean`.
    Boolean(bool),
    /// `text[]`.
    Texts(Vec<String>),
}

/// One parameter of a statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Parameter {
    /// SQL `NULL`, of any type.
    Null,
    /// `text`.
    Text(String),
    /// `uuid`.
    Uuid(String),
    /// `bigint`.
    Integer(i64),
    /// `numeric`.
    Decimal(String),
    /// `bigint[]`.
    Integers(Vec<i64>),
    /// `text[]`.
    Texts(Vec<String>),
}

impl Parameter {
    /// A text, or `NULL`.
    pub fn optional_text(value: Option<impl ToString>) -> Self {
        value.map_or(Self::Null, |value| Self::Text(value.to_string()))
    }

    /// A text.
    pub fn text(value: impl ToString) -> Self {
        Self::Text(value.to_string())
    }

    /// An id.
    pub fn uuid(value: impl ToString) -> Self {
        Self::Uuid(value.to_string())
    }

    /// A decimal number, or `NULL`.
    pub fn optional_decimal(value: Option<impl ToString>) -> Self {
        value.map_or(Self::Null, |value| Self::Decimal(value.to_string()))
    }
}

/// A row does not have the shape that its query promises: a defect, never the client's doing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {index} of a row is {problem}")]
pub struct RowError {
    index: usize,
    problem: &'static str,
}

/// Reads the columns of a row from left to right.
pub struct RowReader<'a> {
    columns: &'a [Column],
    next: usize,
}

impl<'a> RowReader<'a> {
    /// Starts at the first column.
    pub fn new(columns: &'a [Column]) -> Self {
        Self { columns, next: 0 }
    }

    fn take(&mut self) -> Result<&'a Column, RowError> {
        let column = self.columns.get(self.next).ok_or(RowError { index: self.next, problem: "missing" })?;
        self.next += 1;
        Ok(column)
    }

    fn error(&self, problem: &'static str) -> RowError {
        RowError { index: self.next.saturating_sub(1), problem }
    }

    /// A text, or `None` for `NULL`.
    pub fn optional_text(&mut self) -> Result<Option<&'a str>, RowError> {
        match self.take()? {
            Column::Null => Ok(None),
            Column::Text(text) => Ok(Some(text)),
            _ => Err(self.error("not a text")),
        }
    }

    /// An integer, or `None` for `NULL`.
    pub fn optional_integer(&mut self) -> Result<Option<i64>, RowError> {
        match self.take()? {
            Column::Null => Ok(None),
            Column::Integer(number) => Ok(Some(*number)),
            _ => Err(self.error("not an integer")),
        }
    }

    /// A text that is never `NULL`.
    pub fn text(&mut self) -> Result<&'a str, RowError> {
        self.optional_text()?.ok_or_else(|| self.error("null"))
    }

    /// An integer that is never `NULL`.
    pub fn integer(&mut self) -> Result<i64, RowError> {
        self.optional_integer()?.ok_or_else(|| self.error("null"))
    }

    /// A boolean that is never `NULL`.
    pub fn boolean(&mut self) -> Result<bool, RowError> {
        match self.take()? {
            Column::Boolean(value) => Ok(*value),
            _ => Err(self.error("not a boolean")),
        }
    }

    /// A list of texts; `NULL` is the empty one.
    pub fn texts(&mut self) -> Result<&'a [String], RowError> {
        match self.take()? {
            Column::Null => Ok(&[]),
            Column::Texts(texts) => Ok(texts),
            _ => Err(self.error("not a list of texts")),
        }
    }

    /// A text that `parse` understands, or `None` for `NULL`.
    pub fn optional<T>(&mut self, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, RowError> {
        match self.optional_text()? {
            None => Ok(None),
            Some(text) => parse(text).map(Some).ok_or_else(|| self.error("malformed")),
        }
    }

    /// A text that `parse` understands.
    pub fn parsed<T>(&mut self, parse: impl Fn(&str) -> Option<T>) -> Result<T, RowError> {
        self.optional(parse)?.ok_or_else(|| self.error("null"))
    }

    /// An integer that `parse` understands, or `None` for `NULL`.
    pub fn optional_from_integer<T>(&mut self, parse: impl Fn(i64) -> Option<T>) -> Result<Option<T>, RowError> {
        match self.optional_integer()? {
            None => Ok(None),
            Some(number) => parse(number).map(Some).ok_or_else(|| self.error("out of range")),
        }
    }

    /// An integer that `parse` understands.
    pub fn from_integer<T>(&mut self, parse: impl Fn(i64) -> Option<T>) -> Result<T, RowError> {
        self.optional_from_integer(parse)?.ok_or_else(|| self.error("null"))
    }

    /// Leaves out the next columns.
    ///
    /// # Errors
    /// When there are not as many.
    pub fn skip(&mut self, count: usize) -> Result<(), RowError> {
        (0..count).try_for_each(|_| self.take().map(|_| ()))
    }

    /// Whether the columns that are left are all `NULL`: the empty side of an outer join.
    pub fn rest_is_null(&self) -> bool {
        self.columns.iter().skip(self.next).all(|column| *column == Column::Null)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_read_in_order_and_a_wrong_one_is_named() {
        let columns = [Column::Text("a".into()), Column::Null, Column::Integer(7)];
        let mut row = RowReader::new(&columns);
        assert_eq!(row.text(), Ok("a"));
        assert_eq!(row.optional_text(), Ok(None));
        assert_eq!(row.integer(), Ok(7));
        assert_eq!(row.integer(), Err(RowError { index: 3, problem: "missing" }));

        let mut row = RowReader::new(&columns);
        assert_eq!(row.integer(), Err(RowError { index: 0, problem: "not an integer" }));
        assert_eq!(row.text(), Err(RowError { index: 1, problem: "null" }));
    }

    #[test]
    fn an_empty_outer_side_is_recognised() {
        let columns = [Column::Integer(0), Column::Null, Column::Null];
        let mut row = RowReader::new(&columns);
        assert!(!row.rest_is_null());
        assert_eq!(row.integer(), Ok(0));
        assert!(row.rest_is_null());
    }
}
