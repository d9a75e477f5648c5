//! A compiler for wasm32-wasip2: rustup's, or Debian's where rustup has no network.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::remap::{self, Folders};
use crate::shell::{output, run, say};
use crate::tools;

pub const TARGET: &str = "wasm32-wasip2";

const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
/// Where Debian's wasi-libc puts its start files and libraries.
const DEBIAN_WASI_LIBC: &str = "/usr/lib/wasm32-wasi";
/// Where a toolchain has the source of the standard library.
const LIBRARY: &str = "lib/rustlib/src/rust";
/// What brings Debian's compiler.
pub const DEBIAN_PACKAGES: &[&str] = &["rustc-web", "rust-web-src", "wasi-libc"];

/// What compiles the components.
pub enum Toolchain {
    /// The toolchain that compiles everything else, with its own standard library for the target.
    Rustup,
    /// Debian's compiler, which builds the standard library from Debian's source of it. The linker is the toolchain's.
    Debian {
        /// Folders with `wasm-component-ld` and `wasm-ld`.
        linker: [PathBuf; 2],
    },
}

impl Toolchain {
    /// Whether one is installed.
    pub fn is_ready() -> bool {
        has_target() || has_debian()
    }

    /// Finds one, or installs what it takes.
    pub fn ready() -> Result<Toolchain> {
        if has_target() {
            return Ok(Toolchain::Rustup);
        }
        say(format!(
            "the compiler has no standard library for {TARGET}, which the components are built for: adding it"
        ));
        let added = run(Command::new("rustup").args(["target", "add", TARGET]));
        if added.is_ok() && has_target() {
            return Ok(Toolchain::Rustup);
        }
        crate::shell::check_interrupted()?;
        say("rustup could not add it: Debian's compiler builds it from source instead");
        debian()
    }

    /// Makes `command`, a cargo command that names [`TARGET`], use it to build what is in `checkout` into the folder `target`.
    /// Neither shows in what is built.
    pub fn apply(&self, command: &mut Command, checkout: &Path, target: &Path) -> Result<()> {
        let mut flags = Vec::new();
        if let Toolchain::Debian { linker } = self {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let path = std::env::join_paths(linker.iter().cloned().chain(std::env::split_paths(&path)))?;
            command
                .env("RUSTC", DEBIAN_RUSTC)
                // Building the standard library is not stable; the same variable is what Debian builds it with.
                .env("RUSTC_BOOTSTRAP", "1")
                .env("PATH", path)
                .args(["-Z", "build-std=std,panic_abort"]);
            flags = vec!["-L".to_owned(), format!("native={DEBIAN_WASI_LIBC}")];
        }
        command.current_dir(checkout).env(remap::VARIABLE, self.folders(checkout, target)?.flags(&flags));
        Ok(())
    }

    fn folders(&self, checkout: &Path, target: &Path) -> Result<Folders> {
        let library = Path::new(&output(self.rustc().args(["--print", "sysroot"]))?).join(LIBRARY);
        // Debian's is a link, and cargo names one file by the link and another by what it leads to.
        let real = library.canonicalize().into_iter().filter(|real| *real != library);
        let version = output(self.rustc().arg("-vV"))?;
        // Debian's says behind it that it was built from a tarball.
        let compiler = version.lines().find_map(|line| line.strip_prefix("commit-hash: ")?.split(' ').next());
        let cargo_home = std::env::var_os("CARGO_HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
        let home = || std::env::home_dir().map(|home| home.join(".cargo"));
        Ok(Folders {
            library: real.chain([library.clone()]).collect(),
            compiler: compiler.context("rustc does not name its commit")?.to_owned(),
            cargo_home: cargo_home.or_else(home).context("cargo has no home")?,
            checkout: checkout.to_owned(),
            target: target.to_owned(),
        })
    }

    fn rustc(&self) -> Command {
        match self {
            Toolchain::Rustup => rustc(),
            Toolchain::Debian { .. } => Command::new(DEBIAN_RUSTC),
        }
    }

    /// The compiler's name and version.
    pub fn version(&self) -> Result<String> {
        output(self.rustc().arg("--version"))
    }
}

/// The folder exists also for a target that is not installed: what counts is a library in it.
fn has_target() -> bool {
    let Ok(folder) = output(rustc().args(["--print", "target-libdir", "--target", TARGET])) else { return false };
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
}

fn rustc() -> Command {
    let mut command = Command::new("rustc");
    command.current_dir(stack::repository_root());
    command
}

fn debian() -> Result<Toolchain> {
    if !has_debian() {
        tools::apt_install(DEBIAN_PACKAGES, "to build the components without rustup's standard library for wasm")?;
    }
    if !has_debian() {
        bail!("Debian's packages {} did not bring a compiler for {TARGET}", DEBIAN_PACKAGES.join(", "));
    }
    let sysroot = output(rustc().args(["--print", "sysroot"]))?;
    let version = output(rustc().arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc does not name its host")?;
    let bin = Path::new(&sysroot).join("lib/rustlib").join(host).join("bin");
    if !bin.join("wasm-component-ld").is_file() {
        bail!("{} has no wasm-component-ld, which links the components", bin.display());
    }
    Ok(Toolchain::Debian { linker: [bin.clone(), bin.join("gcc-ld")] })
}

/// Compiler, library of C, and the source of the standard library.
fn has_debian() -> bool {
    let has_source = || {
        output(Command::new(DEBIAN_RUSTC).args(["--print", "sysroot"]))
            .is_ok_and(|sysroot| Path::new(&sysroot).join(LIBRARY).join("library/Cargo.toml").is_file())
    };
    Path::new(DEBIAN_RUSTC).is_file() && Path::new(DEBIAN_WASI_LIBC).is_dir() && has_source()
}
