//! Telling a Redis that answered "no" from one that did not answer.

use super::{Rejection, Unfit};

/// Why a Redis command has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedisFailure {
    /// It could not be reached, or broke off. This is what the breaker counts.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// It did not answer within the deadline. To the breaker that is the same.
    #[error("no answer within the deadline")]
    TimedOut,
    /// It answered with an error: it is well, and the command or the data is not.
    #[error("refused: {0}")]
    Refused(String),
    /// It answers, and the cache cannot be in it. To the breaker that is as if it could not be reached.
    #[error("unfit: {0}")]
    Unfit(Unfit),
}

/// How the host begins to say that it will not hand on an answer of that size (128 MiB).
const TOO_LARGE: &str = "query result exceeds limit";
/// What `guard.lua` answers in another database: the one that was asked for is gone.
const ANOTHER: &str = "ANOTHER";

impl RedisFailure {
    /// The kind of failure, as it is counted.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::TimedOut => "timeout",
            Self::Refused(_) => "refused",
            Self::Unfit(_) => "unfit",
        }
    }

    /// Whether Redis has answered, if only with an error.
    pub fn is_answer(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    /// Why the cache cannot be in a Redis that answers.
    pub fn unfit(&self) -> Option<Unfit> {
        match self {
            Self::Unfit(unfit) => Some(*unfit),
            Self::Unavailable(_) | Self::TimedOut | Self::Refused(_) => None,
        }
    }

    /// Sorts an error text of `spin:redis`. The interface has one text for everything; it is that of the `redis` crate,
    /// where a server's error is either `CODE: text`, with a code of capital letters, or begins with a fixed sentence.
    pub fn from_text(text: &str) -> Self {
        let code = text.split(':').next().unwrap_or_default();
        let is_code = code.len() > 1 && code.bytes().all(|byte| byte.is_ascii_uppercase());
        let is_told = |beginning| text.starts_with(beginning);
        if is_code || is_told("An error was signalled by the server") || is_told(TOO_LARGE) {
            Self::Refused(text.into())
        } else {
            Self::Unavailable(text.into())
        }
    }

    /// Sorts an error text of a server as it is on the wire: `CODE text`.
    pub fn from_server(text: &str) -> Self {
        let (code, rest) = text.split_once(' ').unwrap_or((text, ""));
        let is_over = rest.starts_with("max ") && rest.contains("request") && rest.contains("limit exceeded");
        if code == ANOTHER || is_over {
            return Self::Unavailable(text.into());
        }
        Self::Refused(format!("{code}: {rest}"))
    }

    /// An answer that is longer than any that is asked for.
    pub fn too_large(limit: usize) -> Self {
        Self::Refused(format!("{TOO_LARGE} of {limit} bytes"))
    }

    /// What a failed look for an entry says of the value that is there.
    pub fn rejection(&self) -> Option<Rejection> {
        match self {
            Self::Refused(text) if text.starts_with("WRONGTYPE") => Some(Rejection::Mistyped),
            Self::Refused(text) if text.starts_with(TOO_LARGE) => Some(Rejection::TooLarge),
            Self::Refused(_) | Self::Unavailable(_) | Self::TimedOut | Self::Unfit(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, refused: bool) {
        assert_eq!(matches!(RedisFailure::from_text(text), RedisFailure::Refused(_)), refused, "{text}");
    }

    #[test]
    fn only_an_answer_of_the_server_is_a_refusal() {
        check("WRONGTYPE: Operation against a key holding the wrong kind of value", true);
        check("NOAUTH: Authentication required.", true);
        check("OOM: command not allowed when used memory > 'maxmemory'.", true);
        check("An error was signalled by the server - ResponseError: unknown command 'FOO'", true);
        check("An error was signalled by the server - BusyLoadingError: Redis is loading the dataset in memory", true);
        check("query result exceeds limit of 134217728 bytes", true);
        check("Connection refused (os error 111)", false);
        check("broken pipe", false);
        check("Multiplexed connection driver unexpectedly terminated", false);
        check("timed out", false);
        check("I/O error: reset", false);
        check("", false);
    }

    #[test]
    fn a_value_that_cannot_be_an_entry_is_told_from_other_refusals() {
        let rejection = |text: &str| RedisFailure::from_text(text).rejection();
        assert_eq!(
            rejection("WRONGTYPE: Operation against a key holding the wrong kind of value"),
            Some(Rejection::Mistyped)
        );
        assert_eq!(rejection("query result exceeds limit of 134217728 bytes"), Some(Rejection::TooLarge));
        assert_eq!(rejection("NOPERM: User renttracker has no permissions"), None);
        assert_eq!(RedisFailure::too_large(1).rejection(), Some(Rejection::TooLarge));
    }
}
