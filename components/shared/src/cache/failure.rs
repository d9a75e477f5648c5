//! Telling a Redis that answered "no" from one that did not answer.

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
}

impl RedisFailure {
    /// The kind of failure, as it is counted.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::TimedOut => "timeout",
            Self::Refused(_) => "refused",
        }
    }

    /// Whether Redis has answered, if only with an error.
    pub fn is_answer(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    /// Sorts an error text of `spin:redis`. The interface has one text for everything; it is that of the `redis` crate,
    /// where a server's error is either `CODE: text`, with a code of capital letters, or begins with a fixed sentence.
    pub fn from_text(text: &str) -> Self {
        let code = text.split(':').next().unwrap_or_default();
        let is_code = code.len() > 1 && code.bytes().all(|byte| byte.is_ascii_uppercase());
        if is_code || text.starts_with("An error was signalled by the server") {
            Self::Refused(text.into())
        } else {
            Self::Unavailable(text.into())
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
        check("Connection refused (os error 111)", false);
        check("broken pipe", false);
        check("Multiplexed connection driver unexpectedly terminated", false);
        check("timed out", false);
        check("I/O error: reset", false);
        check("", false);
    }
}
