//! The host that serves the built components: the embedded one, or Spin.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use nix::sys::signal::Signal;

use crate::process::Process;
use crate::{Edition, compile_cache, editions, host_binary, repository_root, spin_on_path};

/// Spin compiles all components at its first start; on a machine busy with compilers that takes a while.
const START_PATIENCE: Duration = Duration::from_secs(120);
const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// How many of the last lines are kept for an error message.
const TAIL_LINES: usize = 40;

/// How long a deployment uses an instance, on either runtime: for ten thousand requests, not for 128. A new one connects to
/// Redis, reads its variables and the breaker's record, and verifies every token anew; spread over 128 requests that is about a
/// tenth of what a hit costs (`infra/deploy/README.md`).
pub const LONG_REUSE: [&str; 2] = ["--max-instance-reuse-count", "10000"];

/// What our own environment must not pass on to a host: the application's variables, and whether and where traces are sent.
const NOT_INHERITED: [&str; 2] = ["SPIN_VARIABLE_", "OTEL_"];

/// What runs the components.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// `infra/host`.
    Embedded,
    /// The `spin` on PATH.
    Spin,
}

impl Runtime {
    /// As it is written in `--runtime` and in `.dev/stack.json`.
    pub fn name(self) -> &'static str {
        match self {
            Runtime::Embedded => "embedded",
            Runtime::Spin => "spin",
        }
    }

    /// The build of the components that it runs: the Spin on PATH decides, if it is Spin.
    pub fn edition(self) -> Edition {
        match self {
            Runtime::Embedded => Edition::Spin4_1,
            Runtime::Spin => spin_on_path().map_or(Edition::Spin4_1, |spin| spin.edition),
        }
    }

    /// The manifest of that build.
    pub fn manifest(self) -> PathBuf {
        repository_root().join(self.edition().manifest())
    }
}

/// How a host is started.
pub struct HostOptions {
    /// What runs the components.
    pub runtime: Runtime,
    /// Where it listens; port 0 takes a free one.
    pub listen: String,
    /// For the key-value store, and for nothing that must last.
    pub state_dir: PathBuf,
    /// The application's variables. They reach the host in its environment: a command line can be read by everybody.
    pub variables: BTreeMap<String, String>,
    /// Where its output goes; `None` passes it on to ours.
    pub log: Option<PathBuf>,
    /// A PEM file of the authorities that it trusts for TLS in place of the system's (`SSL_CERT_FILE`).
    pub authorities: Option<PathBuf>,
    /// Variables of its environment beside ours, as [`crate::Collector::environment`] has them.
    pub environment: BTreeMap<String, String>,
}

/// A host that serves. Dropping it stops it.
pub struct Host {
    process: Process,
    base_url: String,
    tail: Tail,
}

impl Host {
    /// Starts a host and waits until it serves. Only the variables given reach it: `SPIN_VARIABLE_…` and `OTEL_…` in our own
    /// environment are not passed on. [`HostOptions::environment`] may set them.
    pub fn start(options: HostOptions) -> Result<Host> {
        let manifest = options.runtime.manifest();
        Host::start_with(options, &manifest, &[])
    }

    /// The same for another `manifest`, and with further command line arguments.
    pub fn start_with(options: HostOptions, manifest: &Path, arguments: &[&OsStr]) -> Result<Host> {
        let kept = compile_cache();
        let mut all = match options.runtime {
            Runtime::Embedded => vec![OsStr::new("--compile-cache"), kept.as_os_str()],
            Runtime::Spin => Vec::new(),
        };
        all.extend(arguments);
        Host::start_compiling(options, manifest, &all)
    }

