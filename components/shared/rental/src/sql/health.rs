//! The state of PostgreSQL, as health shows it.

use super::sqlstate::Kind;

/// What the statements are written for: each statement of a function sees what was committed before it
/// (`infra/migrations/0010_writes.sql`). The connection asks for it; a pooler may swallow that.
const ISOLATION: &str = "read committed";

/// How PostgreSQL is at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseHealth {
    /// Whether it answers what is asked of it. A standby does not: it may be behind.
    pub answers: bool,
    /// `Connected`, `ReadOnly` or `Disconnected`.
    pub word: &'static str,
    /// Why it is not as it should be.
    pub reason: Option<String>,
}

impl DatabaseHealth {
    /// It answers, with these settings.
    pub fn answering(is_read_only: bool, isolation: &str) -> Self {
        let (word, reason) = if is_read_only {
            ("ReadOnly", Some("it takes no writes (transaction_read_only)".to_owned()))
        } else if isolation != ISOLATION {
            let mend = "the connection's options do not reach it: ALTER ROLE … SET default_transaction_isolation";
            ("Connected", Some(format!("transactions are {isolation} and not {ISOLATION}; {mend}")))
        } else {
            ("Connected", None)
        };
        Self { answers: true, word, reason }
    }

    /// It does not, with a failure of this kind.
    pub fn failing(kind: Kind, words: &'static str) -> Self {
        let word = if kind == Kind::ReadOnly { "ReadOnly" } else { "Disconnected" };
        Self { answers: false, word, reason: Some(words.to_owned()) }
    }

    /// Whether nothing is missing.
    pub fn is_well(&self) -> bool {
        self.answers && self.reason.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_server_that_takes_writes_and_sees_anew_is_well() {
        let well = DatabaseHealth::answering(false, "read committed");
        assert_eq!((well.word, well.is_well(), well.reason), ("Connected", true, None));
        let read_only = DatabaseHealth::answering(true, "read committed");
        assert_eq!((read_only.word, read_only.answers, read_only.is_well()), ("ReadOnly", true, false));
        let strict = DatabaseHealth::answering(false, "serializable");
        assert_eq!((strict.word, strict.answers, strict.is_well()), ("Connected", true, false));
        assert!(strict.reason.is_some_and(|reason| reason.contains("serializable")));
    }

    #[test]
    fn a_standby_is_told_from_one_that_is_gone() {
        let standby = DatabaseHealth::failing(Kind::ReadOnly, "it is read-only");
        assert_eq!((standby.word, standby.answers), ("ReadOnly", false));
        let gone = DatabaseHealth::failing(Kind::Unavailable, "it has no connection left");
        assert_eq!((gone.word, gone.answers, gone.is_well()), ("Disconnected", false, false));
        assert_eq!(gone.reason.as_deref(), Some("it has no connection left"));
    }
}
