//! `cargo xtask up --regions N`: one PostgreSQL, and for each region a standby of it, a Redis and a host.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use stack::{AUDIENCE, Host, HostOptions, ISSUER, Postgres, Region, Runtime, TokenRequest};
use ureq::Agent;

use super::{DATABASE, LOG, STATE, TOKEN_TTL_SECONDS, free_address};
use crate::dev::Dev;
use crate::shell::{check_interrupted, interrupted, say};
use crate::{demo, migrate, report};

/// The header that carries a session from one region to the other.
const SESSION: &str = "RentTracker-Session";
/// What the property has that is written in one region and read in the other.
const STREET: &str = "Ocean Street";

/// How it is started.
struct Options<'a> {
    /// Where the servers keep what they have.
    folder: &'a Path,
    runtime: Runtime,
    /// Where each region serves.
    addresses: Vec<SocketAddr>,
    /// How many properties each landlord of the demo gets.
    demo: u32,
    jwt_secret: String,
    /// Of the role that the components log in as.
    database_password: String,
    /// Variables of all hosts, which come before ours.
    variables: BTreeMap<String, String>,
}

/// Everything that runs, in the order in which it is stopped.
struct Regions {
    hosts: Vec<Host>,
    servers: Vec<Region>,
    primary: Postgres,
    jwt_secret: String,
}

/// So many addresses to serve on, one behind the other, if all are free.
pub fn free_addresses(listen: &str, count: u16) -> Result<Vec<SocketAddr>> {
    let first = free_address(listen)?;
    let address = |number| {
        let port = first.port().checked_add(number).context("there are not as many ports behind the first")?;
        free_address(&SocketAddr::new(first.ip(), port).to_string())
    };
    (0..count).map(address).collect()
}

impl Regions {
    fn start(options: &Options) -> Result<Regions> {
        say("starting PostgreSQL");
        let primary = Postgres::start(&options.folder.join("postgres")).context("PostgreSQL did not start")?;
        primary.ensure_database(DATABASE)?;
        let database_url = primary.url(DATABASE);
        report::tell(migrate::apply(&database_url).context("the schema could not be brought up to date")?)?;
        demo::seed(&database_url, options.demo)?;
        let login_url = stack::ensure_login(&database_url, &options.database_password)?;
        let session_key = stack::session_key()?;
        let mut regions =
            Regions { hosts: Vec::new(), servers: Vec::new(), primary, jwt_secret: options.jwt_secret.clone() };
        for (number, address) in (1..).zip(&options.addresses) {
            check_interrupted()?;
            let name = format!("region-{number}");
            say(format!("starting {name}: a standby, a Redis and a host ({})", options.runtime.name()));
            let folder = options.folder.join(&name);
            // Its Redis begins empty, and the key-value store describes one that is gone.
            let _ = std::fs::remove_dir_all(folder.join(STATE));
            std::fs::create_dir_all(&folder)?;
            let _ = std::fs::remove_file(folder.join(LOG));
            let region = Region::start(&name, &folder, &regions.primary, regions.primary.port())?;
            let mut variables = options.variables.clone();
            variables.extend(stack::variables(&region.redis.url(), &login_url, &options.jwt_secret));
            variables.extend(region.variables(&login_url, &session_key)?);
            regions.servers.push(region);
            let host = HostOptions {
                runtime: options.runtime,
                listen: address.to_string(),
                state_dir: folder.join(STATE),
                variables,
                log: Some(folder.join(LOG)),
                authorities: None,
                environment: BTreeMap::new(),
            };
            let arguments = stack::LONG_REUSE.map(OsStr::new);
            regions.hosts.push(Host::start_with(host, &options.runtime.manifest(), &arguments)?);
        }
        Ok(regions)
    }

    fn token(&self) -> Result<String> {
        stack::token(&TokenRequest {
            secret: &self.jwt_secret,
            issuer: ISSUER,
            audience: AUDIENCE,
            tenant: demo::TENANTS[0],
            role: None,
            ttl_seconds: TOKEN_TTL_SECONDS,
        })
    }

    /// Where the one writes and the other reads.
    fn ends(&self) -> Result<(&str, &str)> {
        let [first, .., last] = self.hosts.as_slice() else { bail!("there is one region alone") };
        Ok((first.base_url(), last.base_url()))
    }

    /// What is said once all serve.
    fn announcement(&self, folder: &Path) -> Result<String> {
        let mut text = String::new();
        for (region, host) in self.servers.iter().zip(&self.hosts) {
            text += &format!("\n{} serves on {}", region.name, host.base_url());
        }
        let (write, read) = self.ends()?;
        let (token, query) = (self.token()?, STREET.replace(' ', "%20"));
        text += &format!(
            "\n\nWrite in one region, and keep the session's token:\n\
             \x20 TOKEN={token}\n\
             \x20 SESSION=$(curl -s -o /dev/null -D - -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' \
             -d '{{\"address\":\"1 {STREET}\"}}' {write}/api/properties | sed -n 's/^{SESSION}: *//Ip' | tr -d '\\r')\n\
             \nRead in the other: with the token it shows the write at once, without it within a second:\n\
             \x20 curl -i -H \"Authorization: Bearer $TOKEN\" -H \"{SESSION}: $SESSION\" \
             '{read}/api/properties?searchTerm={query}&pageSize=1'\n\
             \nEach region's log is {}/region-N/{LOG}. Ctrl-C stops everything.",
            folder.display()
        );
        Ok(text)
    }

