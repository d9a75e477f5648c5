use std::collections::{BTreeMap, BTreeSet};

use rental::domain::{PaymentDraft, PropertyDraft, Timestamp, Violations};
use rental::error::Error;
use rental::http::{Route, problem};
use serde_json::{Value, json};

use super::*;

/// The routes of the code: each variant says its path, in the first line of its documentation.
const ROUTES: &str = include_str!("../../../components/shared/rental/src/http/route.rs");

fn value() -> Value {
    serde_json::to_value(document()).expect("JSON")
}

/// The paths of the code.
fn routes() -> BTreeSet<&'static str> {
    let (_, text) = ROUTES.split_once("pub enum Route").expect("the routes");
    let (text, _) = text.split_once("\n}").expect("their end");
    let lines: Vec<&str> = text.lines().map(str::trim).skip(1).collect();
    let variants = lines.iter().filter(|line| !line.starts_with("//") && !line.is_empty()).count();
    let paths: BTreeSet<&str> =
        lines.iter().filter_map(|line| line.strip_prefix("/// `/")?.split('`').next()).collect();
    assert_eq!(paths.len(), variants, "each variant of Route names its path as `/…` in its documentation: {paths:?}");
    paths
}

#[test]
fn the_committed_document_is_that_of_the_code() {
    let committed = std::fs::read_to_string(file()).expect("the document");
    assert!(
        committed == text().expect("JSON"),
        "{FILE} is not what the code says; `cargo xtask openapi` writes it anew"
    );
}

#[test]
fn every_route_is_documented_with_its_methods_and_no_other() {
    let document = value();
    let mut documented = BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        documented.insert(path.trim_start_matches('/'));
        let example = path.replace(['{', '}'], "");
        let route = Route::of(&example).unwrap_or_else(|| panic!("{path} is no route of the code"));
        let methods: BTreeSet<String> = item.as_object().expect("methods").keys().map(|it| it.to_uppercase()).collect();
        // HEAD and OPTIONS are the same everywhere; the document says so once.
        let allowed = route.allowed().split(", ").filter(|method| !["HEAD", "OPTIONS"].contains(method));
        assert_eq!(methods, allowed.map(str::to_owned).collect(), "the methods of {path}");
    }
    assert_eq!(documented, routes(), "documented (left) and in the code (right)");
}

/// Generators name functions by the first and modules by the second; a validator takes a missing third for forgotten.
#[test]
fn every_operation_has_a_name_of_its_own_a_tag_and_says_whether_it_needs_a_token() {
    let document = value();
    let tags: BTreeSet<&str> = operations::TAGS.iter().map(|(name, _)| *name).collect();
    let (mut names, mut used) = (BTreeSet::new(), BTreeSet::new());
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("methods") {
            let name = operation["operationId"].as_str().expect("a name");
            assert!(names.insert(name), "{name} is there twice");
            used.extend(operation["tags"].as_array().expect("tags").iter().filter_map(Value::as_str));
            assert!(operation["security"].is_array(), "{method} {path} does not say whether it needs a token");
        }
    }
    assert_eq!(used, tags, "used (left) and described (right)");
}

#[test]
fn what_takes_a_bearer_token_takes_and_tells_the_token_of_a_session_and_nothing_else_does() {
    let document = value();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("methods") {
            let takes_token = !operation["security"].as_array().expect("a list").is_empty();
            let mut told = BTreeSet::new();
            for (status, answer) in operation["responses"].as_object().expect("answers") {
                let reference = answer["$ref"].as_str().and_then(|it| it.strip_prefix('#'));
                let answer = reference.map_or(answer, |pointer| document.pointer(pointer).expect("an answer"));
                let tells = answer["headers"].get(session::NAME).is_some();
                // Errors are described once, for operations with and without a token.
                if reference.is_none() {
                    assert_eq!(tells, takes_token, "{method} {path}: {status}");
                }
                told.extend((tells && takes_token).then_some(status.as_str()));
            }
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let taken = parameters.filter(|it| it["$ref"] == "#/components/parameters/Session").count();
            assert_eq!(taken, usize::from(takes_token), "{method} {path}");
            assert!(
                !told.contains("401")
                    && (!takes_token || told.contains("200") || told.contains("201") || told.contains("204"))
            );
        }
    }
}

