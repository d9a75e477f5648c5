//! `spin-4.0.toml` is made from `spin.toml`. On Spin 4.0 no component reaches another, so what is private has no use there, and the
//! components that own the paths answer writes and add up counts themselves.

use std::collections::BTreeSet;

use crate::{read, root};

/// Writes the file anew in place of comparing it.
const WRITE: &str = "RENTTRACKER_MANIFEST";
/// What is said in `spin.toml` and is otherwise for Spin 4.0.
const SAID: [(&str, &str); 2] = [
    (
        "# For Spin 4.1 and newer: the components speak WASI 0.3.0. Spin 4.0 carries only its candidate and does not start them (\"a
# matching implementation was not found in the linker\"). There, `spin build -f spin-4.0.toml && spin up -f spin-4.0.toml`.
",
        "# For Spin 4.0 alone: the components speak WASI 0.3.0-rc-2026-03-15. Spin 4.1 runs them too, but starts an instance for each
# request. There, `spin build && spin up`.
# Made from spin.toml, which is the one to change: `RENTTRACKER_MANIFEST=write cargo test -p xtask --test manifests`.
",
    ),
    (
        "Spin matches the path alone, so a read component hands writes on to `writes`",
        "Spin matches the path alone, so a component that reads answers writes too",
    ),
];
const BUILD: (&str, &str) = (
    "cargo build --release --target wasm32-wasip2",
    "cargo build --profile spin-4-0 --features spin-4-0 --target wasm32-wasip2",
);
const FOLDER: (&str, &str) = ("target/wasm32-wasip2/release/", "target/wasm32-wasip2/spin-4-0/");
/// The private component whose work is done by those that may reach it.
const WRITES: &str = "http://writes.spin.internal";
/// Those that hand a request on to the component `origin` ask the backend themselves.
const ORIGIN: (&str, &str) = ("\"http://origin.spin.internal\"", "\"{{ origin_address }}\"");

/// A section with the comments above it.
struct Section {
    header: String,
    text: String,
}

/// What comes before the first section, and the sections.
fn sections(text: &str) -> (String, Vec<Section>) {
    let (mut before, mut sections, mut comments) = (String::new(), Vec::<Section>::new(), String::new());
    for line in text.lines().map(|line| format!("{line}\n")) {
        if line.starts_with('#') {
            comments.push_str(&line);
        } else if line.starts_with('[') {
            let text = std::mem::take(&mut comments) + &line;
            sections.push(Section { header: line.trim().to_owned(), text });
        } else {
            let place = sections.last_mut().map_or(&mut before, |section| &mut section.text);
            place.push_str(&(std::mem::take(&mut comments) + &line));
        }
    }
    (before, sections)
}

/// The list of `allowed_outbound_hosts` without what is inside the host.
fn without_internal_hosts(text: &str) -> String {
    let text = text.replace(ORIGIN.0, ORIGIN.1);
    let line = |line: &str| {
        if !line.contains(".spin.internal\"") {
            return Some(format!("{line}\n"));
        }
        let kept: Vec<&str> = line
            .split(',')
            .map(str::trim)
            .filter(|host| !host.is_empty() && !host.contains(".spin.internal\""))
            .collect();
        (!kept.is_empty()).then(|| format!("    {},\n", kept.join(", ")))
    };
    text.lines().filter_map(line).collect()
}

/// The lines of a section's body that the other lacks.
fn lines_lacking(of: &str, others: &str) -> String {
    let has: BTreeSet<&str> = of.lines().collect();
    others
        .lines()
        .skip(1)
        .filter(|line| line.contains(" = ") && !has.contains(line))
        .map(|line| format!("{line}\n"))
        .collect()
}

fn for_spin_4_0(manifest: &str) -> String {
    let table: toml::Table = manifest.parse().expect("TOML");
    let triggers = table["trigger"]["http"].as_array().expect("routes");
    let private: Vec<&str> =
        triggers.iter().filter(|it| it["route"].is_table()).filter_map(|it| it["component"].as_str()).collect();
    let of_private = |section: &Section| {
        private.iter().any(|name| {
            section.header.starts_with(&format!("[component.{name}]"))
                || section.header.starts_with(&format!("[component.{name}."))
                || section.text.contains(&format!("\ncomponent = \"{name}\"\n"))
        })
    };
    let (before, sections) = sections(manifest);
    let variables = |name: &str| {
        let header = format!("[component.{name}.variables]");
        sections.iter().find(|it| it.header == header).map_or("", |it| it.text.as_str())
    };
    let mut made = before;
    for section in sections.iter().filter(|section| !of_private(section)) {
        let mut text = without_internal_hosts(&section.text);
        let component = section.header.trim_start_matches("[component.").trim_end_matches(".variables]");
        let hosts = table["component"].get(component).and_then(|it| it["allowed_outbound_hosts"].as_array());
        if hosts.is_some_and(|hosts| hosts.iter().any(|it| it.as_str() == Some(WRITES)))
            && section.header.ends_with(".variables]")
        {
            let body = text.trim_end().len() + 1;
            text.insert_str(body, &lines_lacking(&section.text, variables("writes")));
        }
        made.push_str(&text);
    }
    for (from, to) in [BUILD, FOLDER].iter().chain(&SAID) {
        assert!(made.contains(from), "spin.toml no longer says {from:?}");
        made = made.replace(from, to);
    }
    format!("{}\n", made.trim_end())
}

#[test]
fn the_manifest_for_spin_4_0_is_what_spin_toml_makes_it() {
    let made = for_spin_4_0(&read("spin.toml"));
    if std::env::var(WRITE).is_ok_and(|asked| asked == "write") {
        std::fs::write(root().join("spin-4.0.toml"), &made).expect("written");
    }
    let differing = made.lines().zip(read("spin-4.0.toml").lines()).position(|(made, is)| made != is);
    assert!(
        made == read("spin-4.0.toml"),
        "spin-4.0.toml is not made from spin.toml (line {:?}): `{WRITE}=write cargo test -p xtask --test manifests` writes it",
        differing.map(|line| line + 1)
    );
}

#[test]
fn no_component_for_spin_4_0_reaches_another_or_is_private() {
    let made = for_spin_4_0(&read("spin.toml"));
    let code: String = made.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(!code.contains("spin.internal") && !code.contains("private"), "{made}");
    let table: toml::Table = made.parse().expect("TOML");
    let names: Vec<&str> = table["component"].as_table().expect("components").keys().map(String::as_str).collect();
    assert_eq!(names, ["console", "docs", "ops", "origin", "payment-reads", "property-reads"]);
    // Pages ask for nothing.
    for name in names.into_iter().filter(|name| !["console", "docs"].contains(name)) {
        let hosts = table["component"][name]["allowed_outbound_hosts"].as_array().expect("a list");
        assert!(
            hosts.iter().any(|it| format!("\"{}\"", it.as_str().unwrap_or_default()) == ORIGIN.1),
            "{name} asks the backend itself, and reaches {hosts:?}"
        );
    }
    let reads = table["component"]["property-reads"]["variables"].as_table().expect("variables");
    assert!(reads.contains_key("require_if_match") && reads.contains_key("cache_seal_key"), "those of both components");
    assert!(!table["component"]["ops"]["variables"].as_table().expect("variables").contains_key("require_if_match"));
}
