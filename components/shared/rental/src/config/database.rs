//! How PostgreSQL is reached, and what each connection asks of it.

use super::error::ConfigError;
use cache::protocol::STATEMENT_TIMEOUT_MS;

/// What each connection asks of PostgreSQL besides, whatever is set for the role or the database. The functions of the writes
/// count on it that each of their statements sees anew, and the tables are in `public`.
const SESSION: &str = "-c%20default_transaction_isolation%3Dread%5C%20committed%20-c%20search_path%3Dpublic";
/// A connection goes to a server that takes writes.
const WRITES: &str = "target_session_attrs=read-write";
/// The same, to any server.
const ANY: &str = "target_session_attrs=any";

/// Reads `database_url`.
pub(super) fn parse(url: &str) -> Result<String, ConfigError> {
    checked("database_url", url, WRITES)
}

/// Reads `database_read_url`. A standby takes no writes; and one that has shown a row must not be followed by another that has not.
pub(super) fn parse_read(url: &str) -> Result<String, ConfigError> {
    const VARIABLE: &str = "database_read_url";
    let authority = url.split_once("://").and_then(|(_, rest)| rest.split(['/', '?']).next());
    if authority.and_then(|it| it.rsplit('@').next()).is_some_and(|hosts| hosts.contains(',')) {
        return Err(ConfigError::new(VARIABLE, "names several servers; it must be one standby"));
    }
    checked(VARIABLE, url, ANY)
}

/// Makes sure that the URL goes to a server with these attributes, and that PostgreSQL itself gives up on a statement: the fence's
/// arithmetic rests on it.
fn checked(variable: &'static str, url: &str, attributes: &str) -> Result<String, ConfigError> {
    let refused = |problem: &str| Err(ConfigError::new(variable, problem));
    if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
        return refused("must begin with postgres://");
    }
    if url.contains("sslmode=verify-") {
        return refused(
            "has a sslmode that Spin's client does not know; its `require` verifies the certificate and the host's name, \
             as `verify-full` does elsewhere",
        );
    }
    if url.contains("target_session_attrs=") && !url.contains(attributes) {
        return refused(&format!("may say {attributes}, which it says anyway, and nothing else of it"));
    }
    if url.contains("transaction_isolation") || url.contains("search_path") {
        return refused(
            "sets transaction_isolation or search_path, which the components set: read committed, and public",
        );
    }
    if url.contains("options=") {
        let given =
            url.split_once("statement_timeout").map(|(_, rest)| rest.trim_start_matches("%3D").trim_start_matches('='));
        let digits = given.and_then(|text| text.split(['&', '%', '+']).next());
        let milliseconds = digits.and_then(|digits| digits.parse().ok());
        // 0 would be no limit at all.
        if milliseconds.is_some_and(|limit: u64| (1..=STATEMENT_TIMEOUT_MS).contains(&limit)) {
            return Ok(with(attributes, url.replacen("options=", &format!("options={SESSION}%20"), 1)));
        }
        let range = format!("from 1 to {STATEMENT_TIMEOUT_MS} ms");
        return refused(&format!("sets options that must hold -c statement_timeout=N, with N {range}"));
    }
    let separator = if url.contains('?') { '&' } else { '?' };
    let options = format!("options={SESSION}%20-c%20statement_timeout%3D{STATEMENT_TIMEOUT_MS}");
    Ok(with(attributes, format!("{url}{separator}{options}")))
}

/// `url` has parameters.
fn with(attributes: &str, url: String) -> String {
    if url.contains(attributes) { url } else { format!("{url}&{attributes}") }
}

/// `url`, as [`parse`] made it, for a server that need not take writes.
pub(super) fn for_any_server(url: &str) -> String {
    url.replace(WRITES, ANY)
}

/// `url`, as [`parse`] made it, for the sessions of writes. `pg_stat_activity` shows the name.
pub(super) fn for_writes(url: &str) -> String {
    format!("{url}&application_name=renttracker-writes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgresql_is_always_told_to_give_up() {
        let rest = format!("options={SESSION}%20-c%20statement_timeout%3D1500&{WRITES}");
        assert_eq!(parse("postgres://h/d").expect("valid"), format!("postgres://h/d?{rest}"));
        assert_eq!(
            parse("postgres://h/d?sslmode=require").expect("valid"),
            format!("postgres://h/d?sslmode=require&{rest}")
        );
        assert!(parse("postgres://h/d?options=-c%20statement_timeout%3D900").is_ok());
        assert!(parse("postgres://h/d?options=-c%20statement_timeout%3D1500&connect_timeout=2").is_ok());
        assert!(parse("postgres://h/d?options=-c%20statement_timeout%3D0").is_err());
        assert!(parse("postgres://h/d?options=-c%20statement_timeout%3D1501").is_err());
        assert!(parse("postgres://h/d?options=-c%20statement_timeout%3D60s").is_err());
        assert!(parse("postgres://h/d?options=-c%20work_mem%3D1MB").is_err());
    }

    #[test]
    fn a_connection_is_for_writes_and_sees_anew_whatever_else_the_url_says() {
        assert_eq!(
            parse("postgres://h/d?options=-c%20statement_timeout%3D900").expect("valid"),
            format!("postgres://h/d?options={SESSION}%20-c%20statement_timeout%3D900&{WRITES}")
        );
        let said = parse("postgres://h/d?target_session_attrs=read-write").expect("valid");
        assert_eq!(said.matches(WRITES).count(), 1, "{said}");
        for refused in [
            "target_session_attrs=any",
            "options=-c%20statement_timeout%3D900%20-c%20default_transaction_isolation%3Dserializable",
            "options=-c%20statement_timeout%3D900%20-csearch_path%3Dapp",
        ] {
            let whole = format!("postgres://h/d?{refused}");
            assert!(parse(&whole).is_err(), "{refused}");
        }
        let read = parse_read("postgres://u:p,w@h/d").expect("valid");
        assert!(read.contains(SESSION) && read.ends_with(ANY) && !read.contains(WRITES), "{read}");
        assert!(
            parse_read("postgres://u:p@g,h/d").is_err() && parse_read("postgres://g:1,h:2?sslmode=require").is_err()
        );
        let any = for_any_server(&parse("postgres://h/d").expect("valid"));
        assert!(any.contains(SESSION) && any.ends_with(ANY), "{any}");
        let writes = for_writes(&parse("postgres://h/d").expect("valid"));
        assert!(writes.contains(SESSION) && writes.contains(&format!("{WRITES}&application_name=")), "{writes}");
    }
}
