//! Least privilege: what `spin.toml` grants a component is what its code uses, and nothing else.
//!
//! What it uses is read from the sources ([`super::sources`]).

use std::collections::BTreeMap;

use crate::platform::components::{manifest, read};
use crate::platform::sources::{Library, Names, PLATFORM, functions, own_sources, sources, words};
use crate::support::trials;

trials![
    variables_are_granted_to_those_that_use_them,
    hosts_are_granted_to_those_that_connect_to_them,
    stores_are_granted_to_those_that_open_them,
    every_variable_is_documented_and_granted,
    variables_that_may_hold_a_secret_are_marked,
];

fn components() -> toml::Table {
    manifest()["component"].as_table().expect("components").clone()
}

/// The fields of the configuration, with the variables that their documentation names, and its methods with theirs.
fn fields() -> BTreeMap<String, Names> {
    let text = read("components/shared/rental/src/config/mod.rs");
    let known = variables();
    let mut fields: BTreeMap<String, Names> = BTreeMap::new();
    let mut documented = Names::new();
    for line in text.split("pub struct Config {").nth(1).expect("the struct").lines() {
        let line = line.trim();
        match line.strip_prefix("pub ").and_then(|rest| rest.split_once(':')) {
            Some((field, _)) => drop(fields.insert(field.to_owned(), std::mem::take(&mut documented))),
            None if line.starts_with("///") => documented.extend(words(&line[3..]).intersection(&known).cloned()),
            None if line == "}" => break,
            None => {}
        }
    }
    for (name, body) in functions(&text).into_iter().filter(|(name, _)| name != "parse") {
        let used = words(&body);
        let uses = fields.iter().filter(|(field, _)| used.contains(*field)).flat_map(|(_, names)| names.clone());
        let uses: Names = uses.collect();
        fields.insert(name, uses);
    }
    fields
}

/// How the configuration asks for a variable.
const LOOKUPS: [&str; 8] =
    ["lookup(\"", "given(\"", "required(\"", "number(\"", "milliseconds(\"", "seconds(\"", "boolean(\"", "count(\""];

/// The variables that the configuration reads.
fn variables() -> Names {
    let mut names = Names::new();
    for (_, text) in sources("components/shared/rental/src/config") {
        let text: String = text.split_whitespace().collect();
        for call in LOOKUPS {
            let after = text.split(call).skip(1);
            names.extend(after.filter_map(|rest| rest.split('"').next().map(str::to_owned)));
        }
    }
    names
}

/// The fields of the configuration that a text reads.
fn reads(text: &str, fields: &BTreeMap<String, Names>) -> Names {
    let text: String = text.split_whitespace().collect();
    let after = text.split("config.").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        &rest[..end]
    });
    after.filter_map(|field| fields.get(field)).flatten().cloned().collect()
}

fn variables_of(component: &toml::Value) -> toml::Table {
    component.get("variables").map_or_else(toml::Table::new, |it| it.as_table().expect("variables").clone())
}

fn granted(component: &toml::Value, list: &str) -> Names {
    let list = component[list].as_array().expect("a list");
    list.iter().map(|it| it.as_str().expect("a text").to_owned()).collect()
}

