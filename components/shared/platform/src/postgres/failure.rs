//! Why a statement has no result.

use crate::sdk::pg::{Error as SdkError, PgError, QueryError};
use rental::error::Error;
use rental::sql::sqlstate::{self, Kind, Meaning, SILENT};

/// Why a statement has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What the caller is told.
    pub error: Error,
    /// The kind of failure, as it is counted.
    pub kind: Kind,
    /// Whether the statement may have taken effect all the same, now or later.
    pub may_have_run: bool,
    /// What it means, in words.
    pub words: &'static str,
}

impl Failure {
    /// A failure with this meaning; `text` is for the log.
    pub fn new(meaning: Meaning, text: String) -> Self {
        let Meaning { kind, words, passes, may_have_run } = meaning;
        let error = if passes { Error::Unavailable(text) } else { Error::Internal(text) };
        Self { error, kind, may_have_run, words }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

pub fn late(may_have_run: bool) -> Failure {
    Failure::new(Meaning { may_have_run, ..SILENT }, "PostgreSQL did not answer within the deadline".into())
}

pub fn not_reached(error: SdkError) -> Failure {
    let text = format!("{error:?}");
    Failure::new(sqlstate::meaning_of_no_connection(&text), format!("PostgreSQL cannot be reached: {text}"))
}

pub fn failed(error: SdkError) -> Failure {
    let meaning = match &error {
        SdkError::PgError(PgError::QueryFailed(QueryError::DbError(details))) => sqlstate::meaning(&details.code),
        // No answer of the server: the connection broke, and nobody knows when.
        _ => sqlstate::BROKEN,
    };
    Failure::new(meaning, format!("PostgreSQL: {error:?}"))
}
