//! What an error of PostgreSQL means for a request, by its SQLSTATE (PostgreSQL documentation, appendix A): one table.
//!
//! A session that ends is told of by a class of its own (57P01 to 57P05), and a statement that was refused or cancelled in a
//! session that goes on has been rolled back.

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It was not over within its deadline, PostgreSQL's or ours.
    Timeout,
    /// The server takes no writes.
    ReadOnly,
    /// PostgreSQL could not take it.
    Unavailable,
    /// The statement is wrong.
    Internal,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Timeout, Self::ReadOnly, Self::Unavailable, Self::Internal];

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::ReadOnly => "read_only",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}

/// What an error means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// The kind of failure, as it is counted.
    pub kind: Kind,
    /// In words, for health and the log.
    pub words: &'static str,
    /// Whether the same request can succeed later: it is then 503 with `Retry-After`, and otherwise a defect, 500.
    pub passes: bool,
    /// Whether the statement may have taken effect all the same. An error that leaves its session alive has rolled back;
    /// where the session ends, or the outcome is unknown, it may have been committed before.
    pub may_have_run: bool,
}

/// The server takes no writes: a standby, or a primary that was told so (`default_transaction_read_only`).
pub const READ_ONLY: Meaning = passes(Kind::ReadOnly, "it is read-only");
/// It cannot be reached, and says nothing of why.
pub const UNREACHABLE: Meaning = passes(Kind::Unavailable, "it cannot be reached");
/// The connection broke.
pub const BROKEN: Meaning = or_has_run(passes(Kind::Unavailable, "the connection broke"));
/// It did not answer in time, ours.
pub const SILENT: Meaning = passes(Kind::Timeout, "it did not answer in time");

/// It answered what a statement of ours should not ask for.
pub const UNREADABLE: Meaning = or_has_run(DEFECT);

const DEFECT: Meaning =
    Meaning { kind: Kind::Internal, words: "it refuses a statement", passes: false, may_have_run: false };
const RACE: Meaning = passes(Kind::Unavailable, "statements got into each other's way");
const ENDING: Meaning = or_has_run(passes(Kind::Unavailable, "it ends sessions: it stops, or restarts"));
/// `begin_write` of the schema refused a write whose writer has stopped waiting for it.
pub const TOO_LATE: Meaning = passes(Kind::Timeout, "a statement came too late");
const SHORT: Meaning = passes(Kind::Unavailable, "it is short of resources");

/// Exact codes, before their classes.
const CODES: &[(&str, Meaning)] = &[
    // Two that wait for each other's locks; a lock that was not to be had within lock_timeout or at once.
    ("55P03", passes(Kind::Unavailable, "a lock is held for too long")),
    ("55006", passes(Kind::Unavailable, "it uses the object otherwise")),
    // Whether a commit came about is not known.
    ("40003", or_has_run(RACE)),
    // A constraint that is checked before each write says no only if another write came in between: a key that was claimed
    // meanwhile (where transactions do not see anew), a payment method that RentTracker has just removed.
    ("23505", RACE),
    ("23503", RACE),
    ("25006", READ_ONLY),
    // A session that its last user left inside a transaction (25P02), or that PostgreSQL ended for it.
    ("25P02", passes(Kind::Unavailable, "its session was left inside a transaction")),
    ("25P03", ENDING),
    ("25P04", ENDING),
    ("53100", or_has_run(passes(Kind::Unavailable, "its disk is full"))),
    ("53200", passes(Kind::Unavailable, "it is out of memory")),
    ("53300", passes(Kind::Unavailable, "it has no connection left")),
    // statement_timeout, or an administrator's pg_cancel_backend.
    ("57014", passes(Kind::Timeout, "a statement was cancelled: it took too long, or somebody did it")),
    ("RT001", TOO_LATE),
    ("57P03", passes(Kind::Unavailable, "it starts, or recovers")),
    ("57P04", passes(Kind::Unavailable, "the database is gone")),
];

/// The classes that are no defect.
const CLASSES: &[(&str, Meaning)] = &[
    // A pooler answers with 08P01 whatever it has to say, also that the server is gone in the middle of a statement.
    ("08", BROKEN),
    ("28", passes(Kind::Unavailable, "it refuses the login")),
    ("3D", passes(Kind::Unavailable, "there is no such database")),
    ("40", RACE),
    ("53", SHORT),
    ("57", ENDING),
    ("58", or_has_run(passes(Kind::Unavailable, "its operating system fails"))),
    // A snapshot that has become too old (up to PostgreSQL 16).
    ("72", RACE),
    // Its own defects: the error that a crash begins with has this class too.
    ("XX", or_has_run(DEFECT)),
];

const fn passes(kind: Kind, words: &'static str) -> Meaning {
    Meaning { kind, words, passes: true, may_have_run: false }
}

const fn or_has_run(meaning: Meaning) -> Meaning {
    Meaning { may_have_run: true, ..meaning }
}

