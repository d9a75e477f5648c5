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

/// The codes of refusals as Redis and Valkey write them, and the names that the `redis` crate has for those that it knows.
/// Up to version 6.2 of Redis the code of an error inside a script stands in the middle of the text.
const CODES: [(&str, Refusal); 11] = [
    ("LOADING", Refusal::Loading),
    ("BusyLoadingError", Refusal::Loading),
    ("BusyLoading", Refusal::Loading),
    ("BUSY", Refusal::Busy),
    ("MISCONF", Refusal::Misconf),
    ("NOREPLICAS", Refusal::NoReplicas),
    ("NOPERM", Refusal::NoPermission),
    ("NoPerm", Refusal::NoPermission),
    ("OOM", Refusal::OutOfMemory),
    ("READONLY", Refusal::ReadOnly),
    ("ReadOnly", Refusal::ReadOnly),
];
/// The names with which an error of the server begins in the `redis` crate from 1.0 on, where it knows the code: the variants
/// of its `ServerErrorKind` (read in 1.8.1 and 2.0.0-rc.2). 0.32 puts [`SIGNALLED`] before its own.
const NAMES: [&str; 10] = [
    "BusyLoading",
    "CrossSlot",
    "ExecAbort",
    "MasterDown",
    "NoPerm",
    "NoScript",
    "NoSub",
    "NotBusy",
    "ReadOnly",
    "ResponseError",
];
/// How a node of a cluster says that another has the slot, that it is on its way, or that nobody has it: as on the wire, and as the
/// `redis` crate names it.
const OTHER_NODE: [&str; 8] = ["MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "Moved", "Ask", "TryAgain", "ClusterDown"];
/// How an error of the server begins in the `redis` crate 0.32, where it knows the code.
const SIGNALLED: &str = "An error was signalled by the server";
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

    /// Sorts an error text of `spin:redis`. The interface has one text for everything; it is that of the `redis` crate that
    /// the host is built on, where a server's error begins with one of these, and a failed connection with none:
    ///
    /// | The crate | A code that it does not know | A code that it knows |
    /// |---|---|---|
    /// | 0.32 | `OOM: text` | `An error was signalled by the server - ReadOnly: text` |
    /// | 1.x, 2.0 | `"OOM": text` | `ReadOnly: text` |
    pub fn from_text(text: &str) -> Self {
        let (word, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
        let code = word.trim_matches('"');
        let name = word.strip_prefix(SIGNALLED).map_or(code, |name| name.trim_start_matches(" - "));
        if OTHER_NODE.contains(&name) {
            return Unfit::OtherNode.into();
        }
        let is_code = code.len() > 1 && code.bytes().all(|byte| byte.is_ascii_uppercase());
        let is_told = |beginning| text.starts_with(beginning);
        if is_code {
            Self::Refused(format!("{code}{rest}"))
        } else if NAMES.contains(&word) || is_told(SIGNALLED) || is_told(TOO_LARGE) {
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
        if OTHER_NODE.contains(&code) {
            return Unfit::OtherNode.into();
        }
        Self::Refused(format!("{code}: {rest}"))
    }

    /// Whether Redis does not know a script by its hash, or this user may not name it so: it is then sent whole.
    pub fn wants_the_text(&self) -> bool {
        match self {
            Self::Refused(text) => {
                text.contains("NOSCRIPT")
                    || text.contains("NoScript")
                    || (self.refusal() == Some(Refusal::NoPermission) && text.contains("'evalsha'"))
            }
            Self::Unavailable(_) | Self::TimedOut | Self::Unfit(_) => false,
        }
    }

    /// An answer that is longer than any that is asked for.
    pub fn too_large(limit: usize) -> Self {
        Self::Refused(format!("{TOO_LARGE} of {limit} bytes"))
    }

    /// Why the value that is there is no entry, when the failure says so.
    pub fn rejection(&self) -> Option<Rejection> {
        match self {
            Self::Refused(text) if text.starts_with("WRONGTYPE") => Some(Rejection::Mistyped),
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
mod tests;
