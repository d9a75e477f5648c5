//! The commands that are sent to Redis.

/// A command. An operator's users must allow each (`infra/redis/users.acl`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Command {
    /// Deletes keys.
    Del,
    /// Runs a script.
    Eval,
    /// Runs a script that Redis has been sent before.
    EvalSha,
    /// Reads a value up to a limit.
    GetRange,
    /// Reads one page of a list.
    HGet,
    /// Says what the server is.
    Info,
    /// Names some of the keys.
    Scan,
}

impl Command {
    /// Its name, as it is sent and as metrics have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Del => "DEL",
            Self::Eval => "EVAL",
            Self::EvalSha => "EVALSHA",
            Self::GetRange => "GETRANGE",
            Self::HGet => "HGET",
            Self::Info => "INFO",
            Self::Scan => "SCAN",
        }
    }
}