/// What the error with this SQLSTATE means. What the table does not know is a defect: a statement that PostgreSQL does not
/// take, in whatever way, is ours.
pub fn meaning(code: &str) -> Meaning {
    let exact = CODES.iter().find(|(known, _)| *known == code);
    let class = || CLASSES.iter().find(|(known, _)| code.get(..2) == Some(known));
    exact.or_else(class).map_or(DEFECT, |(_, meaning)| *meaning)
}

/// What the host's text says of a connection that could not be opened, for which it has no SQLSTATE.
///
/// A host may be told to connect to a server that takes writes alone (`target_session_attrs=read-write`); the driver of
/// Spin's, and the embedded host's, then refuses others in these words.
pub fn meaning_of_no_connection(text: &str) -> Meaning {
    const WORDS: &[(&str, Meaning)] = &[
        ("database does not allow writes", READ_ONLY),
        ("too many clients", passes(Kind::Unavailable, "it has no connection left")),
        ("too many connections", passes(Kind::Unavailable, "it has no connection left")),
        ("remaining connection slots", passes(Kind::Unavailable, "it has no connection left")),
        ("the database system is", passes(Kind::Unavailable, "it starts, or recovers")),
        ("authentication failed", passes(Kind::Unavailable, "it refuses the login")),
    ];
    WORDS.iter().find(|(words, _)| text.contains(words)).map_or(UNREACHABLE, |(_, meaning)| *meaning)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The classes of appendix A (PostgreSQL 14 to 18), and whether their errors pass.
    const APPENDIX_A: &[(&str, bool)] = &[
        ("00", false),
        ("01", false),
        ("02", false),
        ("03", false),
        ("08", true),
        ("09", false),
        ("0A", false),
        ("0B", false),
        ("0F", false),
        ("0L", false),
        ("0P", false),
        ("0Z", false),
        ("10", false),
        ("20", false),
        ("21", false),
        ("22", false),
        ("23", false),
        ("24", false),
        ("25", false),
        ("26", false),
        ("27", false),
        ("28", true),
        ("2B", false),
        ("2D", false),
        ("2F", false),
        ("34", false),
        ("38", false),
        ("39", false),
        ("3B", false),
        ("3D", true),
        ("3F", false),
        ("40", true),
        ("42", false),
        ("44", false),
        ("53", true),
        ("54", false),
        ("55", false),
        ("57", true),
        ("58", true),
        ("72", true),
        ("F0", false),
        ("HV", false),
        ("P0", false),
        ("XX", false),
    ];

    #[test]
    fn every_class_of_appendix_a_is_classified() {
        for (class, passes) in APPENDIX_A {
            assert_eq!(meaning(&format!("{class}ZZZ")).passes, *passes, "{class}");
        }
        for (class, _) in CLASSES {
            assert!(APPENDIX_A.iter().any(|(known, _)| known == class), "{class} is no class");
        }
        for (code, _) in CODES {
            assert_eq!(code.len(), 5, "{code}");
        }
    }

    fn check(code: &str, kind: &str, passes: bool, may_have_run: bool) {
        let meaning = meaning(code);
        assert_eq!((meaning.kind.name(), meaning.passes, meaning.may_have_run), (kind, passes, may_have_run), "{code}");
    }

    #[test]
    fn errors_that_pass_are_told_from_defects() {
        check("25006", "read_only", true, false);
        check("55P03", "unavailable", true, false);
        check("40001", "unavailable", true, false);
        check("40P01", "unavailable", true, false);
        check("53300", "unavailable", true, false);
        check("57P03", "unavailable", true, false);
        check("57014", "timeout", true, false);
        check("RT001", "timeout", true, false);
        check("25P02", "unavailable", true, false);
        check("23505", "unavailable", true, false);
        check("23514", "internal", false, false);
        check("42P01", "internal", false, false);
        check("42501", "internal", false, false);
        check("22P05", "internal", false, false);
        check("25001", "internal", false, false);
        check("55000", "internal", false, false);
        check("", "internal", false, false);
        check("é", "internal", false, false);
    }

    #[test]
    fn a_statement_of_unknown_outcome_may_have_run() {
        for code in ["57P01", "57P02", "57P05", "25P03", "25P04", "40003", "08006", "08P01", "53100", "58030"] {
            check(code, "unavailable", true, true);
        }
        check("XX000", "internal", false, true);
    }

    #[test]
    fn a_failed_connection_is_classified_by_the_text_of_the_host() {
        let words = |text| meaning_of_no_connection(text).words;
        assert_eq!(
            meaning_of_no_connection("error connecting to server\n\nCaused by:\n    database does not allow writes"),
            READ_ONLY
        );
        assert_eq!(words("FATAL: sorry, too many clients already"), meaning("53300").words);
        assert_eq!(words("FATAL: the database system is starting up"), meaning("57P03").words);
        assert_eq!(words("Connection refused (os error 111)"), UNREACHABLE.words);
    }
}