    /// An error when one has ended by itself.
    fn look(&mut self) -> Result<()> {
        for (region, host) in self.servers.iter_mut().zip(&mut self.hosts) {
            ensure!(
                host.is_running(),
                "the host of {} ended by itself. Its last lines:\n{}",
                region.name,
                host.last_lines()
            );
            ensure!(region.redis.is_running(), "the Redis of {} has ended", region.name);
            ensure!(region.standby.is_running(), "the standby of {} has ended", region.name);
        }
        ensure!(self.primary.is_running(), "PostgreSQL has ended");
        Ok(())
    }
}

/// Serves until we are asked to stop. Everything that it starts is below `.dev/regions`.
pub fn serve(dev: &Dev, runtime: Runtime, addresses: Vec<SocketAddr>, demo: u32) -> Result<()> {
    let folder = dev.path("regions");
    std::fs::create_dir_all(&folder)?;
    let (jwt_secret, database_password) = (dev.jwt_secret()?, dev.database_password()?);
    let variables = super::variables_from_environment();
    let options = Options { folder: &folder, runtime, addresses, demo, jwt_secret, database_password, variables };
    let mut regions = match Regions::start(&options) {
        Ok(regions) => regions,
        Err(_) if interrupted() => return Ok(()),
        Err(error) => return Err(error),
    };
    println!("{}", regions.announcement(&folder)?);
    let ended = watch(&mut regions);
    say("stopping");
    ended
}

/// Until we are asked to stop, or something ends.
fn watch(regions: &mut Regions) -> Result<()> {
    while !interrupted() {
        std::thread::sleep(super::POLL);
        regions.look()?;
    }
    Ok(())
}

/// What is announced, done: a write in one region is read in the other by whoever carries its token, and every region serves.
pub fn rehearse(runtime: Runtime) -> Result<()> {
    /// As many as the guide has.
    const REGIONS: usize = 2;
    /// For a cache to be used, on a busy machine.
    const PATIENCE: Duration = Duration::from_secs(30);
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    let folder = tempfile::Builder::new().prefix("renttracker-regions-").permissions(open).tempdir()?;
    let addresses = vec![([127, 0, 0, 1], 0).into(); REGIONS];
    // A disk that is busy with what was built and tested before is no outage.
    let variables = [("database_timeout_ms", "10000"), ("redis_timeout_ms", "500")];
    let mut regions = Regions::start(&Options {
        folder: folder.path(),
        runtime,
        addresses,
        demo: 2,
        jwt_secret: stack::random_secret()?,
        database_password: stack::random_secret()?,
        variables: variables.map(|(name, value)| (name.into(), value.into())).into(),
    })?;
    let announced = regions.announcement(folder.path())?;
    let (token, (write, read)) = (format!("Bearer {}", regions.token()?), regions.ends()?);
    ensure!(announced.contains(write) && announced.contains(read), "an address is missing: {announced}");
    let agent: Agent = Agent::config_builder().http_status_as_error(false).build().into();
    let list = || agent.get(format!("{read}/api/properties?pageSize=50")).header("Authorization", &token);
    let begun = Instant::now();
    while !list().call()?.headers().get("cache-status").is_some_and(|status| status.as_bytes().ends_with(b"hit")) {
        ensure!(begun.elapsed() < PATIENCE, "the cache of the other region is not used");
        std::thread::sleep(super::POLL);
    }
    for number in 1..=20 {
        let address = format!("{number} {STREET}");
        let body = serde_json::json!({ "address": address }).to_string();
        let request = agent.post(format!("{write}/api/properties")).header("Authorization", &token);
        let written = request.header("Content-Type", "application/json").send(body)?;
        ensure!(written.status() == 201, "the write is answered {}", written.status());
        let session = written.headers().get(SESSION).context("the write's answer has no token of its session")?;
        // The same page each time: without the token it is a hit, from before the write.
        let text = list().header(SESSION, session).call()?.body_mut().read_to_string()?;
        ensure!(text.contains(&address), "the other region does not show {address}: {text}");
    }
    regions.look()?;
    say("20 writes in one region were read in the other at once");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_serve_on_one_port_behind_the_other() {
        let free = stack::free_port().expect("a port");
        let addresses = free_addresses(&format!("127.0.0.1:{free}"), 2);
        // Another process may have taken the second.
        if let Ok(addresses) = addresses {
            assert_eq!(addresses.iter().map(SocketAddr::port).collect::<Vec<_>>(), [free, free + 1]);
        }
        assert!(free_addresses("127.0.0.1:65535", 2).is_err());
    }
}
