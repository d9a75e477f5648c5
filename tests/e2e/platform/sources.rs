//! What a component comes to in the shared libraries, read from their sources: from what it names, along every function that a
//! function names, as far as its file imports the other's.
//!
//! A name is looked for in all that a file imports, and an [`Instance`] has the methods of all that it holds. So where two
//! functions share a name, that may find a use too many, and never one too few.
//!
//! [`Instance`]: ../../../components/shared/platform/src/instance.rs

use std::collections::{BTreeMap, BTreeSet};

use crate::platform::components::{read, root, rust_files};

pub type Names = BTreeSet<String>;

/// Where the crate that talks to the platform is.
pub const PLATFORM: &str = "components/shared/platform/src";
/// The module of the struct that every request gets: what it imports, every file that gets it may call.
const INSTANCE: &str = "instance";

/// The Rust files below a folder, with their paths in it and without their tests.
pub fn sources(folder: &str) -> Vec<(String, String)> {
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

/// The sources of a component: its own, and those of the write handlers where it links them by default.
pub fn own_sources(component: &str) -> String {
    let manifest: toml::Table = read(format!("components/{component}/Cargo.toml")).parse().expect("a manifest");
    let links = manifest["dependencies"].get("write-handlers").is_some_and(|it| it.get("optional").is_none());
    let handlers = if links { sources("components/shared/write-handlers/src") } else { Vec::new() };
    sources(&format!("components/{component}/src")).into_iter().chain(handlers).map(|(_, text)| text).collect()
}

/// The words of a text that are not in a comment.
pub fn words(text: &str) -> Names {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_')).map(str::to_owned).collect()
}

/// The functions of a file, by name, as rustfmt lays them out: from their first line to the brace below it.
pub fn functions(text: &str) -> Vec<(String, String)> {
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

/// The paths of a file's `use` statements, each with its last name: `use a::{b, c::d}` is `a::b` and `a::c::d`.
fn imports(text: &str) -> Vec<(bool, String)> {
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join(" ");
    let mut found = Vec::new();
    for statement in code.split(';') {
        let Some((before, tree)) = statement.rsplit_once("use ") else { continue };
        let is_public = before.trim_end().ends_with("pub");
        let tree: String = tree.split_whitespace().filter(|word| *word != "as").collect();
        match tree.split_once('{') {
            None => found.push((is_public, tree)),
            Some((path, names)) => {
                let names = names.trim_end_matches('}').split(',').filter(|name| !name.is_empty());
                found.extend(names.map(|name| (is_public, format!("{path}{}", name.trim_end_matches("::self")))));
            }
        }
    }
    found
}

/// A function of the libraries: the module that it is in, and its name.
pub type Function = (String, String);

/// The libraries: their functions, and which modules each module imports. A module is a file of the platform crate, and the
/// whole of another.
#[derive(Default)]
pub struct Library {
    /// The text of each function.
    pub functions: BTreeMap<Function, String>,
    imports: BTreeMap<String, Names>,
    /// What a module of the platform crate offers as its own, and which module has it.
    offers: BTreeMap<Function, String>,
}

impl Library {
    /// Reads the three crates.
    pub fn read() -> Library {
        let mut library = Library::default();
        for krate in ["cache", "rental"] {
            for (_, text) in sources(&format!("components/shared/{krate}/src")) {
                library.add(krate, &text);
            }
        }
        let files: Vec<(String, String)> = sources(PLATFORM)
            .into_iter()
            .map(|(file, text)| (file.strip_suffix("/mod").unwrap_or(&file).to_owned(), text))
            .collect();
        files.iter().for_each(|(module, text)| library.add(module, text));
        for (module, text) in &files {
            for (_, path) in imports(text).into_iter().filter(|(is_public, _)| *is_public) {
                // Another crate has no module of its own.
                if let Some((from, name)) = path.rsplit_once("::") {
                    library.offers.insert((module.clone(), name.to_owned()), format!("{module}/{from}"));
                }
            }
        }
        for (module, text) in &files {
            let used = imports(text).into_iter().filter_map(|(_, path)| library.module_of(module, &path));
            let used: Names = used.flat_map(|module| library.with_its_offers(module)).collect();
            library.imports.entry(module.clone()).or_default().extend(used);
        }
        library.imports.entry("rental".into()).or_default().insert("cache".into());
        let held = library.imports[INSTANCE].clone();
        library.imports.values_mut().filter(|it| it.contains(INSTANCE)).for_each(|it| it.extend(held.clone()));
        assert!(library.functions.len() > 400 && library.imports.len() > 40, "the libraries are read");
        library
    }

    fn add(&mut self, module: &str, text: &str) {
        for (name, body) in functions(text) {
            self.functions.entry((module.to_owned(), name)).or_default().push_str(&body);
        }
        self.imports.entry(module.to_owned()).or_default().insert(module.to_owned());
    }

    /// The module that a path of a `use` statement in `module` leads to; `None` outside of the libraries.
    fn module_of(&self, module: &str, path: &str) -> Option<String> {
        let mut segments: Vec<&str> = path.split("::").collect();
        let mut place = match segments.first().copied()? {
            krate @ ("cache" | "rental") => return Some(krate.to_owned()),
            "crate" | "platform" => {
                segments.remove(0);
                String::new()
            }
            "super" => {
                segments.remove(0);
                module.rsplit_once('/').map_or_else(String::new, |(parent, _)| parent.to_owned())
            }
            first if self.imports.contains_key(&format!("{module}/{first}")) => module.to_owned(),
            _ => return None,
        };
        for segment in segments {
            let below = if place.is_empty() { segment.to_owned() } else { format!("{place}/{segment}") };
            match self.offers.get(&(place.clone(), segment.to_owned())) {
                Some(home) => return Some(home.clone()),
                None if self.is_place(&below) => place = below,
                None => break,
            }
        }
        (!place.is_empty()).then_some(place)
    }

    /// A module, and those whose names it offers: `use crate::metrics` leads to `metrics::flush_later`.
    fn with_its_offers(&self, module: String) -> Names {
        let offered = self.offers.iter().filter(|((from, _), _)| *from == module).map(|(_, home)| home.clone());
        offered.chain([module.clone()]).collect()
    }

    fn is_place(&self, path: &str) -> bool {
        self.imports.contains_key(path)
    }

    /// The functions that a component comes to.
    pub fn reached_by(&self, component: &str) -> BTreeSet<Function> {
        let text = own_sources(component);
        let named = imports(&text).into_iter().filter_map(|(_, path)| self.module_of("", &path));
        let written = text.split("platform::").skip(1).filter_map(|rest| {
            let path = rest.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').next().unwrap_or_default();
            self.module_of("", &format!("platform::{path}"))
        });
        let mut modules: Names = named.chain(written).collect();
        modules.extend(modules.contains("http").then(|| "http/call".to_owned()));
        let mut reached = BTreeSet::new();
        let mut next = vec![(modules, words(&text))];
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
    pub fn modules_of(&self, component: &str) -> Names {
        self.reached_by(component).into_iter().map(|(module, _)| module).collect()
    }
}
