//! What is unsafe, and how to mend it. Pure: a test shows each rule that passes a good setting and refuses a bad one.

mod outbound;
mod secrets;

use serde::Serialize;

use super::Target;
use super::address::Address;
use super::advisories;
use super::settings::{Settings, Store};
use secrets::weakness;

/// A password that is guessed offline from a copied ACL file or a captured handshake: 16 random characters are out of reach.
const MIN_PASSWORD: usize = 16;
/// The superusers of managed services and images.
const ALMIGHTY: [&str; 10] = [
    "postgres",
    "root",
    "admin",
    "administrator",
    "rdsadmin",
    "cloudsqlsuperuser",
    "azure_superuser",
    "doadmin",
    "avnadmin",
    "pgadmin",
];
/// The group that the migrations make; who logs in is a member of it.
const GROUP_ROLE: &str = "renttracker_app";
const REDIS_PORT: u16 = 6379;
const HTTPS_PORT: u16 = 443;
const HTTP_PORT: u16 = 80;
const POSTGRES_PORT: u16 = 5432;
/// The manifest of the application. Its image is one's own, under the name of a release.
const APP_FILE: &str = "app.yaml";
/// SHA-256 in hexadecimal.
const DIGEST_DIGITS: usize = 64;

/// One thing that is not safe.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The variable or file.
    pub what: String,
    /// What is wrong with it. No secret is ever repeated.
    pub problem: String,
    /// What to do.
    pub mend: String,
}

/// Everything that is not safe.
pub fn findings(settings: &Settings) -> Vec<Finding> {
    let mut found = Findings(Vec::new());
    names(settings, &mut found);
    files(settings, &mut found);
    secrets::tokens(settings, &mut found);
    secrets::seal(settings, &mut found);
    secrets::session(settings, &mut found);
    redis(settings, &mut found);
    database(settings, "database_url", "database_address", &mut found);
    database(settings, "database_read_url", "database_read_address", &mut found);
    cors(settings, &mut found);
    outbound::webhook(settings, &mut found);
    outbound::origin(settings, &mut found);
    store(settings, &mut found);
    manifest(settings, &mut found);
    images(settings, &mut found);
    found.0
}

struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, what: impl Into<String>, problem: impl Into<String>, mend: impl Into<String>) {
        self.0.push(Finding { what: what.into(), problem: problem.into(), mend: mend.into() });
    }
}

fn names(settings: &Settings, found: &mut Findings) {
    for (name, value) in &settings.variables {
        if !settings.declared.names.contains(name) {
            found.add(name, "is no variable of the application", "correct its spelling, or take it out");
        } else if value.contains('<') && value.contains('>') {
            found.add(name, "still has the example's placeholder", "put the real value there");
        }
    }
    for name in &settings.declared.required {
        if settings.variable(name).is_empty() {
            found.add(name, "is not set, and has no default", "set it");
        }
    }
}

fn files(settings: &Settings, found: &mut Findings) {
    for (file, mode) in &settings.secret_files {
        if mode & 0o077 != 0 {
            found.add(file, format!("can be read by others (mode {:03o})", mode & 0o777), format!("chmod 600 {file}"));
        }
    }
}

/// Where a server is; that a variable is not set has been said.
fn server(settings: &Settings, name: &str, example: &str, found: &mut Findings) -> Option<Address> {
    let url = settings.variable(name);
    let address = Address::parse(url);
    if address.is_none() && !url.is_empty() {
        found.add(name, "is no URL", example);
    }
    address
}

fn redis(settings: &Settings, found: &mut Findings) {
    let Some(address) = server(settings, "redis_url", "rediss://USER:PASSWORD@HOST:PORT", found) else {
        return;
    };
    if ["http", "https"].contains(&address.scheme()) {
        return redis_by_rest(settings, &address, found);
    }
    if address.endpoint(REDIS_PORT).0.ends_with(".upstash.io") {
        found.add(
            "redis_url",
            "reaches Upstash by a connection, where any replica may answer a read, however far it is behind",
            "use the database's https:// address, and its token as redis_token",
        );
        return same_endpoint(settings, "redis_address", &address, REDIS_PORT, found);
    }
    if address.scheme() == "redis" && address.is_off_host() {
        found.add(
            "redis_url",
            "reaches another machine without TLS",
            "use rediss:// and the TLS port of infra/redis/redis.conf",
        );
    }
    if address.fragment() == Some("insecure") {
        found.add(
            "redis_url",
            "takes any certificate for Redis's",
            "take #insecure away, and trust the certificate's issuer",
        );
    }
    if ["", "default"].contains(&address.user()) {
        found.add(
            "redis_url",
            "logs in as the default user, who may do anything",
            "name the application's user of infra/redis/users.acl, and switch the default user off there",
        );
    }
    if let Some(problem) = weakness(address.password(), MIN_PASSWORD) {
        found.add("redis_url", format!("the password {problem}"), "openssl rand -hex 24, there and in users.acl");
    }
    same_endpoint(settings, "redis_address", &address, REDIS_PORT, found);
}

