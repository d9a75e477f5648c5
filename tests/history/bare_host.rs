//! The embedded host on another manifest than the repository's.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result};

/// Four components are compiled at the start, on a busy machine.
const START_PATIENCE: Duration = Duration::from_secs(120);

/// A host. Dropping it kills it.
pub struct BareHost {
    child: Child,
    base_url: String,
}

impl BareHost {
    /// Starts it and waits until it says where it serves.
    pub fn start(
        manifest: &Path,
        state_dir: &Path,
        variables: &BTreeMap<String, String>,
        log: &Path,
    ) -> Result<BareHost> {
        let mut command = Command::new(stack::host_binary());
        command.arg("--from").arg(manifest).args(["--listen", "127.0.0.1:0"]).arg("--state-dir").arg(state_dir);
        command.arg("--compile-cache").arg(stack::compile_cache());
        command.envs(variables.iter().map(|(name, value)| (format!("SPIN_VARIABLE_{}", name.to_uppercase()), value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(log)?);
        let mut child = command.spawn().context("the embedded host cannot be started")?;
        let stdout = child.stdout.take();
        // From here on it is killed however this ends.
        let mut host = BareHost { child, base_url: String::new() };
        let (announce, announced) = mpsc::channel();
        let stdout = BufReader::new(stdout.context("it has a standard output")?);
        std::thread::spawn(move || follow(stdout, &announce));
        let waited = announced.recv_timeout(START_PATIENCE);
        host.base_url = waited.with_context(|| format!("it did not serve: see {}", log.display()))?;
        Ok(host)
    }

    /// `http://127.0.0.1:PORT`
    pub fn base_url(&self) -> &str {
        &self.base_url
    }
}

/// Read to the end: a full pipe would stop the host.
fn follow(stdout: BufReader<impl Read>, announce: &mpsc::Sender<String>) {
    for line in stdout.lines().map_while(Result::ok) {
        if let Some(url) = line.strip_prefix("Serving ") {
            let _ = announce.send(url.trim().to_owned());
        }
    }
}

impl Drop for BareHost {
    fn drop(&mut self) {
        // Fails only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
