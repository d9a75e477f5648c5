use super::*;
use http::HeaderValue;

fn headers(pairs: &[(HeaderName, &[u8])]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(name, HeaderValue::from_bytes(value).expect("a header value"));
    }
    headers
}

fn version(number: i64) -> RowVersion {
    RowVersion::new(number).expect("a version")
}

/// What the conditions say of a representation of version 3, and of one without a tag.
fn check(pairs: &[(HeaderName, &str)], tagged: Condition, untagged: Condition) {
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.clone(), value.as_bytes())).collect();
    let conditions = Conditions::of(&headers(&pairs));
    assert_eq!(conditions.evaluate(Some(version(3))), tagged, "tagged: {pairs:?}");
    assert_eq!(conditions.evaluate(None), untagged, "untagged: {pairs:?}");
}

#[test]
fn if_match_compares_strongly_and_if_none_match_weakly() {
    use Condition::{Holds, IfMatchFails, IfNoneMatchFails};
    check(&[], Holds, Holds);
    for (value, tagged) in [
        ("\"3\"", Holds),
        ("\"2\", \"3\"", Holds),
        ("\"a,b\",\"3\"", Holds),
        ("\"2\"", IfMatchFails),
        ("W/\"3\"", IfMatchFails),
        ("3", IfMatchFails),
        ("", IfMatchFails),
        ("\"a,*,b\"", IfMatchFails),
    ] {
        check(&[(header::IF_MATCH, value)], tagged, IfMatchFails);
    }
    check(&[(header::IF_MATCH, " * ")], Holds, Holds);
    for (value, tagged) in [
        ("\"3\"", IfNoneMatchFails),
        ("W/\"3\"", IfNoneMatchFails),
        ("\"1\",,W/\"3\"", IfNoneMatchFails),
        ("\"2\"", Holds),
        ("3", Holds),
        ("w/\"3\"", Holds),
        ("", Holds),
        // One tag with stars and commas in it, and no star.
        ("\"a,*,b\"", Holds),
        ("W/*", Holds),
    ] {
        check(&[(header::IF_NONE_MATCH, value)], tagged, Holds);
    }
    check(&[(header::IF_NONE_MATCH, "*")], IfNoneMatchFails, IfNoneMatchFails);
}

#[test]
fn lines_of_one_header_are_one_list_and_other_bytes_name_nothing() {
    let (a, b) = (&b"\"1\""[..], &b"\"3\""[..]);
    for name in [header::IF_MATCH, header::IF_NONE_MATCH] {
        let both = Conditions::of(&headers(&[(name.clone(), a), (name.clone(), b)]));
        assert_eq!(both, Conditions::of(&headers(&[(name.clone(), b"\"1\", \"3\"")])));
        // A tag may have bytes that are no UTF-8 (obs-text, 8.8.3): it is not ours, and those beside it count.
        let odd = Conditions::of(&headers(&[(name, b"\"\xff\", \"3\"")]));
        assert_eq!(odd.evaluate(Some(version(3))), both.evaluate(Some(version(3))));
    }
    let odd = Conditions::of(&headers(&[(header::IF_MATCH, b"\"\xff\"")]));
    assert_eq!(odd.evaluate(Some(version(3))), Condition::IfMatchFails, "it is not as if it were not there");
}

#[test]
fn if_match_is_answered_before_if_none_match() {
    let both = |if_match, if_none_match, expected| {
        check(
            &[(header::IF_NONE_MATCH, if_none_match), (header::IF_MATCH, if_match)],
            expected,
            match if_match {
                "*" if if_none_match != "*" => Condition::Holds,
                "*" => Condition::IfNoneMatchFails,
                _ => Condition::IfMatchFails,
            },
        );
    };
    both("\"2\"", "\"3\"", Condition::IfMatchFails);
    both("\"3\"", "\"3\"", Condition::IfNoneMatchFails);
    both("\"3\"", "\"2\"", Condition::Holds);
    both("*", "*", Condition::IfNoneMatchFails);
}

