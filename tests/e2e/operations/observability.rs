//! What watches the API asks for what the API tells: dashboard, alerts and their README against a real `GET /metrics`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{trials, world};

trials![
    everything_that_is_asked_for_is_exported,
    a_name_label_or_value_that_is_not_exported_is_found,
    every_metric_is_shown_by_the_dashboard,
];

const PREFIX: &str = "renttracker_";
/// Counts are flushed within a second or two; the rest is for a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOKUPS: &str = "renttracker_cache_lookups_total";
const DURATIONS: &str = "renttracker_request_duration_seconds";

/// Every label of a family, with its values.
type Labels = BTreeMap<String, BTreeSet<String>>;

/// A metric that a text names, and the label matchers behind it: name, operator, value.
#[derive(Debug, PartialEq)]
struct Mention {
    name: String,
    matchers: Vec<(String, String, String)>,
}

fn file(name: &str) -> String {
    let path = stack::repository_root().join("infra/observability").join(name);
    std::fs::read_to_string(path).expect(name)
}

/// Every string of the dashboard that Grafana sends to Prometheus or fills with labels.
fn queries(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if ["expr", "query", "definition"].contains(&name.as_str()) => {
                        found.push(text.clone());
                    }
                    other => queries(other, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| queries(item, found)),
        _ => (),
    }
}

