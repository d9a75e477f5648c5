//! For build scripts: writes the table of files that a component answers with (`rental::http::File`).
//!
//! A component has its own files in `assets/`, and names files of npm's packages in `package.json`, as `served`. `cargo xtask assets`
//! installs those packages. Native builds, of which nothing is served, leave them out, so that they need nothing but Rust.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Where the packages of a component are installed, below the repository.
const INSTALLED: &str = "target/web";
/// Bytes of a file's hash that are in its tag. As many as tell the versions of one file apart.
const TAG_BYTES: usize = 12;

/// Writes `files.rs` into the folder that cargo names: `const FILES: &[File]`, in the order of the names. Called by a component's
/// `build.rs`.
///
/// # Errors
/// A sentence that says what is missing, and the command that mends it.
pub fn write_files() -> Result<(), String> {
    let folder = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let mut files = own_files(&folder)?;
    if variable("CARGO_CFG_TARGET_ARCH")? == "wasm32" {
        let installed = folder.join("../..").join(INSTALLED).join(variable("CARGO_PKG_NAME")?);
        files.extend(packaged_files(&folder, &installed)?);
    }
    files.sort_by_key(|file| name(file));
    let out = Path::new(&variable("OUT_DIR")?).join("files.rs");
    fs::write(&out, table(&files)?).map_err(|error| format!("{}: {error}", out.display()))
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("{name} is not set: this is run by cargo alone"))
}

/// The files in `assets/`.
fn own_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let assets = folder.join("assets");
    // Cargo looks at all that is in it.
    println!("cargo::rerun-if-changed={}", assets.display());
    let entries = fs::read_dir(&assets).map_err(|error| format!("{}: {error}", assets.display()))?;
    Ok(entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect())
}

/// The files of npm's packages that `package.json` names.
fn packaged_files(folder: &Path, installed: &Path) -> Result<Vec<PathBuf>, String> {
    let package = folder.join("package.json");
    println!("cargo::rerun-if-changed={}", package.display());
    let text = fs::read_to_string(&package).map_err(|error| format!("{}: {error}", package.display()))?;
    let package: serde_json::Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let names = package["served"].as_array().ok_or("package.json has no list `served`")?;
    let files = names.iter().filter_map(|name| name.as_str()).map(|name| installed.join("node_modules").join(name));
    files.map(found).collect()
}

fn found(file: PathBuf) -> Result<PathBuf, String> {
    println!("cargo::rerun-if-changed={}", file.display());
    if file.is_file() {
        return Ok(file);
    }
    Err(format!("{} comes from npm and is not here: run `cargo xtask assets`", name(&file)))
}

fn name(file: &Path) -> String {
    file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn table(files: &[PathBuf]) -> Result<String, String> {
    let mut text = "/// What is built in.\nconst FILES: &[rental::http::File] = &[\n".to_owned();
    for file in files {
        let file = file.canonicalize().map_err(|error| format!("{}: {error}", file.display()))?;
        let body = fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let (name, content_type) = (name(&file), content_type(&file)?);
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "    rental::http::File {{ name: {name:?}, content_type: {content_type:?}, etag: {:?}, body: include_bytes!({:?}) }},",
            etag(&body),
            file.display().to_string(),
        );
    }
    text.push_str("];\n");
    Ok(text)
}

fn content_type(file: &Path) -> Result<&'static str, String> {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("html") => Ok("text/html; charset=utf-8"),
        Some("js") => Ok("text/javascript; charset=utf-8"),
        Some("css") => Ok("text/css; charset=utf-8"),
        Some("svg") => Ok("image/svg+xml"),
        // Licences.
        Some("txt") | None => Ok("text/plain; charset=utf-8"),
        Some(other) => Err(format!("{}: what is the content type of .{other}?", file.display())),
    }
}

fn etag(body: &[u8]) -> String {
    let hash = Sha256::digest(body);
    let hex = hash.iter().take(TAG_BYTES).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    format!("\"{hex}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_changes_with_the_file_and_only_with_it() {
        assert_eq!(etag(b"a"), etag(b"a"));
        assert_ne!(etag(b"a"), etag(b"b"));
        assert_eq!(etag(b"a").len(), 2 * TAG_BYTES + 2);
    }

    #[test]
    fn a_file_of_a_kind_that_nobody_named_ends_the_build() {
        assert!(content_type(Path::new("a.exe")).is_err());
        assert_eq!(content_type(Path::new("a.min.css")), Ok("text/css; charset=utf-8"));
        assert_eq!(content_type(Path::new("LICENSE")), Ok("text/plain; charset=utf-8"));
    }

    #[test]
    fn a_file_that_npm_has_not_brought_is_told_with_the_command_that_brings_it() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("package.json"), r#"{"served": ["uplot/dist/uPlot.iife.min.js"]}"#)
            .expect("written");
        let error = packaged_files(folder.path(), folder.path()).expect_err("it is not there");
        assert_eq!(error, "uPlot.iife.min.js comes from npm and is not here: run `cargo xtask assets`");
        let there = folder.path().join("node_modules/uplot/dist");
        fs::create_dir_all(&there).expect("a folder");
        fs::write(there.join("uPlot.iife.min.js"), "1").expect("written");
        let files = packaged_files(folder.path(), folder.path()).expect("found");
        assert!(
            table(&files).expect("a table").contains("name: \"uPlot.iife.min.js\", content_type: \"text/javascript")
        );
    }
}