#[test]
fn what_tells_no_time_of_change_has_no_condition_on_it() {
    let odd = [
        (header::IF_MODIFIED_SINCE, "Fri, 01 Jan 2100 00:00:00 GMT"),
        (header::IF_UNMODIFIED_SINCE, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (header::IF_RANGE, "\"2\""),
        (header::RANGE, "bytes=0-0"),
    ];
    check(&odd, Condition::Holds, Condition::Holds);
}

fn demand(if_match: Option<&str>, if_none_match: Option<&str>, row_version: Option<i64>) -> Precondition {
    let pairs = [(header::IF_MATCH, if_match), (header::IF_NONE_MATCH, if_none_match)];
    let pairs: Vec<_> = pairs.iter().filter_map(|(name, value)| Some((name.clone(), (*value)?.as_bytes()))).collect();
    Precondition::new(&headers(&pairs), row_version.map(version))
}

#[test]
fn a_statement_is_given_the_versions_that_it_may_replace() {
    use Versions::{AllBut, Any, Only};
    for (if_match, if_none_match, row_version, expected) in [
        (None, None, None, Any),
        (Some("*"), None, None, Any),
        (Some("\"3\""), None, None, Only(vec![3])),
        (Some("\"3\", \"4\""), None, Some(4), Only(vec![4])),
        (Some("\"3\""), None, Some(4), Only(vec![])),
        (Some("nonsense"), None, None, Only(vec![])),
        (None, None, Some(4), Only(vec![4])),
        (Some("*"), None, Some(4), Only(vec![4])),
        (None, Some("*"), None, Only(vec![])),
        (Some("\"3\""), Some("*"), Some(3), Only(vec![])),
        (None, Some("\"3\", W/\"4\""), None, AllBut(vec![3, 4])),
        (Some("*"), Some("\"3\""), None, AllBut(vec![3])),
        (None, Some("\"x\""), None, Any),
        (Some("\"3\", \"4\""), Some("\"3\""), None, Only(vec![4])),
        (None, Some("\"3\""), Some(3), Only(vec![])),
        (None, Some("\"3\""), Some(4), Only(vec![4])),
    ] {
        let precondition = demand(if_match, if_none_match, row_version);
        assert_eq!(precondition.versions(), expected, "{if_match:?} {if_none_match:?} {row_version:?}");
        // What may be replaced is not refused, and the other way round.
        for current in 1..=5 {
            let may = match &expected {
                Any => true,
                Only(versions) => versions.contains(&current),
                AllBut(versions) => !versions.contains(&current),
            };
            assert_eq!(precondition.refusal(version(current)).is_none(), may, "{precondition:?} on {current}");
        }
    }
}

#[test]
fn header_and_body_must_both_hold_and_the_header_is_answered_first() {
    let refusal = |if_match, if_none_match, body| demand(if_match, if_none_match, body).refusal(version(3));
    assert_eq!(refusal(Some("\"2\""), None, Some(2)), Some(Error::PreconditionFailed));
    assert_eq!(refusal(Some("\"3\""), None, Some(2)), Some(Error::Conflict));
    assert_eq!(refusal(None, Some("*"), Some(2)), Some(Error::PreconditionFailed));
    assert_eq!(refusal(None, Some("\"2\""), Some(2)), Some(Error::Conflict));
    assert!(!demand(None, Some("*"), None).names_a_version());
    assert!(demand(Some("*"), None, None).names_a_version() && demand(None, None, Some(1)).names_a_version());
}

#[test]
fn a_read_is_conditional_if_it_succeeds() {
    use cache::CacheStatus;
    let answer = |status| {
        let answer = Answer::json(status, b"{}".to_vec()).with_etag(version(3));
        answer.with_cache_status(CacheStatus::Hit)
    };
    let ask = |method: &str, status, pairs: &[(HeaderName, &[u8])]| {
        let (mut parts, ()) =
            http::Request::builder().method(method).uri("/x").body(()).expect("a request").into_parts();
        parts.headers = headers(pairs);
        conditional(answer(status), &parts)
    };
    let (ours, other) = ((header::IF_NONE_MATCH, &b"\"3\""[..]), (header::IF_MATCH, &b"\"2\""[..]));
    for method in ["GET", "HEAD"] {
        let unmodified = ask(method, StatusCode::OK, std::slice::from_ref(&ours));
        assert_eq!((unmodified.status, unmodified.body.len()), (StatusCode::NOT_MODIFIED, 0));
        assert_eq!(
            (&unmodified.headers[header::ETAG], unmodified.cache_status),
            (&"\"3\"".parse().expect("a value"), Some(CacheStatus::Hit))
        );
        let failed = ask(method, StatusCode::OK, &[ours.clone(), other.clone()]);
        assert_eq!((failed.status, failed.cache_status), (StatusCode::PRECONDITION_FAILED, Some(CacheStatus::Hit)));
        assert_eq!(ask(method, StatusCode::NOT_FOUND, &[ours.clone(), other.clone()]).status, StatusCode::NOT_FOUND);
    }
    assert_eq!(ask("PUT", StatusCode::OK, &[ours, other]).status, StatusCode::OK);
}