fn dashboard() -> String {
    let mut found = Vec::new();
    queries(&serde_json::from_str(&file("dashboard.json")).expect("JSON"), &mut found);
    assert!(found.len() > 10, "the dashboard has queries: {found:?}");
    found.join("\n")
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// The `label op "value"` list between braces. The values of this project hold neither commas nor quotes.
fn matchers(text: &str) -> Vec<(String, String, String)> {
    let Some((inside, _)) = text.strip_prefix('{').and_then(|rest| rest.split_once('}')) else { return Vec::new() };
    let parse = |matcher: &str| {
        let (left, value) = matcher.trim().trim_end_matches('"').split_once('"')?;
        let label = word(left);
        Some((label.to_owned(), left[label.len()..].trim().to_owned(), value.to_owned()))
    };
    inside.split(',').map(|matcher| parse(matcher).unwrap_or_else(|| panic!("no matcher: {matcher}"))).collect()
}

/// Where `text` names metrics.
fn mentions(text: &str) -> Vec<Mention> {
    let parse = |(at, _): (usize, &str)| {
        let name = word(&text[at..]);
        Mention { name: name.to_owned(), matchers: matchers(&text[at + name.len()..]) }
    };
    text.match_indices(PREFIX).map(parse).collect()
}

/// What aggregations group by: `by (a, b)`.
fn groupings(text: &str) -> BTreeSet<String> {
    let lists = text.split(" by (").skip(1).filter_map(|rest| rest.split(')').next());
    lists.flat_map(|list| list.split(',')).map(|label| label.trim().to_owned()).collect()
}

/// The families of an exposition, with the labels and values that occur.
fn exported(exposition: &str) -> BTreeMap<String, Labels> {
    let mut families: BTreeMap<String, Labels> = BTreeMap::new();
    for sample in exposition.lines().filter(|line| !line.starts_with('#')).flat_map(mentions) {
        let labels = families.entry(sample.name).or_default();
        for (label, _, value) in sample.matchers {
            labels.entry(label).or_default().insert(value);
        }
    }
    // A histogram is told from its first request on. What the cache can have done for one, the lookups tell from the
    // start.
    let results = families.get(LOOKUPS).and_then(|labels| labels.get("result")).cloned().unwrap_or_default();
    for (_, labels) in families.iter_mut().filter(|(name, _)| name.starts_with(DURATIONS)) {
        labels.entry("result".into()).or_default().extend(results.clone());
    }
    families
}

/// What `text` asks for and `families` do not have, each in a sentence.
fn missing(text: &str, families: &BTreeMap<String, Labels>) -> BTreeSet<String> {
    let mut lacking = BTreeSet::new();
    for Mention { name, matchers } in mentions(text) {
        let Some(labels) = families.get(&name) else {
            lacking.insert(format!("{name} is not exported"));
            continue;
        };
        for (label, operator, value) in matchers {
            let Some(known) = labels.get(&label) else {
                lacking.insert(format!("{name} has no label {label}"));
                continue;
            };
            let alternatives = value.split('|').filter(|_| operator.contains('~')).chain([value.as_str()]);
            // `5..` is a pattern; that there has been an error is not for us to ask.
            let literal = |it: &&str| !it.contains(['.', '*', '+']) || label == "le";
            let single = |it: &&str| !operator.contains('~') || !it.contains('|');
            for one in alternatives.filter(literal).filter(single).filter(|one| !known.contains(*one)) {
                lacking.insert(format!("{name} has no {label} {one}"));
            }
        }
    }
    let all: BTreeSet<&String> = families.values().flat_map(BTreeMap::keys).collect();
    let grouped = groupings(text);
    lacking.extend(grouped.iter().filter(|it| !all.contains(it)).map(|it| format!("no metric has a label {it}")));
    lacking
}

/// Each result that a query selects on its own: a list and a row, stored and hit, and a write.
fn use_the_api() {
    let who = world().tenant();
    let id = who.property(&json!({ "address": "1 Metric St", "weeklyRentAmount": 1, "leaseStartDate": "2025-01-01" }));
    for path in ["/api/properties", &crate::support::property_path(&id)] {
        who.get(path).is(200);
        who.get(path).is(200);
    }
    who.get(&crate::support::property_path(crate::support::NOWHERE)).is(404);
}

/// Asks until nothing of `text` is missing, for what is counted is told a little later.
fn wait_for(text: &str) -> BTreeSet<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        use_the_api();
        let lacking = missing(text, &exported(&world().get("/metrics").is(200).text()));
        if lacking.is_empty() || Instant::now() > deadline {
            return lacking;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn everything_that_is_asked_for_is_exported() {
    let texts = [dashboard(), file("alerts.yml"), file("README.md")];
    for text in &texts {
        assert!(!mentions(text).is_empty());
    }
    let lacking = wait_for(&texts.join("\n"));
    assert!(lacking.is_empty(), "{lacking:#?}");
}

fn every_metric_is_shown_by_the_dashboard() {
    let shown = dashboard();
    use_the_api();
    let exposition = world().get("/metrics").is(200).text();
    let families = exposition.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let unseen: Vec<&str> = families.filter(|family| !shown.contains(family)).collect();
    assert!(unseen.is_empty(), "{unseen:#?}");
}

fn a_name_label_or_value_that_is_not_exported_is_found() {
    let families = exported(
        "# HELP renttracker_a_total Of renttracker_nothing.\n\
         renttracker_a_total{kind=\"list\",result=\"hit\"} 1\n\
         renttracker_b_seconds_bucket{le=\"0.1\"} 1\n\
         renttracker_c 1\n",
    );
    let check = |query: &str, expected: &[&str]| {
        assert_eq!(missing(query, &families).iter().collect::<Vec<_>>(), expected, "{query}");
    };
    check("sum by (kind) (rate(renttracker_a_total{kind=\"list\",result!=\"hit\"}[5m])) / renttracker_c", &[]);
    check("renttracker_a_total{result=~\"hit|h.*\"} > renttracker_b_seconds_bucket{le=\"0.1\"}", &[]);
    check("rate(renttracker_nothing[5m])", &["renttracker_nothing is not exported"]);
    check("`renttracker_b_seconds_sum`", &["renttracker_b_seconds_sum is not exported"]);
    check("renttracker_a_total{route=\"x\"}", &["renttracker_a_total has no label route"]);
    check("renttracker_c{kind=\"list\"}", &["renttracker_c has no label kind"]);
    check("renttracker_a_total{result=\"hits\"}", &["renttracker_a_total has no result hits"]);
    check("renttracker_a_total{result=~\"hit|miss\"}", &["renttracker_a_total has no result miss"]);
    check("renttracker_b_seconds_bucket{le=\"0.2\"}", &["renttracker_b_seconds_bucket has no le 0.2"]);
    check("sum by (le, rout) (renttracker_c)", &["no metric has a label rout"]);
}