    /// The same without the compiled components that earlier starts of the embedded host have kept: it compiles them all.
    pub fn start_compiling(options: HostOptions, manifest: &Path, arguments: &[&OsStr]) -> Result<Host> {
        let mut command = command(&options, manifest)?;
        command.args(arguments);
        // Spin 4.0 ends an instance with its last answer, whatever it is still at: it lives here for as long as the guides say.
        let is_told = arguments.contains(&OsStr::new(LONG_REUSE[0]));
        if options.runtime == Runtime::Spin && options.runtime.edition() == Edition::Spin4_0 && !is_told {
            command.args(LONG_REUSE);
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        // Spin starts the server as a child, and ends it on a SIGTERM, but cannot on a SIGKILL.
        let on_our_death = match options.runtime {
            Runtime::Embedded => Signal::SIGKILL,
            Runtime::Spin => Signal::SIGTERM,
        };
        let mut process = Process::spawn(command, on_our_death)?;
        let tail = Tail::default();
        let log = options.log.as_deref().map(|path| {
            File::options()
                .create(true)
                .append(true)
                .open(path)
                .with_context(|| format!("cannot write {}", path.display()))
        });
        let log = log.transpose()?;
        let (serving, announced) = mpsc::channel();
        let stdout = process.child().stdout.take().context("the host has no stdout")?;
        let stderr = process.child().stderr.take().context("the host has no stderr")?;
        let readers = [
            follow(stdout, sink(&log, std::io::stdout())?, tail.clone(), Some(serving)),
            follow(stderr, sink(&log, std::io::stderr())?, tail.clone(), None),
        ];
        let base_url = match await_announcement(&mut process, &announced) {
            Ok(base_url) => base_url,
            Err(error) => {
                process.kill_tree();
                // The last lines often have the reason: they are read to their end before they are shown.
                for reader in readers {
                    let _ = reader.join();
                }
                return Err(error.context(format!("the host did not start. Its last lines:\n{}", tail.text())));
            }
        };
        let mut host = Host { process, base_url, tail };
        host.await_port()?;
        Ok(host)
    }

    /// `http://ADDR`, with the port that it got.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The host's process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Whether the process still runs.
    pub fn is_running(&mut self) -> bool {
        self.process.exited().is_none()
    }

    /// The last lines that it wrote.
    pub fn last_lines(&self) -> String {
        self.tail.text()
    }

    /// `SIGKILL`, and waits until it is gone.
    pub fn kill(&mut self) {
        self.process.kill_tree();
    }

    /// `SIGSTOP`: connections stay open and nothing is answered.
    pub fn pause(&self) {
        self.process.pause_tree();
    }

    /// `SIGCONT` after [`Host::pause`].
    pub fn resume(&self) {
        self.process.resume_tree();
    }

    /// `SIGTERM`, waits, and kills what still runs. An error if it had died before: a test that ends with a
    /// dead host has found something.
    pub fn stop(&mut self) -> Result<()> {
        if let Some(status) = self.process.exited() {
            bail!("the host had ended by itself ({status}). Its last lines:\n{}", self.tail.text());
        }
        self.process.stop(Signal::SIGTERM, STOP_PATIENCE);
        Ok(())
    }

    fn await_port(&mut self) -> Result<()> {
        let address = self.base_url.trim_start_matches("http://");
        let address: SocketAddr = address.parse().with_context(|| format!("the host serves on {address}?"))?;
        let tail = self.tail.clone();
        let connects = || {
            TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
            Ok(())
        };
        crate::process::wait_until(&mut self.process, START_PATIENCE, connects)
            .map_err(|_| anyhow!("the host does not accept on {address}. Its last lines:\n{}", tail.text()))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.process.stop(Signal::SIGTERM, STOP_PATIENCE);
    }
}

fn command(options: &HostOptions, manifest: &Path) -> Result<Command> {
    let root = repository_root();
    let mut command = match options.runtime {
        Runtime::Embedded => {
            let program = host_binary();
            ensure!(program.is_file(), "the embedded host is not built; `cargo xtask build` builds it");
            Command::new(program)
        }
        Runtime::Spin => {
            let spin = spin_on_path().context("there is no spin 4.0 or newer on PATH; use `--runtime embedded`")?;
            editions::check(&spin, manifest)?;
            let mut command = Command::new(spin.program);
            command.arg("up");
            command
        }
    };
    std::fs::create_dir_all(&options.state_dir)
        .with_context(|| format!("cannot create {}", options.state_dir.display()))?;
    command.arg("--from").arg(manifest);
    command.arg("--listen").arg(&options.listen);
    command.arg("--state-dir").arg(options.state_dir.canonicalize()?);
    command.current_dir(&root);
    set_environment(&mut command, options, std::env::vars_os().map(|(name, _)| name));
    Ok(command)
}

/// Gives it what `options` say, and takes from it what it must not inherit.
fn set_environment(command: &mut Command, options: &HostOptions, inherited: impl Iterator<Item = OsString>) {
    let is_kept_back = |name: &OsString| NOT_INHERITED.iter().any(|prefix| name.to_string_lossy().starts_with(prefix));
    for name in inherited.filter(is_kept_back) {
        command.env_remove(name);
    }
    if let Some(authorities) = &options.authorities {
        command.env("SSL_CERT_FILE", authorities);
    }
    command.envs(&options.environment);
    for (name, value) in &options.variables {
        command.env(format!("SPIN_VARIABLE_{}", name.to_uppercase()), value);
    }
}

type Sink = Box<dyn Write + Send>;

fn sink(log: &Option<File>, ours: impl Write + Send + 'static) -> Result<Sink> {
    Ok(match log {
        Some(file) => Box::new(file.try_clone()?),
        None => Box::new(ours),
    })
}

/// Copies a stream line by line, keeps its end, and reports the address when it is announced.
fn follow(
    stream: impl Read + Send + 'static,
    mut sink: Sink,
    tail: Tail,
    mut serving: Option<mpsc::Sender<String>>,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        // Read to the end even if the sink fails: a full pipe would stop the host.
        while stream.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            let _ = sink.write_all(&line).and_then(|()| sink.flush());
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end();
            tail.push(text);
            if let Some(base_url) = announced_url(text)
                && let Some(serving) = serving.take()
            {
                let _ = serving.send(base_url);
            }
            line.clear();
        }
    })
}

