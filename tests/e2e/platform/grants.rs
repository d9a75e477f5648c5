//! Least privilege: what `spin.toml` grants a component is what its code uses, and nothing else.
//!
//! What it uses is read from the sources: from what a component takes of `shared::spin`, along every function that a
//! function names, as far as its file imports the other's. Where two functions share a name that may find a use too many,
//! and never one too few.

use std::collections::{BTreeMap, BTreeSet};

use crate::platform::components::{manifest, read, root, rust_files};
use crate::support::trials;

trials![
    variables_are_granted_to_those_that_use_them,
    hosts_are_granted_to_those_that_connect_to_them,
    stores_are_granted_to_those_that_open_them,
    every_variable_is_documented_and_granted,
    variables_that_may_hold_a_secret_are_marked,
];

type Names = BTreeSet<String>;

fn components() -> toml::Table {
    manifest()["component"].as_table().expect("components").clone()
}

/// The Rust files below a folder, with their paths in it and without their tests.
fn sources(folder: &str) -> Vec<(String, String)> {
    let folder = root().join(folder);
    let mut files = Vec::new();
    rust_files(&folder, &mut files);
    let read = |file: std::path::PathBuf| {
        let name = file.strip_prefix(&folder).expect("below it").with_extension("");
        let text = read(&file);
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        (name.to_string_lossy().into_owned(), text.to_owned())
    };
    files.into_iter().filter(|file| !file.ends_with("tests.rs")).map(read).collect()
}

fn words(text: &str) -> Names {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_')).map(str::to_owned).collect()
}

/// The functions of a file, by name, as rustfmt lays them out: from their first line to the brace below it.
fn functions(text: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = &line[..line.len() - code.len()];
        let Some(at) = ["fn ", "pub fn ", "async fn ", "pub async fn ", "pub(super) fn "]
            .iter()
            .find_map(|prefix| code.strip_prefix(prefix))
        else {
            continue;
        };
        let name: String = at.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let is_end = |line: &&str| line.strip_prefix(indent).is_some_and(|rest| rest == "}");
        let length = lines[start..].iter().position(is_end).unwrap_or(0) + 1;
        found.push((name, lines[start..start + length].join("\n")));
    }
    found
}

/// A function of the library: the module that it is in, and its name.
type Function = (String, String);

/// The library: its functions, and which modules each module imports. A module is a file of `spin/`, and elsewhere
/// everything below the library's root that has one name.
#[derive(Default)]
struct Library {
    functions: BTreeMap<Function, String>,
    imports: BTreeMap<String, Names>,
    /// What `shared::spin` offers to components: names and their modules.
    offers: BTreeMap<String, String>,
}

impl Library {
    fn read() -> Library {
        let mut library = Library::default();
        for (file, text) in sources("components/shared/src") {
            let module = match file.strip_prefix("spin/") {
                Some(_) => file.clone(),
                None => file.split('/').next().unwrap_or_default().to_owned(),
            };
            for (name, body) in functions(&text) {
                library.functions.entry((module.clone(), name)).or_default().push_str(&body);
            }
            let imports = library.imports.entry(module.clone()).or_default();
            imports.insert(module.clone());
            for statement in text.split(';').filter_map(|it| it.trim().rsplit_once("use ").map(|(_, path)| path)) {
                if let Some(path) = statement.strip_prefix("crate::") {
                    imports.extend(path.split("::").next().map(str::to_owned));
                }
                if let Some(path) = statement.strip_prefix("super::").filter(|_| module.starts_with("spin/")) {
                    // `super::{clock, keys}` imports modules, `super::clock::{elapsed, sleep}` from one.
                    let modules =
                        if path.starts_with('{') { path } else { path.split("::").next().unwrap_or_default() };
                    imports.extend(words(modules).into_iter().map(|it| format!("spin/{it}")));
                }
            }
            if file == "spin/mod" {
                for line in text.split("pub use ").skip(1) {
                    let line = line.split(';').next().unwrap_or_default();
                    let (module, names) = line.split_once("::").expect("a module and what it offers");
                    library.offers.extend(words(names).into_iter().map(|name| (name, format!("spin/{module}"))));
                }
            }
        }
        assert!(library.functions.len() > 100 && library.offers.len() > 10, "the library is read");
        library
    }

