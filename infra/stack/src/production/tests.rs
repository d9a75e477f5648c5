//! Each file of `infra/redis`, loaded by the program that it is for, with TLS and users: only folders and ports differ.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::{path, read};
use crate::ports::free_port;
use crate::process::{Process, find_on_path, wait_until};
use crate::redis;

const PATIENCE: Duration = Duration::from_secs(30);
const PASSWORD: &str = "a password of the tests";

/// `/etc/redis` and `/var/lib/redis` of a machine.
struct Machine {
    folder: TempDir,
    port: u16,
}

impl Machine {
    fn new() -> Machine {
        let machine =
            Machine { folder: tempfile::tempdir().expect("a folder"), port: free_port().expect("a free port") };
        let tls = machine.path("etc/tls");
        fs::create_dir_all(&tls).expect("a folder");
        fs::create_dir_all(machine.path("data")).expect("a folder");
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        for (name, text) in [
            ("ca.crt", certificate.clone()),
            ("redis.crt", certificate.clone()),
            ("redis.key", key.clone()),
            ("haproxy.pem", certificate + &key),
        ] {
            fs::write(tls.join(name), text).expect("written");
        }
        machine
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a file where it belongs.
    fn install(&self, name: &str) -> String {
        let text = read(name).expect("a file of infra/redis");
        let (etc, data) = (self.path("etc"), self.path("data"));
        let text = text
            .replace("/etc/redis", &etc.display().to_string())
            .replace("/var/lib/redis", &data.display().to_string())
            .replace("bind * -::*", "bind 127.0.0.1")
            .replace("tls-port 6379\n", &format!("tls-port {}\n", self.port))
            .replace("tls-port 26379\n", &format!("tls-port {}\n", self.port));
        let file = etc.join(name);
        fs::write(&file, text).expect("written");
        file.display().to_string()
    }

    fn cli(&self, options: &[&str]) -> Output {
        let mut command = Command::new("redis-cli");
        command.args(["-e", "-p", &self.port.to_string(), "--tls", "--cacert"]).arg(self.path("etc/tls/ca.crt"));
        command.env("REDISCLI_AUTH", PASSWORD);
        command.args(options).output().expect("redis-cli")
    }

    fn start(&self, arguments: &[&str], probe: &[&str]) -> Process {
        let log = fs::File::create(self.path("log")).expect("a log");
        let mut command = Command::new(redis::program().expect("redis-server"));
        command.args(arguments).stdout(log.try_clone().expect("a log")).stderr(log);
        let mut process = Process::spawn(command, Signal::SIGKILL).expect("started");
        let answers = || {
            let output = self.cli(probe);
            anyhow::ensure!(output.status.success(), "{}", text(&output));
            Ok(())
        };
        let ready = wait_until(&mut process, PATIENCE, answers);
        ready.unwrap_or_else(|error| panic!("{:#}", error.into_error(arguments[0], &self.path("log"))));
        process
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn start_redis(machine: &Machine) -> Process {
    let file = machine.install("redis.conf");
    fs::write(machine.path("etc/users.acl"), users()).expect("written");
    fs::write(machine.path("etc/secrets.conf"), format!("masterauth \"{PASSWORD}\"\n")).expect("written");
    machine.start(&[&file], &["--user", "operator", "PING"])
}

/// The users of the servers, and an operator.
fn users() -> String {
    let operator = format!("user operator on #{} ~* &* +@all\n", sha256(PASSWORD));
    format!("user default off\n{operator}{}", read("servers.acl").expect("servers.acl"))
}

fn sha256(text: &str) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn redis_loads_redis_conf_with_tls_and_users() {
    let machine = Machine::new();
    let _redis = start_redis(&machine);
    let ask = |words: &[&str]| text(&machine.cli(&[&["--user", "operator"], words].concat()));
    for (name, value) in [
        ("maxmemory", "2147483648"),
        ("maxmemory-policy", "noeviction"),
        ("save", "900 1"),
        ("appendonly", "yes"),
        ("appendfsync", "everysec"),
        ("client-output-buffer-limit", "normal 8388608 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"),
        ("port", "0"),
        ("masteruser", "replica"),
    ] {
        assert_eq!(ask(&["CONFIG", "GET", name]).lines().nth(1), Some(value), "{name}");
    }
    for command in ["FLUSHALL", "FLUSHDB", "KEYS", "SWAPDB", "RESTORE", "MIGRATE"] {
        assert!(ask(&[command, "a"]).contains("unknown command"), "{command} is there");
    }
    for command in [&["DEBUG", "SLEEP", "0"][..], &["MODULE", "LOAD", "x"], &["CONFIG", "SET", "dir", "/"]] {
        assert!(ask(command).contains("ERR"), "{command:?} is there");
    }
    // Without a password, and without TLS.
    assert!(text(&machine.cli(&["--user", "nobody", "PING"])).contains("WRONGPASS"));
    assert!(redis::info(machine.port, None, "server").is_err());
}

#[test]
fn each_server_may_do_what_it_is_for_and_nothing_else() {
    let machine = Machine::new();
    let _redis = start_redis(&machine);
    let may = |user: &str, command: &str| {
        let mut words = vec!["--user", "operator", "ACL", "DRYRUN", user];
        words.extend(command.split(' '));
        text(&machine.cli(&words)).trim() == "OK"
    };
    for (user, allowed) in [
        ("replica", &["PING", "REPLCONF listening-port 6379", "PSYNC ? -1"][..]),
        (
            "sentinel",
            &["INFO", "PING", "REPLICAOF NO ONE", "SLAVEOF NO ONE", "CONFIG REWRITE", "CLIENT KILL TYPE normal"],
        ),
        ("sentinel", &["MULTI", "EXEC", "PUBLISH __sentinel__:hello x", "SUBSCRIBE __sentinel__:hello", "ROLE"]),
        ("haproxy", &["INFO replication"]),
        (
            "backup",
            &["PSYNC ? -1", "SYNC", "REPLCONF rdb-only 1", "DBSIZE", "EVAL_RO x 1 a", "SCAN 0", "GET a", "HGETALL a"],
        ),
        ("backup", &["ROLE", "PUBSUB NUMSUB __sentinel__:hello"]),
    ] {
        for command in allowed {
            assert!(may(user, command), "{user} may not {command}");
        }
    }
    for user in ["replica", "sentinel", "haproxy", "backup"] {
        for command in ["SET a b", "DEL a", "CONFIG SET maxmemory 1", "CONFIG GET *", "ACL LIST", "SHUTDOWN", "MONITOR"]
        {
            assert!(!may(user, command), "{user} may {command}");
        }
    }
    for user in ["replica", "sentinel", "haproxy"] {
        assert!(!may(user, "GET a"), "{user} may read");
    }
    // None of them has a password yet, so none gets in.
    assert!(text(&machine.cli(&["--user", "backup", "PING"])).contains("WRONGPASS"));
}

#[test]
fn sentinel_loads_sentinel_conf_and_talks_only_to_those_who_have_a_certificate() {
    let machine = Machine::new();
    let file = machine.install("sentinel.conf");
    let tls = machine.path("etc/tls");
    let (certificate, key) = (tls.join("redis.crt").display().to_string(), tls.join("redis.key").display().to_string());
    let with = |words: &[&'static str]| {
        let mut all = vec!["--no-auth-warning", "--cert", &certificate, "--key", &key];
        all.extend(words);
        all.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let probe = with(&["SENTINEL", "get-master-addr-by-name", "renttracker"]);
    let probe: Vec<&str> = probe.iter().map(String::as_str).collect();
    let _sentinel = machine.start(&[&file, "--sentinel"], &probe);
    assert!(text(&machine.cli(&probe)).contains("10.0.0.11"));
    assert!(!machine.cli(&["PING"]).status.success(), "a Sentinel talks to everybody");
}

#[test]
fn haproxy_takes_haproxy_cfg() {
    let machine = Machine::new();
    let file = machine.install("haproxy.cfg");
    let mut command = Command::new(find_on_path("haproxy").expect("haproxy is installed"));
    command.args(["-c", "-f", &file]);
    for name in ["LISTEN", "1", "2"] {
        command.env(format!("REDIS_{name}"), "127.0.0.1:6379");
    }
    for number in 1..=3 {
        command.env(format!("SENTINEL_{number}"), "127.0.0.1:26379").env(format!("MASTER_{number}"), "10.0.0.11");
    }
    command.env("REDIS_CHECK_USER", "haproxy").env("REDIS_CHECK_PASSWORD", "x");
    let output = command.output().expect("haproxy");
    assert!(output.status.success(), "{}", text(&output));
    assert!(!text(&output).contains("WARNING"), "{}", text(&output));
}

#[test]
fn haproxy_takes_the_file_of_the_front_server() {
    let machine = Machine::new();
    let text =
        fs::read_to_string(crate::repository_root().join("infra/deploy/one-machine/haproxy.cfg")).expect("the file");
    let certificate = machine.path("etc/tls/haproxy.pem").display().to_string();
    let file = machine.path("etc/front.cfg");
    fs::write(&file, text.replace("/etc/haproxy/renttracker.pem", &certificate)).expect("written");
    let mut command = Command::new(find_on_path("haproxy").expect("haproxy is installed"));
    command.arg("-c").arg("-f").arg(&file);
    command.env("API_LISTEN", "127.0.0.1:8443").env("API_HOST", "api.example").env("SPIN", "127.0.0.1:3000");
    let output = command.output().expect("haproxy");
    assert!(output.status.success() && !self::text(&output).contains("WARNING"), "{}", self::text(&output));
}

#[test]
fn every_file_that_the_guide_names_is_there() {
    let folder = path("");
    let guide = fs::read_to_string(folder.join("README.md")).expect("the guide");
    let files: Vec<String> = fs::read_dir(&folder)
        .expect("infra/redis")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| Path::new(name).extension().is_some_and(|it| it != "md"))
        .collect();
    for file in files {
        assert!(guide.contains(&format!("| `{file}` |")), "{file} is not in the guide");
    }
}
