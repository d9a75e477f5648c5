//! What can go wrong while a request is answered. It knows nothing of HTTP: [`crate::http::Problem`] maps it to a status.

use crate::domain::Violations;

/// A request that is not answered as its sender wished.
///
/// The variants carry what the client may know. What only the log may know is in [`Error::Unavailable`] and
/// [`Error::Internal`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No valid token.
    #[error("the token was refused: {0}")]
    Unauthenticated(&'static str),
    /// A valid token that does not allow this; the text is told to the client.
    #[error("forbidden: {0}")]
    Forbidden(&'static str),
    /// What was asked for is not there, or belongs to another tenant.
    #[error("not found")]
    NotFound,
    /// The path does not have the method; here are those that it has, as `Allow` lists them.
    #[error("method not allowed; allowed are {0}")]
    MethodNotAllowed(&'static str),
    /// Members of the body or the query are missing or wrong.
    #[error("invalid request: {0:?}")]
    Invalid(Violations),
    /// The path or the query is longer than the limit.
    #[error("the path or the query is too long")]
    UriTooLong,
    /// There are more headers, or longer ones, than the limit.
    #[error("the headers are too large")]
    HeadersTooLarge,
    /// The body is larger than the limit.
    #[error("the body is too large")]
    TooLarge,
    /// The body is not JSON, or is encoded.
    #[error("unsupported media type: {0}")]
    UnsupportedMediaType(&'static str),
    /// `If-Match` does not name the current version, or `If-None-Match` does.
    #[error("the precondition failed")]
    PreconditionFailed,
    /// A write must name the version that it replaces.
    #[error("a precondition is required")]
    PreconditionRequired,
    /// `rowVersion` in the body is not the current one.
    #[error("the row version is not the current one")]
    Conflict,
    /// The idempotency key is in use by a request that is under way at this moment.
    #[error("the idempotency key is in use")]
    KeyInUse,
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// PostgreSQL cannot be reached or did not answer in time. The text is for the log.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// What an operator asked for needs the cache, which is not in use.
    #[error("the cache is out of use")]
    CacheOutOfUse,
    /// More is asked of PostgreSQL at this moment than this instance lets through.
    #[error("busy: too many reads are under way")]
    Busy,
    /// The tenant has sent more than its rate limit allows; after so many seconds it may send again.
    #[error("over the tenant's budget")]
    RateLimited(u64),
    /// A defect or a bad configuration. The text is for the log.
    #[error("internal: {0}")]
    Internal(String),
}

impl From<crate::sql::RowError> for Error {
    fn from(error: crate::sql::RowError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<Violations> for Error {
    fn from(violations: Violations) -> Self {
        Self::Invalid(violations)
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Internal(error.to_string())
    }
}
