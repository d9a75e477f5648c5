//! Failures of Redis: an answer that refuses, or no answer.

use super::unfit::Unfit;
use crate::Rejection;

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

/// The kinds of [`RedisFailure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureKind {
    /// [`RedisFailure::Unavailable`]
    Unavailable,
    /// [`RedisFailure::TimedOut`]
    Timeout,
    /// [`RedisFailure::Refused`]
    Refused,
    /// [`RedisFailure::Unfit`]
    Unfit,
}

impl FailureKind {
    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Refused => "refused",
            Self::Unfit => "unfit",
        }
    }
}

/// How the host begins to say that it will not hand on an answer of that size (128 MiB).
const TOO_LARGE: &str = "query result exceeds limit";
/// The code with which the script that reads by REST tells of a value that is larger than any entry.
pub(super) const TOO_LARGE_CODE: &str = "TOOLARGE";
/// What `guard.lua` answers in another database: the one that was asked for is gone.
const ANOTHER: &str = "ANOTHER";

/// Why a Redis that answers refuses what readers and writers ask of it: because of its own state, whatever the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// It is reading its data after a start.
    Loading,
    /// Another's script does not end.
    Busy,
    /// It cannot write to its disk: the append-only file, or a snapshot where `stop-writes-on-bgsave-error` is on.
    Misconf,
    /// Fewer replicas than `min-replicas-to-write` have caught up.
    NoReplicas,
    /// The user may not run a command, or not touch a key.
    NoPermission,
    /// Its memory is full (`maxmemory`).
    OutOfMemory,
    /// It is a replica.
    ReadOnly,
    /// Anything else.
    Other,
}

/// The codes of refusals as Redis and Valkey write them, and as the `redis` crate 0.32 spells those that it knows. Up to
/// version 6.2 the code of an error inside a script stands in the middle of the text.
const CODES: [(&str, Refusal); 9] = [
    ("LOADING", Refusal::Loading),
    ("BusyLoadingError", Refusal::Loading),
    ("BUSY", Refusal::Busy),
    ("MISCONF", Refusal::Misconf),
    ("NOREPLICAS", Refusal::NoReplicas),
    ("NOPERM", Refusal::NoPermission),
    ("OOM", Refusal::OutOfMemory),
    ("READONLY", Refusal::ReadOnly),
    ("ReadOnly", Refusal::ReadOnly),
];
/// What stands for `NOPERM` inside scripts: up to 7.0, and from 7.2 on.
const NO_PERMISSION: [&str; 2] = ["The user executing the script can't", "ACL failure in script"];
/// What Redis 7 puts behind an error inside a script: where in the script it was.
const PLACE_IN_SCRIPT: &str = " script: ";

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Loading,
        Self::Busy,
        Self::Misconf,
        Self::NoReplicas,
        Self::NoPermission,
        Self::OutOfMemory,
        Self::ReadOnly,
        Self::Other,
    ];

    /// Its name in metrics: Redis's code in small letters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Loading => "loading",
            Self::Busy => "busy",
            Self::Misconf => "misconf",
            Self::NoReplicas => "noreplicas",
            Self::NoPermission => "noperm",
            Self::OutOfMemory => "oom",
            Self::ReadOnly => "readonly",
            Self::Other => "other",
        }
    }
}

/// The first word of `text` that is a refusal's code: where it stands, and whose it is.
fn code_in(text: &str) -> Option<(usize, Refusal)> {
    let mut end = 0;
    text.split(|c: char| !c.is_ascii_alphanumeric()).find_map(|word| {
        let begin = end;
        end += word.len() + 1;
        CODES.iter().find(|(code, _)| *code == word).map(|(_, refusal)| (begin, *refusal))
    })
}

impl RedisFailure {
    /// The kind of failure, as it is counted.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Unavailable(_) => FailureKind::Unavailable,
            Self::TimedOut => FailureKind::Timeout,
            Self::Refused(_) => FailureKind::Refused,
            Self::Unfit(_) => FailureKind::Unfit,
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
        // Later versions of the crate put the code in quotation marks.
        let code = text.split(':').next().unwrap_or_default().trim_matches('"');
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

    /// Why the value that is there is no entry, when the failure says so.
    pub fn rejection(&self) -> Option<Rejection> {
        match self {
            Self::Refused(text) if text.trim_start_matches('"').starts_with("WRONGTYPE") => Some(Rejection::Mistyped),
            Self::Refused(text) if text.starts_with(TOO_LARGE) => Some(Rejection::TooLarge),
            Self::Refused(text) if text.starts_with(TOO_LARGE_CODE) => Some(Rejection::TooLarge),
            Self::Refused(_) | Self::Unavailable(_) | Self::TimedOut | Self::Unfit(_) => None,
        }
    }

    /// What the answer says of Redis itself; `None` when it says something of a value, and when there was none.
    pub fn refusal(&self) -> Option<Refusal> {
        let Self::Refused(text) = self else {
            return None;
        };
        if self.rejection().is_some() {
            return None;
        }
        if NO_PERMISSION.iter().any(|words| text.contains(words)) {
            return Some(Refusal::NoPermission);
        }
        Some(code_in(text).map_or(Refusal::Other, |(_, refusal)| refusal))
    }

    /// The text for an administrator: for a refusal the text of Redis, without the place in a script.
    pub fn message(&self) -> String {
        let Self::Refused(text) = self else {
            return self.to_string();
        };
        let said = match text.rsplit_once(PLACE_IN_SCRIPT) {
            Some((said, place)) if place.contains("@user_script") => said,
            _ => text,
        };
        let from = code_in(said).map_or(0, |(begin, _)| begin);
        said.get(from..).unwrap_or(said).to_owned()
    }
}