/// The URL in `Serving http://ADDR`. Spin colours the first word on a terminal.
fn announced_url(line: &str) -> Option<String> {
    let (before, rest) = line.split_once("http://")?;
    let address = rest.split(|c: char| c.is_whitespace() || c.is_control()).next()?;
    (before.contains("Serving") && !address.is_empty()).then(|| format!("http://{address}"))
}

fn await_announcement(process: &mut Process, announced: &mpsc::Receiver<String>) -> Result<String> {
    let deadline = Instant::now() + START_PATIENCE;
    loop {
        match announced.recv_timeout(Duration::from_millis(50)) {
            Ok(base_url) => return Ok(base_url),
            // Its stdout is closed: it is ending, or prints no more.
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(Duration::from_millis(20)),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if let Some(status) = process.exited() {
            bail!("it ended early ({status})");
        }
        ensure!(Instant::now() < deadline, "it announced no address in {} s", START_PATIENCE.as_secs());
    }
}

/// The last lines of both streams, in the order in which they came.
#[derive(Clone, Default)]
struct Tail(Arc<Mutex<std::collections::VecDeque<String>>>);

impl Tail {
    fn push(&self, line: &str) {
        let mut lines = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if lines.len() == TAIL_LINES {
            lines.pop_front();
        }
        lines.push_back(line.to_owned());
    }

    fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_inherits_no_variable_of_the_application_and_no_collector() {
        let given = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let options = HostOptions {
            runtime: Runtime::Embedded,
            listen: String::new(),
            state_dir: PathBuf::new(),
            variables: given("log_level", "debug"),
            log: None,
            authorities: None,
            environment: given("OTEL_SERVICE_NAME", "of-the-test"),
        };
        let inherited = [
            "PATH",
            "SPIN_VARIABLE_LOG_LEVEL",
            "SPIN_VARIABLE_REDIS_URL",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "OTEL_SDK_DISABLED",
            "OTEL_SERVICE_NAME",
        ];
        let mut command = Command::new("host");
        set_environment(&mut command, &options, inherited.into_iter().map(OsString::from));
        // `None` is a variable that is not inherited.
        let changes: BTreeMap<_, _> =
            command.get_envs().map(|(name, value)| (name.to_str(), value.and_then(OsStr::to_str))).collect();
        let expected = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", None),
            ("OTEL_SDK_DISABLED", None),
            ("OTEL_SERVICE_NAME", Some("of-the-test")),
            ("SPIN_VARIABLE_LOG_LEVEL", Some("debug")),
            ("SPIN_VARIABLE_REDIS_URL", None),
        ];
        assert_eq!(changes, expected.map(|(name, value)| (Some(name), value)).into());
    }

    #[test]
    fn the_address_is_read_from_the_announcement_and_from_nothing_else() {
        let check = |line: &str, expected: Option<&str>| assert_eq!(announced_url(line).as_deref(), expected, "{line}");
        check("Serving http://127.0.0.1:3000", Some("http://127.0.0.1:3000"));
        check("\u{1b}[1mServing\u{1b}[0m http://[::1]:80", Some("http://[::1]:80"));
        check("  property-reads: http://127.0.0.1:3000/api/properties", None);
        check("Serving", None);
    }
}
