//! What a component is told when a query fails.

use std::borrow::Cow;

use crate::bindings::spin::postgres::postgres::{DbError, Error, QueryError};
use crate::trace::ErrorType;

impl ErrorType for Error {
    fn error_type(&self) -> Cow<'static, str> {
        match self {
            // An SQLSTATE. The other members may quote values.
            Self::QueryFailed(QueryError::DbError(error)) => return error.code.clone().into(),
            Self::QueryFailed(QueryError::Text(_)) => "query_failed",
            Self::ConnectionFailed(_) => "connection_failed",
            Self::BadParameter(_) => "bad_parameter",
            Self::ValueConversionFailed(_) => "value_conversion_failed",
            Self::Other(_) => "other",
        }
        .into()
    }
}

/// A failed query: structured where PostgreSQL itself answered, text where the connection failed.
pub fn query_failed(error: tokio_postgres::Error) -> Error {
    let text = format!("{error:?}");
    Error::QueryFailed(match error.as_db_error() {
        None => QueryError::Text(text),
        Some(answer) => QueryError::DbError(DbError {
            as_text: text,
            severity: answer.severity().to_owned(),
            code: answer.code().code().to_owned(),
            message: answer.message().to_owned(),
            detail: answer.detail().map(str::to_owned),
            extras: extras(answer),
        }),
    })
}

/// A failure of the host's own, in a query's place.
pub fn query_failed_with(text: impl ToString) -> Error {
    Error::QueryFailed(QueryError::Text(text.to_string()))
}

/// An error with its causes, in the form that anyhow prints, and Spin with it, but never with a stack trace.
pub fn with_causes(error: &anyhow::Error) -> String {
    let causes: Vec<_> = error.chain().skip(1).map(ToString::to_string).collect();
    let listed = match &causes[..] {
        [] => return error.to_string(),
        [cause] => format!("    {cause}"),
        causes => causes.iter().enumerate().map(|(n, cause)| format!("{n:>5}: {cause}")).collect::<Vec<_>>().join("\n"),
    };
    format!("{error}\n\nCaused by:\n{listed}")
}

/// The fields of an answer that the interface has no name for, under the names that Spin gives them.
fn extras(answer: &tokio_postgres::error::DbError) -> Vec<(String, String)> {
    let text = |value: Option<&str>| value.map(str::to_owned);
    let number = |value: Option<u32>| value.map(|value| value.to_string());
    [
        ("column", text(answer.column())),
        ("constraint", text(answer.constraint())),
        ("routine", text(answer.routine())),
        ("hint", text(answer.hint())),
        ("table", text(answer.table())),
        ("datatype", text(answer.datatype())),
        ("schema", text(answer.schema())),
        ("file", text(answer.file())),
        ("line", number(answer.line())),
        ("where_", text(answer.where_())),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?)))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_listed_below_the_error() {
        let error = anyhow::anyhow!("root");
        assert_eq!(with_causes(&error), "root");
        let error = error.context("middle");
        assert_eq!(with_causes(&error), "middle\n\nCaused by:\n    root");
        assert_eq!(with_causes(&error.context("top")), "top\n\nCaused by:\n    0: middle\n    1: root");
    }
}