impl From<Unfit> for RedisFailure {
    fn from(unfit: Unfit) -> Self {
        Self::Unfit(unfit)
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
    fn a_value_that_cannot_be_an_entry_differs_from_other_refusals() {
        let rejection = |text: &str| RedisFailure::from_text(text).rejection();
        assert_eq!(
            rejection("WRONGTYPE: Operation against a key holding the wrong kind of value"),
            Some(Rejection::Mistyped)
        );
        assert_eq!(rejection("query result exceeds limit of 134217728 bytes"), Some(Rejection::TooLarge));
        assert_eq!(rejection("NOPERM: User renttracker has no permissions"), None);
        assert_eq!(rejection("\"WRONGTYPE\": Operation against a key"), Some(Rejection::Mistyped));
        assert_eq!(RedisFailure::too_large(1).rejection(), Some(Rejection::TooLarge));
        assert_eq!(RedisFailure::from_server("TOOLARGE 5 bytes").rejection(), Some(Rejection::TooLarge));
    }

    #[track_caller]
    fn refuses(failure: &RedisFailure, expected: Refusal, message: &str) {
        assert_eq!((failure.refusal(), failure.message().as_str()), (Some(expected), message), "{failure}");
    }

    /// Each text was answered by a server: Redis 6.2.14, 7.0.15 and 8.2.3, Valkey 9.1.2.
    #[test]
    fn a_refusal_is_recognised_in_every_version_and_inside_scripts() {
        use Refusal::{Busy, Loading, Misconf, NoPermission, NoReplicas, OutOfMemory, ReadOnly};
        let busy = "Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
        let full = "Errors writing to the AOF file: No space left on device";
        for (said, expected, message) in [
            (
                "LOADING Redis is loading the dataset in memory",
                Loading,
                "LOADING: Redis is loading the dataset in memory",
            ),
            (&*format!("BUSY {busy}"), Busy, &*format!("BUSY: {busy}")),
            (&format!("MISCONF {full}"), Misconf, &format!("MISCONF: {full}")),
            (&format!("MISCONF {full} script: abcd, on @user_script:40."), Misconf, &format!("MISCONF: {full}")),
            (
                &format!("ERR Error running script (call to f_ab): @user_script:40: @user_script: 40: -MISCONF {full}"),
                Misconf,
                &format!("MISCONF {full}"),
            ),
            (
                "NOREPLICAS Not enough good replicas to write. script: on @user_script:40.",
                NoReplicas,
                "NOREPLICAS: Not enough good replicas to write.",
            ),
            (
                "OOM command not allowed when used memory > 'maxmemory'. script: abcd, on @user_script:40.",
                OutOfMemory,
                "OOM: command not allowed when used memory > 'maxmemory'.",
            ),
            (
                "NOPERM this user has no permissions to run the 'getrange' command",
                NoPermission,
                "NOPERM: this user has no permissions to run the 'getrange' command",
            ),
            (
                "ERR The user executing the script can't run this command or subcommand script: abcd, on @user_script:40.",
                NoPermission,
                "ERR: The user executing the script can't run this command or subcommand",
            ),
            (
                "ERR ACL failure in script: User u has no permissions to run the 'hset' command script: on @user_script:4.",
                NoPermission,
                "ERR: ACL failure in script: User u has no permissions to run the 'hset' command",
            ),
            (
                "READONLY You can't write against a read only replica.",
                ReadOnly,
                "READONLY: You can't write against a read only replica.",
            ),
            ("MASTERDOWN Link with MASTER is down", Refusal::Other, "MASTERDOWN: Link with MASTER is down"),
        ] {
            refuses(&RedisFailure::from_server(said), expected, message);
        }
    }

    /// As the `redis` crate 0.32.7 writes the codes that it knows.
    #[test]
    fn a_connection_spells_some_codes_otherwise() {
        let by_connection = |text: &str| RedisFailure::from_text(text);
        refuses(
            &by_connection(
                "An error was signalled by the server - BusyLoadingError: Redis is loading the dataset in memory",
            ),
            Refusal::Loading,
            "BusyLoadingError: Redis is loading the dataset in memory",
        );
        refuses(
            &by_connection(
                "An error was signalled by the server - ReadOnly: You can't write against a read only replica.",
            ),
            Refusal::ReadOnly,
            "ReadOnly: You can't write against a read only replica.",
        );
        refuses(
            &by_connection(
                "An error was signalled by the server - ResponseError: Error running script (call to f_ab): \
                 @user_script:40: @user_script: 40: -NOREPLICAS Not enough good replicas to write.",
            ),
            Refusal::NoReplicas,
            "NOREPLICAS Not enough good replicas to write.",
        );
        refuses(&by_connection("MISCONF: Errors writing"), Refusal::Misconf, "MISCONF: Errors writing");
    }

    #[test]
    fn errors_about_a_value_and_missing_answers_are_no_refusals() {
        for failure in [
            RedisFailure::from_server("WRONGTYPE Operation against a key"),
            RedisFailure::too_large(1),
            RedisFailure::TimedOut,
            RedisFailure::Unavailable("LOADING".into()),
        ] {
            assert_eq!(failure.refusal(), None, "{failure}");
        }
        assert_eq!(RedisFailure::TimedOut.message(), "no answer within the deadline");
        assert_eq!(RedisFailure::Unavailable("it is a replica".into()).message(), "unavailable: it is a replica");
    }
}
