//! Which component of `spin.toml` is given which variable. Spin passes on nothing by itself, so the manifest repeats each name
//! for each component; this is the one place that says which names those are.

use std::collections::BTreeSet;

use crate::read;

/// The components that are configured. `aggregator` only adds up what these send it, `origin` knows only where the backend is,
/// and `console` and `docs` are files.
const CONFIGURED: &[&str] = &["ops", "payment-reads", "property-reads", "writes"];

/// The variables that not all of [`CONFIGURED`] are given, with those that are.
const EXCEPTIONS: &[(&str, &[&str])] = &[
    // What is stored in the cache is stored by those that read it.
    ("redis_default_timeout_minutes", &["ops", "payment-reads", "property-reads"]),
    ("cache_seal_key", &["ops", "payment-reads", "property-reads"]),
    ("require_if_match", &["writes"]),
    // Whoever owns a path knows whether another method of it is the backend's.
    ("origin_url", &["ops", "origin", "payment-reads", "property-reads"]),
    ("origin_timeout_ms", &["ops", "origin", "payment-reads", "property-reads"]),
    ("cors_allowed_origins", &["ops", "origin", "payment-reads", "property-reads", "writes"]),
    // Only for `allowed_outbound_hosts`.
    ("redis_address", &[]),
    ("database_address", &[]),
    ("database_read_address", &[]),
    ("jwt_jwks_address", &[]),
    ("alert_webhook_address", &[]),
    ("origin_address", &[]),
];

fn given(variable: &str) -> &'static [&'static str] {
    EXCEPTIONS.iter().find(|(name, _)| *name == variable).map_or(CONFIGURED, |(_, components)| *components)
}

/// What is wrong with the manifest, each as the sentence that mends it.
fn faults(manifest: &toml::Table) -> Vec<String> {
    let declared: BTreeSet<&str> = table(manifest, "variables").keys().map(String::as_str).collect();
    let mut faults: Vec<String> = EXCEPTIONS
        .iter()
        .filter(|(name, _)| !declared.contains(name))
        .map(|(name, _)| format!("declare `{name}` in [variables], or take it out of EXCEPTIONS"))
        .collect();
    for (component, entry) in table(manifest, "component") {
        let none = toml::Table::new();
        let lines = entry.get("variables").and_then(toml::Value::as_table).unwrap_or(&none);
        for name in &declared {
            let expected = format!("{{{{ {name} }}}}");
            let has_line = lines.get(*name).and_then(toml::Value::as_str) == Some(&expected);
            match (given(name).contains(&component.as_str()), has_line) {
                (true, false) => {
                    faults.push(format!("write `{name} = \"{expected}\"` in [component.{component}.variables]"));
                }
                (false, true) => faults.push(format!(
                    "take `{name}` out of [component.{component}.variables], or give it to {component} in EXCEPTIONS"
                )),
                _ => {}
            }
        }
        for name in lines.keys().filter(|name| !declared.contains(name.as_str())) {
            faults.push(format!("take `{name}` out of [component.{component}.variables]: it is not in [variables]"));
        }
    }
    faults
}

fn table<'a>(manifest: &'a toml::Table, key: &str) -> &'a toml::Table {
    manifest[key].as_table().unwrap_or_else(|| panic!("spin.toml has no [{key}]"))
}

fn manifest() -> String {
    read("spin.toml")
}

fn parse(text: &str) -> toml::Table {
    text.parse().expect("TOML")
}

#[test]
fn each_component_is_given_the_variables_that_it_reads_and_no_others() {
    let faults = faults(&parse(&manifest()));
    assert!(faults.is_empty(), "in spin.toml:\n  {}", faults.join("\n  "));
}

#[test]
fn each_variable_is_in_the_guide() {
    let guide = read("infra/deploy/variables.md");
    for name in table(&parse(&manifest()), "variables").keys() {
        assert!(guide.contains(&format!("`{name}`")), "write a row for `{name}` in infra/deploy/variables.md");
    }
}

#[test]
fn a_line_that_is_missing_misspelt_or_too_many_is_named_with_its_mend() {
    let line = |name: &str| format!("\n{name} = \"{{{{ {name} }}}}\"");
    let (secret, conditions) = (line("jwt_secret"), line("require_if_match"));
    let check = |text: &str, expected: &[&str]| assert_eq!(faults(&parse(text)), expected);
    let manifest = manifest();
    check(
        &manifest.replacen(&secret, "", 1),
        &[&format!("write `{}` in [component.property-reads.variables]", secret.trim())],
    );
    check(
        &manifest.replacen(&secret, "\njwt_secret = \"{{ jwt_issuer }}\"", 1),
        &[&format!("write `{}` in [component.property-reads.variables]", secret.trim())],
    );
    check(
        &manifest.replacen(&secret, &format!("{secret}{conditions}"), 1),
        &[
            "take `require_if_match` out of [component.property-reads.variables], or give it to property-reads in EXCEPTIONS",
        ],
    );
    check(
        &manifest.replacen(&secret, &format!("{secret}\nunknown = \"x\""), 1),
        &["take `unknown` out of [component.property-reads.variables]: it is not in [variables]"],
    );
}