/// Upstash's REST protocol: its token opens the whole database.
fn redis_by_rest(settings: &Settings, address: &Address, found: &mut Findings) {
    if address.scheme() == "http" && address.is_off_host() {
        found.add("redis_url", "sends redis_token to another machine without TLS", "use the https:// address");
    }
    let mend = "copy the database's standard token, or make one for a user of its own: ACL RESTTOKEN";
    match settings.variable("redis_token") {
        "" => found.add("redis_token", "is not set, and redis_url begins with https://", mend),
        token => {
            if let Some(problem) = weakness(token, MIN_PASSWORD) {
                found.add("redis_token", problem, mend);
            }
        }
    }
    let port = if address.scheme() == "https" { HTTPS_PORT } else { HTTP_PORT };
    same_endpoint(settings, "redis_address", address, port, found);
}

/// The primary, or the standby of a region: the same rows, and the same role.
fn database(settings: &Settings, url: &str, its_address: &str, found: &mut Findings) {
    let example = "postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=require";
    let Some(address) = server(settings, url, example, found) else {
        return;
    };
    // Spin takes `prefer` where nothing is said, and then goes on without TLS if the server, or who is between, has none.
    if address.is_off_host() && address.option("sslmode").as_deref() != Some("require") {
        found.add(url, "may reach another machine without TLS", "add ?sslmode=require");
    }
    let user = address.user();
    let mend = "log in as a role of its own that is a member of renttracker_app and owns nothing: \
                CREATE ROLE renttracker_edge LOGIN PASSWORD '…' IN ROLE renttracker_app";
    if ALMIGHTY.contains(&user) {
        found.add(url, format!("logs in as {user:?}, which row level security does not bind"), mend);
    } else if user.is_empty() {
        found.add(url, "names no role", mend);
    } else if user == GROUP_ROLE {
        found.add(url, format!("logs in as the group {GROUP_ROLE}, which cannot log in"), mend);
    } else if user.ends_with("owner") || user.contains("migrat") {
        found.add(url, format!("logs in as {user:?}, which by its name owns the tables"), mend);
    }
    if let Some(problem) = weakness(address.password(), MIN_PASSWORD) {
        found.add(url, format!("the password {problem}"), "openssl rand -hex 24, and ALTER ROLE … PASSWORD");
    }
    if settings.variable(its_address).is_empty() && !settings.declared.required.contains(its_address) {
        found.add(its_address, format!("is not set, and {url} is"), "set it to scheme://host:port");
    }
    same_endpoint(settings, its_address, &address, POSTGRES_PORT, found);
}

/// The components may connect to the address alone: if it is another than the URL's, every request fails.
fn same_endpoint(settings: &Settings, name: &str, url: &Address, port: u16, found: &mut Findings) {
    let text = settings.variable(name);
    if text.is_empty() {
        return;
    }
    let is_same = Address::parse(text).is_some_and(|it| {
        it.scheme() == url.scheme() && it.endpoint(port) == url.endpoint(port) && it.user().is_empty()
    });
    if !is_same {
        let (host, port) = url.endpoint(port);
        found.add(name, "is not where the URL leads", format!("{name}={}://{host}:{port}", url.scheme()));
    }
}

fn cors(settings: &Settings, found: &mut Findings) {
    let name = "cors_allowed_origins";
    let Some(origins) = settings.variables.get(name) else {
        found.add(
            name,
            "is not set, and the default are the client's development origins",
            "name the client's origin, or set it empty",
        );
        return;
    };
    for origin in origins.split(',').map(str::trim).filter(|origin| !origin.is_empty()) {
        let Some(address) = Address::parse(origin).filter(|_| !origin.contains('*')) else {
            found.add(
                name,
                format!("allows {origin:?}: every site could act for a landlord who is logged in"),
                "name the client's origins",
            );
            continue;
        };
        if !address.is_off_host() {
            found.add(name, format!("allows {origin:?}: any program on a landlord's computer"), "take it out");
        } else if address.scheme() != "https" {
            found.add(name, format!("allows {origin:?}, whose pages can be changed on the way"), "use https://");
        }
    }
}