fn variables_are_granted_to_those_that_use_them() {
    let (library, fields) = (Library::read(), fields());
    let mut wrong = Vec::new();
    for (name, component) in &components() {
        let granted: Names = variables_of(component).keys().cloned().collect();
        let own = [own_sources(name)].into_iter();
        let reached = library.reached_by(name).into_iter().map(|function| library.functions[&function].clone());
        let used: Names = own.chain(reached).flat_map(|text| reads(&text, &fields)).collect();
        assert!(
            used.len() > 10 || ["aggregator", "console", "docs", "origin"].contains(&name.as_str()),
            "{name} uses {used:?}"
        );
        wrong.extend(used.difference(&granted).map(|variable| format!("{name} lacks {variable}")));
        wrong.extend(granted.difference(&used).map(|variable| format!("{name} is granted {variable} for nothing")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn hosts_are_granted_to_those_that_connect_to_them() {
    let library = Library::read();
    for (name, component) in &components() {
        let modules = library.modules_of(name);
        let hosts = [
            ("redis", "{{ redis_address }}"),
            ("postgres", "{{ database_address }}"),
            ("source", "{{ database_read_address }}"),
            ("auth/keys", "{{ jwt_jwks_address }}"),
            ("webhook", "{{ alert_webhook_address }}"),
            ("http/chain", "http://writes.spin.internal"),
            ("http/to_origin", "http://origin.spin.internal"),
            ("http/relay", "{{ origin_address }}"),
            ("metrics/tell", "http://aggregator.spin.internal"),
        ];
        let used: Names =
            hosts.iter().filter(|(it, _)| modules.contains(*it)).map(|(_, host)| (*host).to_owned()).collect();
        assert_eq!(granted(component, "allowed_outbound_hosts"), used, "{name}");
    }
}

/// The list above is all there is: nothing else opens a connection.
fn stores_are_granted_to_those_that_open_them() {
    let library = Library::read();
    for (name, component) in &components() {
        let opens = library.modules_of(name).contains("key_value");
        let used: Names = opens.then(|| "default".to_owned()).into_iter().collect();
        assert_eq!(granted(component, "key_value_stores"), used, "{name}");
        for kind in ["sqlite_databases", "ai_models", "files"] {
            assert!(component.get(kind).is_none(), "{name} is granted {kind}");
        }
    }
    let connects = ["send(", "Connection::open", "Store::open", "store::open"];
    let homes = [
        "auth/keys",
        "breaker/compare_and_swap",
        "breaker/in_key_value",
        "http/chain",
        "http/client",
        "http/relay",
        "http/wire",
        "key_value",
        "metrics/read_totals",
        "metrics/tell",
        "postgres/session",
        "redis/native",
        "redis/upstash",
        "webhook",
    ];
    for (file, text) in &sources(PLATFORM) {
        let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let imports = code.contains("http::send")
            || code.contains("http::{Response, send")
            || code.contains("sdk::http::{IntoResponse, send}");
        let opens = connects[1..].iter().any(|call| code.contains(call)) || (imports && code.contains(connects[0]));
        assert!(!opens || homes.contains(&file.as_str()), "{file} connects to something that no list here has");
    }
}

fn every_variable_is_documented_and_granted() {
    let manifest = manifest();
    let declared: Names = manifest["variables"].as_table().expect("variables").keys().cloned().collect();
    let granted: Names = components().iter().flat_map(|(_, it)| variables_of(it)).map(|(name, _)| name).collect();
    assert_eq!(granted, variables(), "the configuration reads what spin.toml grants");
    let addresses: Names = declared.iter().filter(|name| name.ends_with("_address")).cloned().collect();
    assert_eq!(declared, granted.union(&addresses).cloned().collect(), "what is declared is granted, or is an address");
    let guide = read("infra/deploy/variables.md");
    for name in &declared {
        assert!(guide.contains(&format!("`{name}`")), "infra/deploy/variables.md does not say what {name} is");
    }
    for (component, table) in &components() {
        for (name, value) in variables_of(table) {
            assert_eq!(value.as_str(), Some(format!("{{{{ {name} }}}}").as_str()), "{component}");
        }
    }
}

/// A URL may hold a password or a token.
fn variables_that_may_hold_a_secret_are_marked() {
    for (name, variable) in manifest()["variables"].as_table().expect("variables") {
        let holds = ["_url", "_secret", "_key", "_keys", "_password", "_token"].iter().any(|end| name.ends_with(end));
        let is_marked = variable.get("secret").and_then(toml::Value::as_bool) == Some(true);
        assert_eq!(is_marked, holds, "{name}");
        if holds {
            let default = variable.get("default").and_then(toml::Value::as_str);
            assert!(default.is_none_or(str::is_empty), "{name} has a default");
        }
    }
}
