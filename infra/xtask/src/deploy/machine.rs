//! A machine on which the guide's commands are carried out: a folder in place of `/`, and stand-ins for what only root and
//! systemd can do. What the commands say stays as it is; `/etc`, `/opt` and `/var` lie in the folder.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use stack::{Host, HostOptions, Runtime};

use super::read;
use crate::scene::Servers;

/// `systemctl` and `cargo xtask migrate` are carried out by us: a line on the third stream, and one back. What was built and
/// `redis backup` are this program's own. `sudo -u postgres` is the superuser of the database.
const STAND_INS: &str = r#"
exec 3>&1 >&2
order() { echo "$*" >&3; local answer; read -r answer; [ "$answer" = done ]; }
systemctl() { order systemctl "$@"; }
sudo() { [ "$1 $2" = "-u postgres" ] || return 1; shift 2; "$@"; }
cargo() {
    case "$1 $2" in
        "xtask build") ;;
        "xtask migrate") order migrate "$DATABASE_URL" ;;
        *) shift; "$XTASK" "$@" ;;
    esac
}
"#;
/// Where the guide has the application answer.
const ADDRESS: &str = "127.0.0.1:3000";

/// The machine.
pub struct Machine {
    /// What `systemctl` starts.
    host: Option<Host>,
    runtime: Runtime,
    pub servers: Servers,
    root: PathBuf,
    listen: String,
}

impl Machine {
    /// A machine on which the guide was followed up to the first release: Redis and PostgreSQL run, and `/etc` is filled.
    pub fn installed(runtime: Runtime, properties: u32, variables: &[(&str, String)]) -> Result<Machine> {
        let servers = Servers::start(properties)?;
        let root = servers.folder().join("root");
        for folder in ["etc/renttracker", "etc/redis", "opt/renttracker", "var/lib/renttracker", "var/backups"] {
            std::fs::create_dir_all(root.join(folder))?;
        }
        let write = |name: &str, text: String| std::fs::write(root.join("etc/renttracker").join(name), text);
        let mut all = servers.variables();
        all.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let line = |(name, value): (&String, &String)| format!("SPIN_VARIABLE_{}={value}\n", name.to_uppercase());
        write("renttracker.env", all.iter().map(line).collect())?;
        write("owner.env", format!("DATABASE_URL={}\n", servers.database_url()))?;
        write("redis-backup.env", format!("REDIS_URL={}\n", servers.redis.url()))?;
        // Redis reads its file again when it is restarted: it is the one in /etc.
        let (ours, theirs) = (servers.redis.dir().join("redis.conf"), root.join("etc/redis/redis.conf"));
        std::fs::rename(&ours, &theirs)?;
        symlink(&theirs, &ours)?;
        let listen = format!("127.0.0.1:{}", stack::free_port()?);
        Ok(Machine { host: None, runtime, servers, root, listen })
    }

    /// A file of the machine.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Where the application answers.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.listen)
    }

    /// Carries commands out in this checkout, as the release `release` in place of `previous`.
    pub fn carry_out(&mut self, commands: &str, checkout: &Path, release: &str, previous: &str) -> Result<()> {
        let mut script = self.here(commands);
        script.insert_str(0, STAND_INS);
        let mut command = Command::new("bash");
        command.args(["-euo", "pipefail", "-c", &script]).current_dir(checkout);
        command.env("RELEASE", release).env("PREVIOUS", previous).env("XTASK", this_program());
        command.envs(self.servers.database_environment()?);
        let log =
            std::fs::File::options().create(true).append(true).open(self.servers.folder().join("commands.log"))?;
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn()?;
        let (mut answers, orders) = (child.stdin.take().context("a pipe")?, child.stdout.take().context("a pipe")?);
        for order in BufReader::new(orders).lines() {
            let order = order?;
            let carried_out = self.obey(&order, checkout);
            writeln!(answers, "{}", if carried_out.is_ok() { "done" } else { "refused" })?;
            // The URL of a database has a password in it.
            carried_out.with_context(|| format!("`{}`", order.split(" postgres://").next().unwrap_or_default()))?;
        }
        let status = child.wait()?;
        let log = std::fs::read_to_string(self.servers.folder().join("commands.log"))?;
        ensure!(status.success(), "the commands failed ({status}):\n{commands}\nThey said:\n{log}");
        Ok(())
    }

    /// The commands as they are on this machine.
    fn here(&self, commands: &str) -> String {
        let root = self.root.display();
        let mut commands = commands.replace(ADDRESS, &self.listen).replace("-C / ", &format!("-C {root} "));
        for folder in ["etc", "opt", "var"] {
            commands = commands.replace(&format!(" /{folder}/"), &format!(" {root}/{folder}/"));
        }
        commands
    }

    fn obey(&mut self, order: &str, checkout: &Path) -> Result<()> {
        match order.split_once(' ') {
            Some(("systemctl", "restart redis-server")) => self.servers.redis.restart(),
            Some(("systemctl", "restart renttracker")) => self.restart(),
            Some(("migrate", url)) => stack::migrate_from(url, &checkout.join("infra/migrations")).map(drop),
            _ => bail!("unsupported command"),
        }
    }

    /// As `renttracker.service` says: what `current` leads to, with the variables of the environment file.
    fn restart(&mut self) -> Result<()> {
        if let Some(mut host) = self.host.take() {
            host.stop()?;
        }
        let variables = std::fs::read_to_string(self.path("etc/renttracker/renttracker.env"))?;
        let options = HostOptions {
            listen: self.listen.clone(),
            state_dir: self.path("var/lib/renttracker"),
            variables: read::variables(&variables)?,
            ..self.servers.options(self.runtime)
        };
        let manifest = self.path("opt/renttracker/current/spin.toml");
        self.host = Some(Host::start_with(options, &manifest, &stack::LONG_REUSE.map(OsStr::new))?);
        Ok(())
    }
}

/// This very program, even where a build has put another in its place since it was started: its name then leads to nothing.
fn this_program() -> String {
    format!("/proc/{}/exe", std::process::id())
}