/// The breaker's record needs compare-and-swap, in one place for all hosts. PostgreSQL has it; what is left in the key-value store then
/// are counts and keys of tokens.
fn store(settings: &Settings, found: &mut Findings) {
    let name = "breaker_store";
    match settings.variable(name) {
        "database" => return,
        "" | "key-value" => {}
        _ => return found.add(name, "is neither key-value nor database", "take one of them"),
    }
    if settings.target == Target::Akamai {
        return found.add(
            name,
            "keeps the breaker's record in a key-value store without compare-and-swap, of which each region has a copy",
            "breaker_store=database",
        );
    }
    let Some(store) = &settings.store else {
        return;
    };
    let what = "runtime-config.toml";
    let Store { kind, path, consistent_read } = store;
    match (kind.as_str(), settings.target) {
        ("spin", Target::OneMachine) if !path.as_ref().is_some_and(|path| path.starts_with('/')) => found.add(
            what,
            "keeps the breaker's record in memory or in an unknown place: two processes would not share it",
            "path = \"/var/lib/renttracker/key-value.db\"",
        ),
        ("spin", Target::OneMachine) | ("azure_cosmos", _) => {}
        ("spin", _) => found.add(
            what,
            "gives each pod a store of its own, so that no pod learns of another's breaker",
            "take a store with compare-and-swap (aws_dynamo, azure_cosmos), or set breaker_store=database",
        ),
        ("aws_dynamo", _) if !consistent_read => {
            found.add(what, "reads the breaker's record as it may have been before", "consistent_read = true");
        }
        ("aws_dynamo", _) => {}
        ("redis", _) => found.add(
            what,
            "keeps the breaker's record in Redis, where Spin's compare-and-swap writes and then reports failure",
            "take aws_dynamo or azure_cosmos, on one machine spin (SQLite), or set breaker_store=database",
        ),
        (other, _) => found.add(
            what,
            format!("names a store that is not known: {other:?}"),
            "take one of spin, aws_dynamo, azure_cosmos",
        ),
    }
}

fn manifest(settings: &Settings, found: &mut Findings) {
    let Some(manifest) = &settings.manifest else {
        return;
    };
    let tag = manifest.image.rsplit_once('/').map_or("", |(_, name)| name);
    if tag.ends_with(":latest") || !tag.contains([':', '@']) {
        found.add(
            APP_FILE,
            "names no version of the image, so what runs is unknown and there is nothing to roll back to",
            "image: …:VERSION",
        );
    }
    if manifest.image.starts_with("registry.example/") {
        found.add(APP_FILE, "names the example's registry", "image: YOUR-REGISTRY/renttracker-edge:VERSION");
    }
    if manifest.locale.as_ref().is_some_and(|locale| ["C", "POSIX"].contains(&locale.as_str())) {
        found.add(
            "postgres.yaml",
            "makes a database in which only the letters of ASCII are letters: a search for others would not use its index",
            "localeCType: C.UTF-8, and localeCollate the same",
        );
    }
    for name in manifest.literal.intersection(&settings.declared.secret) {
        found.add(APP_FILE, format!("holds the secret {name} itself"), "valueFrom.secretKeyRef, as for the others");
    }
}

fn images(settings: &Settings, found: &mut Findings) {
    for (file, image) in &settings.images {
        if let Some((problem, mend)) = advisories::problem(image) {
            found.add(file, problem, mend);
        } else if file != APP_FILE && !has_digest(image) {
            found.add(
                file,
                format!("names no digest of {image:?}, so that another image may run under the same version"),
                "append @sha256:…, as `docker buildx imagetools inspect` shows it",
            );
        }
    }
}

/// A tag can be moved to another image, a digest cannot.
fn has_digest(image: &str) -> bool {
    let is_digit = |it: u8| matches!(it, b'0'..=b'9' | b'a'..=b'f');
    image
        .split_once("@sha256:")
        .is_some_and(|(_, digest)| digest.len() == DIGEST_DIGITS && digest.bytes().all(is_digit))
}

#[cfg(test)]
mod tests;
