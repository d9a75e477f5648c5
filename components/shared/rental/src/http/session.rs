//! Session tokens in requests and answers: a header, or a cookie of the same name.

use super::Answer;
use super::cors::allow_session;
use crate::config::Region;
use crate::domain::TenantId;
use crate::session::{SessionKey, TOKEN_CHARACTERS};
use cache::region::Position;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue};

const HEADER: HeaderName = HeaderName::from_static("renttracker-session");
/// As a cookie begins with it. Names of cookies are compared by case.
const COOKIE: &str = "RentTracker-Session=";
/// No script reads it, it goes over TLS alone, and with a request of another site only where that opens a page.
const ATTRIBUTES: &str = "; Path=/api; Secure; HttpOnly; SameSite=Lax";
/// How many tokens of a request are read: one for each answer of those that a client got side by side. In all 2 KB of headers, and
/// as much work as verifying a bearer token of that length.
const MAX_TOKENS: usize = 32;

/// What this tenant's tokens in a request ask for together. What is no token of the tenant asks for nothing.
pub fn session_demand(key: &SessionKey, tenant: &TenantId, request: &HeaderMap) -> Position {
    let opened = tokens(request).filter_map(|token| key.open(tenant, token));
    opened.fold(Position::default(), Position::beside)
}

/// Tells the client what it has seen: `seen` with its tenant, once that is known. Behind [`finish`](super::finish).
pub fn tell_session(answer: &mut Answer, region: &Region, seen: Option<(&TenantId, Position)>) {
    allow_session(&mut answer.headers);
    let Some((tenant, seen)) = seen else {
        return;
    };
    let token = region.session_key.sign(tenant, seen);
    if region.session_cookie {
        let mut cookie = String::with_capacity(COOKIE.len() + TOKEN_CHARACTERS + ATTRIBUTES.len());
        [COOKIE, &token, ATTRIBUTES].into_iter().for_each(|part| cookie.push_str(part));
        add(answer, header::SET_COOKIE, cookie);
    }
    add(answer, HEADER, token);
}

/// A token has letters, digits, `-` and `_`, which every value of a header may have.
fn add(answer: &mut Answer, name: HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        answer.headers.insert(name, value);
    }
}

/// Those of the header, which is a list (RFC 9110, section 5.6.1); only without it that of the cookie.
fn tokens(request: &HeaderMap) -> impl Iterator<Item = &str> {
    let cookie = (!request.contains_key(HEADER)).then(|| cookie(request)).flatten();
    let listed = request.get_all(HEADER).iter().filter_map(|value| value.to_str().ok());
    listed.flat_map(|list| list.split(',')).map(str::trim).chain(cookie).take(MAX_TOKENS)
}

/// HTTP/2 may send each cookie in a line of its own (RFC 9113, section 8.2.3).
fn cookie(request: &HeaderMap) -> Option<&str> {
    let lines = request.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix(COOKIE))
}

#[cfg(test)]
mod tests {
    use super::super::{finish, preflight};
    use super::*;
    use http::StatusCode;
    use std::time::Duration;

    const ORIGIN: &str = "http://localhost:5112";

    fn key() -> SessionKey {
        let key = SessionKey::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
        key.expect("a key").expect("a key")
    }

    fn tenant(name: &str) -> TenantId {
        TenantId::parse(name).expect("a tenant")
    }

    fn read(lsn: u64) -> Position {
        Position { timeline: 1, lsn, ..Position::default() }
    }

    fn signed(lsn: u64) -> String {
        key().sign(&tenant("ada"), read(lsn))
    }