#[test]
fn every_status_that_an_error_becomes_is_described() {
    let errors = [
        Error::Unauthenticated(""),
        Error::Forbidden(""),
        Error::NotFound,
        Error::MethodNotAllowed(""),
        Error::Invalid(Violations::default()),
        Error::UriTooLong,
        Error::HeadersTooLarge,
        Error::TooLarge,
        Error::UnsupportedMediaType(""),
        Error::PreconditionFailed,
        Error::PreconditionRequired,
        Error::Conflict,
        Error::KeyInUse,
        Error::KeyReused,
        Error::RateLimited(1),
        Error::Unavailable(String::new()),
        Error::CacheOutOfUse,
        Error::Busy,
        Error::Internal(String::new()),
    ];
    let described: BTreeSet<u16> = answers::problem_statuses().collect();
    let statuses: BTreeSet<u16> = errors.iter().map(|error| problem(error, "/").status.as_u16()).collect();
    assert_eq!(described, statuses, "described (left) and in the code (right)");
    // The compiler asks for a new error here; it belongs in the list above too.
    match Error::NotFound {
        Error::Unauthenticated(_) | Error::Forbidden(_) | Error::NotFound | Error::MethodNotAllowed(_) => {}
        Error::Invalid(_) | Error::UriTooLong | Error::HeadersTooLarge | Error::TooLarge => {}
        Error::UnsupportedMediaType(_) | Error::PreconditionFailed | Error::PreconditionRequired => {}
        Error::KeyInUse | Error::KeyReused | Error::RateLimited(_) => {}
        Error::Conflict | Error::Unavailable(_) | Error::CacheOutOfUse | Error::Busy | Error::Internal(_) => {}
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_used() {
    let document = value();
    let mut references = BTreeSet::new();
    collect(&document, &mut references);
    for reference in &references {
        let pointer = reference.strip_prefix('#').expect("a local reference");
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    for kind in ["schemas", "responses", "parameters", "headers"] {
        for name in document["components"][kind].as_object().expect(kind).keys() {
            assert!(references.contains(&format!("#/components/{kind}/{name}")), "{kind}/{name} is not used");
        }
    }
}

fn collect(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            references.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|value| collect(value, references));
        }
        Value::Array(elements) => elements.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}

/// The lengths that the document says are those that the parser keeps to: it is written twice, and this holds it together.
#[test]
fn texts_may_have_the_documented_length_and_no_more() {
    type Parse = fn(&[u8]) -> Result<(), Violations>;
    let drafts: [(&str, Value, Parse); 2] = [
        ("PropertyDraft", json!({ "address": "x" }), |body| PropertyDraft::parse(body).map(drop)),
        ("PaymentDraft", json!({ "amount": 1, "paymentDate": "2026-01-01", "paymentMethod": "x" }), |body| {
            PaymentDraft::parse(body).map(drop)
        }),
    ];
    let document = value();
    let mut checked = BTreeMap::new();
    for (name, body, parse) in drafts {
        let properties = document["components"]["schemas"][name]["properties"].as_object().expect("members");
        for (member, schema) in properties {
            let Some(longest) = schema["maxLength"].as_u64() else { continue };
            let longest = usize::try_from(longest).expect("a length");
            for (length, fits) in [(longest, true), (longest + 1, false)] {
                let mut body = body.clone();
                body[member] = "\u{e9}".repeat(length).into();
                assert_eq!(parse(body.to_string().as_bytes()).is_ok(), fits, "{name}.{member} of {length} characters");
            }
            *checked.entry(name).or_insert(0) += 1;
        }
    }
    assert_eq!(checked, BTreeMap::from([("PropertyDraft", 7), ("PaymentDraft", 3)]));
}

/// Each place of the document where something is a number or a time is one of these: what it says holds for every answer in
/// every reader, be its numbers binary floats or not.
#[test]
fn numbers_and_times_are_as_every_reader_has_them() {
    let text = text().expect("JSON");
    for bound in ["minimum\": -9999999999999999.99", "maximum\": 9999999999999999.99"] {
        assert_eq!(text.matches(bound).count(), 1, "{bound}");
    }
    let document = value();
    let money = &document["components"]["schemas"]["Money"];
    assert_eq!((&money["type"], &money["format"]), (&json!("number"), &json!("decimal")));
    let mut found = BTreeSet::new();
    formats(&document, &mut found);
    let known = [("integer", "int32"), ("integer", "int64"), ("number", "decimal"), ("number", "double")];
    let known = known.into_iter().chain([("string", "date-time"), ("string", "uuid")]);
    assert_eq!(found, known.map(|(kind, format)| (kind.to_owned(), format.to_owned())).collect());
    // Only quantities that are measured, never what is counted or paid.
    let schemas = &document["components"]["schemas"];
    let doubles = schemas.as_object().expect("schemas").iter().flat_map(|(name, schema)| {
        let members = schema["properties"].as_object().into_iter().flatten();
        members.filter(|(_, it)| it["format"] == "double").map(move |(member, _)| format!("{name}.{member}"))
    });
    assert_eq!(doubles.collect::<Vec<_>>(), ["Lookups.ratio", "Redis.p50Ms", "Redis.p99Ms"]);
    assert!(!text.contains("multipleOf"), "0.01 has no exact binary float");
}

fn formats(value: &Value, found: &mut BTreeSet<(String, String)>) {
    match value {
        Value::Object(members) => {
            let kind = match &members.get("type") {
                Some(Value::Array(kinds)) => kinds.iter().find(|kind| **kind != "null").and_then(Value::as_str),
                kind => kind.and_then(Value::as_str),
            };
            if let (Some(kind), Some(Value::String(format))) = (kind, members.get("format")) {
                found.insert((kind.to_owned(), format.clone()));
            }
            members.values().for_each(|value| formats(value, found));
        }
        Value::Array(elements) => elements.iter().for_each(|value| formats(value, found)),
        _ => {}
    }
}

/// The form of a time in a request takes what the parser takes, but for dates that there are not.
#[test]
fn the_documented_form_of_a_time_is_that_of_the_parser() {
    let form = regex::Regex::new(schemas::TIME).expect("a pattern");
    for time in
        ["2024-01-01", "2024-01-01T10:00", "2024-01-01 10:00z", "2024-01-01t10:00:30.5", "2024-01-01T10:00:30+10"]
    {
        assert!(form.is_match(time) && Timestamp::parse(time).is_some(), "{time}");
    }
    for time in
        ["", "2024-01", "2024-01-01T", "2024-01-01T10", "2024-01-01T10:00.5", "2024-01-01Z", "2024-01-01T10:00+1"]
    {
        assert!(!form.is_match(time) && Timestamp::parse(time).is_none(), "{time}");
    }
}
