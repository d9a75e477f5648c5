//! Redis as it should stand where others can reach it: TLS, `infra/redis/users.acl`, passwords.

use std::fmt::Write as _;
use std::path::PathBuf;

use sha2::{Digest, Sha256};
use stack::{Login, Redis};

use super::certificates::Certificates;
use super::scratch;

/// The passwords of a test, each used for the one user.
const OPERATOR: &str = "an-operators-password";
/// The components'.
pub const COMPONENTS: &str = "the-components-password";

/// A Redis that speaks TLS to the components, and to the test, as `operator`, on a port of its own without.
pub struct Secured {
    /// The server.
    pub redis: Redis,
    /// Where the components reach it.
    pub tls_port: u16,
    /// What vouches for it.
    pub certificates: Certificates,
}

impl Secured {
    /// With a certificate for this name or address.
    pub fn start(server_name: &str) -> Secured {
        let folder = scratch("redis");
        let certificates = Certificates::new(&folder, server_name);
        let path = |path: &PathBuf| path.to_str().expect("UTF-8").to_owned();
        let tls_port = stack::free_port().expect("a port");
        let users = folder.join("users.acl");
        std::fs::write(&users, with_passwords(&committed())).expect("written");
        let options = [
            ("--aclfile", path(&users)),
            ("--tls-port", tls_port.to_string()),
            ("--tls-cert-file", path(&certificates.server)),
            ("--tls-key-file", path(&certificates.key)),
            ("--tls-ca-cert-file", path(&certificates.authority)),
            ("--tls-auth-clients", "no".into()),
            // So that it is the file that refuses them.
            ("--enable-debug-command", "yes".into()),
            ("--enable-module-command", "yes".into()),
        ];
        let options: Vec<&str> = options.iter().flat_map(|(name, value)| [*name, value.as_str()]).collect();
        let login = Login { user: "operator".into(), password: OPERATOR.into() };
        let redis = Redis::start_for(login, &folder, &options).expect("Redis starts");
        Secured { redis, tls_port, certificates }
    }
}

/// `infra/redis/users.acl`
pub fn committed() -> String {
    std::fs::read_to_string(stack::repository_root().join("infra/redis/users.acl")).expect("the users")
}

/// What the README has a deployment do: append `#` and the hash of a password to a user's line.
fn with_passwords(users: &str) -> String {
    let password = |line: &str| match line.split_whitespace().nth(1) {
        Some("operator") => Some(OPERATOR),
        Some("renttracker") => Some(COMPONENTS),
        _ => None,
    };
    users.lines().fold(String::new(), |mut text, line| {
        text.push_str(line);
        if let Some(password) = password(line) {
            text.push_str(" #");
            Sha256::digest(password).iter().for_each(|byte| write!(text, "{byte:02x}").expect("to a text"));
        }
        text + "\n"
    })
}
