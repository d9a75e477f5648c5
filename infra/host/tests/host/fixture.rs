//! The component under test, and a host that runs it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::client::{Answer, Client};

/// A public component with grants, a private one without any, and one that no trigger names.
const MANIFEST: &str = r#"
spin_manifest_version = 2
[application]
name = "test"
[variables]
address = { default = "redis://127.0.0.1:1" }
word = { default = "default" }
[[trigger.http]]
route = "/..."
component = "front"
[[trigger.http]]
route = "/named/:first/part/:second_one"
component = "front"
[[trigger.http]]
route = "/sealed/..."
component = "sealed"
[[trigger.http]]
route = { private = true }
component = "back"
[component.front]
source = "GUEST"
allowed_outbound_hosts = ["{{ address }}", "postgres://127.0.0.1:1", "http://back.spin.internal", "http://absent.spin.internal", "http://127.0.0.1:*"]
key_value_stores = ["default"]
variables = { word = "<{{ word }}>" }
[component.back]
source = "GUEST"
allowed_outbound_hosts = ["http://front.spin.internal"]
[component.sealed]
source = "GUEST"
"#;

/// The component's wasm file, built on first use.
pub fn guest() -> &'static Path {
    static GUEST: OnceLock<PathBuf> = OnceLock::new();
    GUEST.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("fixtures");
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/guest/Cargo.toml");
        let build = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "--release", "--target", "wasm32-wasip2", "--manifest-path"])
            .arg(manifest)
            .arg("--target-dir")
            .arg(&target)
            .status()
            .expect("cargo can be started");
        assert!(build.success(), "the guest cannot be built: is the target wasm32-wasip2 installed?");
        target.join("wasm32-wasip2/release/guest.wasm")
    })
}

/// The manifest of the tests, with `changes` made in it.
pub fn manifest(changes: &[(&str, &str)]) -> String {
    let manifest = MANIFEST.replace("GUEST", &guest().display().to_string());
    changes.iter().fold(manifest, |manifest, (from, to)| {
        assert!(manifest.contains(from), "{from} is not in the manifest");
        manifest.replace(from, to)
    })
}

/// Lets the system choose the port.
pub const FREE_PORT: &str = "127.0.0.1:0";

/// A folder with `manifest` in it, and the command that runs the host there, with nothing else in its environment.
pub fn command(folder: &Path, manifest: &str, listen: &str) -> Command {
    std::fs::write(folder.join("spin.toml"), manifest).expect("the folder can be written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_edge-host"));
    command.current_dir(folder).env_clear().args(["--listen", listen]);
    command
}

/// Runs a host that is expected to end by itself.
pub fn run(mut command: Command) -> Output {
    command.output().expect("the host can be started")
}

/// A host that runs. Dropping it ends it at once.
pub struct Host {
    process: Child,
    address: SocketAddr,
    pub folder: TempDir,
}

impl Host {
    /// A host with the tests' manifest.
    pub fn start() -> Self {
        Self::start_with(&manifest(&[]), |_| {})
    }

    /// A host with the tests' manifest, shared with the other tests that run at this time: for those that leave nothing
    /// behind in it. The last of them ends it.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Host>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let host = shared.upgrade().unwrap_or_else(|| Arc::new(Self::start()));
        *shared = Arc::downgrade(&host);
        host
    }

    /// A host with another manifest, or with more arguments. It takes compiled components from earlier runs of the tests.
    pub fn start_with(manifest: &str, more: impl FnOnce(&mut Command)) -> Self {
        let compiled = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("compiled-components");
        Self::start_compiling(manifest, |host| {
            host.arg("--compile-cache").arg(compiled);
            more(host);
        })
    }

    /// [`Host::start_with`], but without a compile cache.
    pub fn start_compiling(manifest: &str, more: impl FnOnce(&mut Command)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = command(folder.path(), manifest, FREE_PORT);
        more(&mut command);
        let mut process = command.stdout(Stdio::piped()).spawn().expect("the host can be started");
        let mut lines = BufReader::new(process.stdout.take().expect("stdout is piped")).lines();
        let first = lines.next().expect("the host prints where it serves").expect("text");
        let address =
            first.strip_prefix("Serving http://").expect("the first line says it").parse().expect("an address");
        Self { process, address, folder }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn client(&self) -> Client {
        Client::connect(self.address)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.client().get(path)
    }

    /// What the component says to a body.
    #[track_caller]
    pub fn ask(&self, path: &str, body: &str) -> String {
        let answer = self.client().post(path, body);
        assert_eq!(answer.status, 200, "{path} {body}");
        answer.body
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        let kill = Command::new("kill").arg("-TERM").arg(self.process.id().to_string()).status();
        assert!(kill.expect("kill can be started").success());
    }

    /// Waits for the host to end by itself.
    pub fn wait(&mut self) -> ExitStatus {
        wait_for(|| self.process.try_wait().expect("the host is our child"), "the host ends")
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Asks again and again until there is an answer.
#[track_caller]
pub fn wait_for<T>(mut ask: impl FnMut() -> Option<T>, what: &str) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
