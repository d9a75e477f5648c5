//! Other programs, run so that a signal to us ends them too.

use std::io::Read;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

const POLL: Duration = Duration::from_millis(50);
/// How we end when we were asked to stop before we were done: as a shell reports an end by SIGINT.
pub const INTERRUPTED_CODE: u8 = 130;

static INTERRUPTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// From now on the first signal asks us to stop, and a second one ends us at once (the kernel then ends what we
/// started).
pub fn watch_signals() -> Result<()> {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register_conditional_shutdown(signal, INTERRUPTED_CODE.into(), INTERRUPTED.clone())?;
        signal_hook::flag::register(signal, INTERRUPTED.clone())?;
    }
    Ok(())
}

/// Whether we have been asked to stop.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// An error if we have been asked to stop: called between the steps of something long.
pub fn check_interrupted() -> Result<()> {
    if interrupted() {
        bail!("interrupted");
    }
    Ok(())
}

/// Runs a program to its end with our terminal; an error unless it succeeds.
pub fn run(command: &mut Command) -> Result<()> {
    start(command)?.wait(|| ())
}

/// Runs a program to its end: what it printed on stdout, and whether it succeeded.
pub fn run_printing(command: &mut Command) -> Result<(String, Result<()>)> {
    let mut running = start(command.stdout(Stdio::piped()))?;
    let mut stdout = running.stdout().context("the program's stdout is piped")?;
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).map(|_| text)
    });
    let ended = running.wait(|| ());
    let printed = reader.join().map_err(|_| anyhow!("what the program printed was not read to its end"))??;
    Ok((printed, ended))
}

/// Starts a program with our terminal, unless the command says otherwise.
pub fn start(command: &mut Command) -> Result<Running> {
    let name = describe(command);
    let child = command.stdin(Stdio::null()).spawn().with_context(|| format!("cannot start `{name}`"))?;
    Ok(Running { name, child })
}

/// A program that was started.
pub struct Running {
    name: String,
    child: Child,
}

impl Running {
    /// What it prints, if the command pipes that.
    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Waits for its end, with a call of `meanwhile` at each look; an error unless it succeeds.
    pub fn wait(mut self, mut meanwhile: impl FnMut()) -> Result<()> {
        let mut told = false;
        loop {
            if let Some(status) = self.child.try_wait()? {
                check_interrupted()?;
                if !status.success() {
                    bail!("`{}` failed ({status})", self.name);
                }
                return Ok(());
            }
            if interrupted() && !told {
                // Ctrl-C has reached it already, being in our process group; a SIGTERM to us alone has not.
                let _ = kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM);
                told = true;
            }
            meanwhile();
            std::thread::sleep(POLL);
        }
    }
}

/// What a program prints, if it succeeds.
pub fn output(command: &mut Command) -> Result<String> {
    let name = describe(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{name}`"))?;
    if !output.status.success() {
        bail!("`{name}` failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// The `cargo` that runs us, in the repository's folder.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(stack::repository_root());
    // Set by `cargo run` for us; a nested cargo would take them for its own packages' and rebuild what asks for them.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// The same command, run when no other wants the processor.
pub fn niced(command: &Command) -> Command {
    let mut niced = Command::new("nice");
    niced.args(["-n", "19"]).arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        niced.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => niced.env(name, value),
            None => niced.env_remove(name),
        };
    }
    niced
}

/// A command as one would type it. No secret is ever passed on a command line, so it can be shown.
pub fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let mut words: Vec<_> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    if let Some(name) = words[0].rsplit('/').next() {
        words[0] = name.to_owned();
    }
    words.join(" ")
}

/// A line that says what is being done.
pub fn say(text: impl AsRef<str>) {
    eprintln!("==> {}", text.as_ref());
}