    /// The functions that a component comes to.
    fn reached_by(&self, component: &str) -> BTreeSet<Function> {
        let text: String = sources(&format!("components/{component}/src")).into_iter().map(|(_, text)| text).collect();
        let used = words(&text);
        let modules: Names =
            self.offers.iter().filter(|(name, _)| used.contains(*name)).map(|(_, it)| it.clone()).collect();
        let mut reached = BTreeSet::new();
        let mut next = vec![(modules, used)];
        while let Some((modules, used)) = next.pop() {
            for function in
                self.functions.keys().filter(|(module, name)| modules.contains(module) && used.contains(name))
            {
                if reached.insert(function.clone()) {
                    next.push((self.imports[&function.0].clone(), words(&self.functions[function])));
                }
            }
        }
        reached
    }

    /// The modules that a component comes to.
    fn modules_of(&self, component: &str) -> Names {
        self.reached_by(component).into_iter().map(|(module, _)| module).collect()
    }
}

/// The fields of the configuration, with the variables that their documentation names, and its methods with theirs.
fn fields() -> BTreeMap<String, Names> {
    let text = read("components/shared/src/config.rs");
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

/// What the library reads.
fn variables() -> Names {
    let text = read("components/shared/src/config.rs");
    let list = text.split("VARIABLES: &[&str] = &[").nth(1).and_then(|rest| rest.split("];").next());
    list.expect("the list").split('"').skip(1).step_by(2).map(str::to_owned).collect()
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
        let own = sources(&format!("components/{name}/src")).into_iter().map(|(_, text)| text);
        let reached = library.reached_by(name).into_iter().map(|function| library.functions[&function].clone());
        let used: Names = own.chain(reached).flat_map(|text| reads(&text, &fields)).collect();
        assert!(used.len() > 10 || name == "tally", "{name} uses {used:?}");
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
            ("spin/redis", "{{ redis_address }}"),
            ("spin/postgres", "{{ database_address }}"),
            ("spin/keys", "{{ jwt_jwks_address }}"),
            ("spin/webhook", "{{ alert_webhook_address }}"),
            ("spin/chain", "http://writes.spin.internal"),
            ("spin/metrics", "http://tally.spin.internal"),
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
        let opens = library.modules_of(name).contains("spin/key_value");
        let used: Names = opens.then(|| "default".to_owned()).into_iter().collect();
        assert_eq!(granted(component, "key_value_stores"), used, "{name}");
        for kind in ["sqlite_databases", "ai_models", "files"] {
            assert!(component.get(kind).is_none(), "{name} is granted {kind}");
        }
    }
    let connects = ["send(", "Connection::open", "Store::open", "store::open"];
    let homes = [
        "spin/http",
        "spin/redis/native",
        "spin/redis/upstash",
        "spin/postgres",
        "spin/keys",
        "spin/webhook",
        "spin/chain",
        "spin/key_value",
        "spin/metrics",
        "spin/record",
    ];
    for (file, text) in sources("components/shared/src").iter().filter(|(file, _)| file.starts_with("spin/")) {
        let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let imports = code.contains("http::send")
            || code.contains("http::{Response, send")
            || code.contains("spin_sdk::http::{IntoResponse, send}");
        let opens = connects[1..].iter().any(|call| code.contains(call)) || (imports && code.contains(connects[0]));
        assert!(!opens || homes.contains(&file.as_str()), "{file} connects to something that no list here has");
    }
}

fn every_variable_is_documented_and_granted() {
    let manifest = manifest();
    let declared: Names = manifest["variables"].as_table().expect("variables").keys().cloned().collect();
    let granted: Names = components().iter().flat_map(|(_, it)| variables_of(it)).map(|(name, _)| name).collect();
    assert_eq!(granted, variables(), "config.rs reads what spin.toml grants");
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