    fn request(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().expect("a value"))).collect()
    }

    #[track_caller]
    fn check(lines: &[(&'static str, &str)], lsn: u64) {
        let expected = if lsn == 0 { Position::default() } else { read(lsn) };
        assert_eq!(session_demand(&key(), &tenant("ada"), &request(lines)), expected, "{lines:?}");
    }

    #[test]
    fn a_request_asks_for_what_its_header_says_or_else_its_cookie() {
        let [one, two] = [1, 2].map(signed);
        let cookie = |token: &str| format!("a=b; RentTracker-Session={token}; c=d");
        check(&[], 0);
        check(&[("renttracker-session", &one)], 1);
        check(&[("cookie", &cookie(&two))], 2);
        check(&[("cookie", "a=b"), ("cookie", &format!("RentTracker-Session={two}"))], 2);
        check(&[("renttracker-session", &one), ("cookie", &cookie(&two))], 1);
        check(&[("renttracker-session", ""), ("cookie", &cookie(&two))], 0);
        check(&[("cookie", &format!("renttracker-session={two}"))], 0);
        check(&[("cookie", &format!("x-RentTracker-Session={two}"))], 0);
    }

    #[test]
    fn a_client_that_got_answers_side_by_side_sends_the_tokens_of_all() {
        let [one, two, three] = [1, 2, 3].map(signed);
        check(&[("renttracker-session", &format!("{one}, {three},{two}"))], 3);
        check(&[("renttracker-session", &one), ("renttracker-session", &two)], 2);
        let many = [&vec![one.as_str(); MAX_TOKENS][..], &[&two]].concat().join(",");
        check(&[("renttracker-session", &many)], 1);
    }

    #[test]
    fn what_is_no_token_of_the_tenant_asks_for_nothing_and_spoils_nothing() {
        let foreign = key().sign(&tenant("bob"), read(9));
        let forged = format!("{}A", signed(9).split_at(TOKEN_CHARACTERS - 1).0);
        for other in ["", "x", &foreign, &forged] {
            check(&[("renttracker-session", other)], 0);
            check(&[("renttracker-session", &format!("{other}, {}", signed(1)))], 1);
        }
        check(&[("renttracker-session", "\u{fc}"), ("renttracker-session", &signed(1))], 1);
    }

    fn region(session_cookie: bool) -> Region {
        let staleness = Duration::from_secs(1);
        Region { name: "eu".into(), staleness, read_url: None, session_key: key(), session_cookie }
    }

    fn told(status: StatusCode, session_cookie: bool) -> HeaderMap {
        let mut answer = Answer::empty(status);
        finish(&mut answer, &request(&[("origin", ORIGIN)]), &[ORIGIN.into()]);
        tell_session(&mut answer, &region(session_cookie), Some((&tenant("ada"), read(1))));
        answer.headers
    }

    #[test]
    fn an_answer_has_the_token_once_and_as_a_cookie_if_that_is_asked_for() {
        for status in [StatusCode::OK, StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED, StatusCode::NOT_FOUND] {
            let headers = told(status, false);
            assert_eq!(headers["renttracker-session"], signed(1), "{status}");
            assert!(!headers.contains_key(header::SET_COOKIE));
        }
        let headers = told(StatusCode::OK, true);
        let expected = format!("RentTracker-Session={}; Path=/api; Secure; HttpOnly; SameSite=Lax", signed(1));
        assert_eq!(
            (&headers["set-cookie"], headers.len()),
            (&expected.parse().expect("a value"), told(StatusCode::OK, false).len() + 1)
        );
        let mut nobodys = Answer::empty(StatusCode::UNAUTHORIZED);
        tell_session(&mut nobodys, &region(true), None);
        assert!(nobodys.headers.is_empty());
    }

    #[test]
    fn scripts_of_allowed_origins_may_read_it_and_send_it() {
        let ours = |headers: &HeaderMap, name| {
            let list = headers.get(name).expect("a list").to_str().expect("text");
            list.split(", ").filter(|it| *it == "RentTracker-Session").count()
        };
        assert_eq!(ours(&told(StatusCode::OK, false), header::ACCESS_CONTROL_EXPOSE_HEADERS), 1);
        let mut answer = preflight(&request(&[("origin", ORIGIN)]), &[ORIGIN.into()], "GET");
        tell_session(&mut answer, &region(false), None);
        assert_eq!(ours(&answer.headers, header::ACCESS_CONTROL_ALLOW_HEADERS), 1);
    }
}
