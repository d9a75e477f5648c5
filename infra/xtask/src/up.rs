//! `cargo xtask up`

mod plan;
mod regions;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use stack::{AUDIENCE, Collector, Edition, Host, HostOptions, ISSUER, Postgres, Redis, Runtime, TokenRequest};

use crate::dev::{Dev, Facts, Pids};
use crate::shell::{check_interrupted, interrupted, say};
use crate::tools::{Server, ensure_servers};
use crate::wasm::Toolchain;
use crate::{build, demo, migrate, report};
pub use regions::rehearse;

/// Where it serves, unless told otherwise.
pub const LISTEN: &str = "127.0.0.1:3000";
/// Below `.dev`: what the host writes, and where it keeps its key-value store and what each component writes, as Spin does.
pub const LOG: &str = "host.log";
pub const STATE: &str = "state";
const DATABASE: &str = "renttracker";
const POLL: Duration = Duration::from_millis(100);
/// Long enough for a day's work with the demo; `cargo xtask token` makes others.
const TOKEN_TTL_SECONDS: i64 = 24 * 60 * 60;
/// Who signs in to the console. No landlord: it has no rows.
const OPERATOR: &str = "operator";
/// The default of `redis_instance_name` in `spin.toml`.
const REDIS_INSTANCE_NAME: &str = "RentTracker_";

#[derive(Args)]
pub struct Up {
    /// What runs the components; auto takes a Spin of 4.0 or newer from PATH, else the embedded host
    #[arg(long, value_enum, default_value_t = RuntimeChoice::Auto)]
    runtime: RuntimeChoice,
    /// Where to serve
    #[arg(long, default_value = LISTEN)]
    listen: String,
    /// Use this Redis instead of starting one
    #[arg(long)]
    redis_url: Option<String>,
    /// Use this PostgreSQL database instead of starting one; it is migrated, and seeded with the demo
    #[arg(long)]
    database_url: Option<String>,
    /// How many properties each of the two demo tenants gets; 0 for no demo
    #[arg(long, default_value_t = 25, value_name = "N")]
    demo: u32,
    /// Start so many regions instead of one, each with a Redis, a standby of the one PostgreSQL and a host; the first at `--listen`,
    /// the others on the ports behind it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=9), conflicts_with_all = ["redis_url", "database_url", "otel"])]
    regions: Option<u16>,
    /// Print the trace of each request: start a collector of OpenTelemetry, and have the host send its spans there
    #[arg(long)]
    otel: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum RuntimeChoice {
    Auto,
    Embedded,
    Spin,
}

/// Everything that runs, in the order in which it is stopped.
struct Stack {
    host: Host,
    redis: Option<Redis>,
    postgres: Option<Postgres>,
    collector: Option<Collector>,
}

impl Up {
    pub fn run(self) -> Result<()> {
        // What can be refused is refused before the work that takes minutes.
        let runtime = self.runtime()?;
        self.check_urls()?;
        let dev = Dev::open()?;
        let _alone = dev.lock()?;
        // Left behind by one that was killed.
        dev.remove_facts();
        let addresses = regions::free_addresses(&self.listen, self.regions.unwrap_or(1))?;

        let servers = self.servers();
        let database = if self.regions.is_some() { "regions/postgres" } else { "postgres" };
        say(plan::plan(&servers, runtime, dev.path(database).exists())?);
        ensure_servers(&servers)?;
        let toolchain = Toolchain::ready()?;
        build::components(&toolchain, runtime.edition())?;
        if runtime == Runtime::Embedded {
            build::host()?;
        }

        if self.regions.is_some() {
            return regions::serve(&dev, runtime, addresses, self.demo);
        }
        let listen = *addresses.first().context("an address")?;
        let (mut stack, facts) = match self.start(&dev, runtime, listen) {
            Ok(started) => started,
            Err(_) if interrupted() => return Ok(()),
            Err(error) => return Err(error),
        };
        dev.write_facts(&facts)?;
        announce(&facts, self.demo)?;
        if self.otel {
            println!("{}", about_traces(runtime, runtime.edition()));
        }
        let ended = watch(&mut stack);
        say("stopping");
        dev.remove_facts();
        stack.stop();
        ended
    }

    fn runtime(&self) -> Result<Runtime> {
        match (self.runtime, stack::spin_on_path()) {
            (RuntimeChoice::Embedded, _) | (RuntimeChoice::Auto, None) => Ok(Runtime::Embedded),
            (RuntimeChoice::Auto | RuntimeChoice::Spin, Some(_)) => Ok(Runtime::Spin),
            (RuntimeChoice::Spin, None) => {
                bail!("there is no spin 4.0 or newer on PATH; install it, or leave `--runtime spin` out")
            }
        }
    }

    fn check_urls(&self) -> Result<()> {
        if let Some(url) = &self.redis_url {
            stack::redis_address(url).context("--redis-url cannot be used")?;
        }
        if let Some(url) = &self.database_url {
            stack::database_address(url).context("--database-url cannot be used")?;
        }
        Ok(())
    }

    /// Those that it starts itself.
    fn servers(&self) -> Vec<Server> {
        let mut servers = Vec::new();
        if self.redis_url.is_none() {
            servers.push(Server::Redis);
        }
        if self.database_url.is_none() {
            servers.push(Server::Postgres);
        }
        servers
    }

    fn start(&self, dev: &Dev, runtime: Runtime, listen: SocketAddr) -> Result<(Stack, Facts)> {
        check_interrupted()?;
        let (redis, redis_url) = match &self.redis_url {
            Some(url) => (None, url.clone()),
            None => {
                say("starting Redis");
                // It begins empty, and the key-value store describes a Redis that is gone. With a Redis that stays, the store is
                // the record of what must not be read, and is kept.
                let _ = std::fs::remove_dir_all(dev.path(STATE));
                let redis = Redis::start(&dev.path("redis")).context("Redis did not start")?;
                let url = redis.url();
                (Some(redis), url)
            }
        };
        check_interrupted()?;
        let (postgres, admin_database_url) = match &self.database_url {
            Some(url) => (None, url.clone()),
            None => {
                let postgres = start_postgres(dev)?;
                let url = postgres.url(DATABASE);
                (Some(postgres), url)
            }
        };
        check_interrupted()?;
        let migrated = migrate::apply(&admin_database_url).context("the schema could not be brought up to date")?;
        report::tell(migrated)?;
        demo::seed(&admin_database_url, self.demo)
            .context("the demo could not be written; `--demo 0` leaves it out")?;
        let component_url = stack::ensure_login(&admin_database_url, &dev.database_password()?)?;
        check_interrupted()?;

        let jwt_secret = dev.jwt_secret()?;
        let mut variables = variables_from_environment();
        variables.extend(stack::variables(&redis_url, &component_url, &jwt_secret));
        let variable = |name: &str, default: &str| variables.get(name).map_or(default, String::as_str).to_owned();
        let (database_url, redis_instance_name) =
            (variable("database_url", ""), variable("redis_instance_name", REDIS_INSTANCE_NAME));
        let (jwt_issuer, jwt_audience) = (variable("jwt_issuer", ISSUER), variable("jwt_audience", AUDIENCE));

        let collector = self.otel.then(Collector::start).transpose().context("the collector did not start")?;
        say(format!("starting the host ({})", runtime.name()));
        let log = dev.path(LOG);
        let _ = std::fs::remove_file(&log);
        let _ = std::fs::remove_dir_all(dev.path(STATE).join("logs"));
        let options = HostOptions {
            runtime,
            listen: listen.to_string(),
            state_dir: dev.path(STATE),
            variables,
            log: Some(log),
            authorities: None,
            environment: collector.as_ref().map_or_else(exporter_from_environment, Collector::environment),
        };
        let host = Host::start_with(options, &runtime.manifest(), &stack::LONG_REUSE.map(OsStr::new))?;
        let facts = Facts {
            base_url: host.base_url().to_owned(),
            redis_url,
            database_url,
            admin_database_url,
            redis_instance_name,
            runtime: runtime.name().to_owned(),
            jwt_secret,
            jwt_issuer,
            jwt_audience,
            pids: Pids {
                host: Some(host.pid()),
                redis: redis.as_ref().map(Redis::pid),
                postgres: postgres.as_ref().map(Postgres::pid),
            },
        };
        Ok((Stack { host, redis, postgres, collector }, facts))
    }
}

fn start_postgres(dev: &Dev) -> Result<Postgres> {
    say("starting PostgreSQL");
    let folder = dev.path("postgres");
    let postgres = Postgres::start(&folder).context("PostgreSQL did not start")?;
    if folder.canonicalize().ok().as_deref() != Some(postgres.data_dir()) {
        say(format!(
            "its data are in {}: PostgreSQL does not run as root, and its user cannot reach this repository",
            postgres.data_dir().display()
        ));
    }
    postgres.ensure_database(DATABASE)?;
    Ok(postgres)
}

/// `SPIN_VARIABLE_…` as Spin reads them, so that `up` can be tried with other settings.
fn variables_from_environment() -> BTreeMap<String, String> {
    std::env::vars()
        .filter_map(|(name, value)| Some((name.strip_prefix("SPIN_VARIABLE_")?.to_lowercase(), value)))
        .collect()
}

/// `OTEL_…`, so that `up` can be tried with a collector of one's own.
fn exporter_from_environment() -> BTreeMap<String, String> {
    std::env::vars().filter(|(name, _)| name.starts_with("OTEL_")).collect()
}

/// The address to serve on, if it is free.
pub fn free_address(listen: &str) -> Result<SocketAddr> {
    let addresses = listen.to_socket_addrs();
    let address = addresses
        .ok()
        .and_then(|mut all| all.next())
        .with_context(|| format!("`--listen {listen}` is no address to serve on; write it as 127.0.0.1:3000"))?;
    match TcpListener::bind(address) {
        Ok(_) => Ok(address),
        Err(error) => Err(error).with_context(|| {
            format!("cannot serve on {address}; stop what listens there, or choose another port with `--listen 127.0.0.1:PORT`")
        }),
    }
}

/// Until we are asked to stop, or the host ends.
fn watch(stack: &mut Stack) -> Result<()> {
    let (mut redis_told, mut postgres_told) = (false, false);
    while !interrupted() {
        std::thread::sleep(POLL);
        if !stack.host.is_running() {
            bail!("the host ended by itself. Its last lines:\n{}", stack.host.last_lines());
        }
        stack.print_traces(stack::QUIET);
        // Nothing to stop for: the API goes on without its cache, and answers 503 without its database.
        if !redis_told && stack.redis.as_mut().is_some_and(|redis| !redis.is_running()) {
            say("Redis has ended; requests are answered from PostgreSQL");
            redis_told = true;
        }
        if !postgres_told && stack.postgres.as_mut().is_some_and(|postgres| !postgres.is_running()) {
            say("PostgreSQL has ended; stop this and start it again");
            postgres_told = true;
        }
    }
    Ok(())
}

impl Stack {
    /// Prints the traces that no span has been added to for `quiet`.
    fn print_traces(&self, quiet: Duration) {
        for trace in self.collector.iter().flat_map(|collector| collector.take(quiet)) {
            println!("\n{}", trace.tree());
        }
    }

    fn stop(mut self) {
        // It may have ended by itself, which has been reported then.
        let _ = self.host.stop();
        // It sends its last spans when it is stopped.
        self.print_traces(Duration::ZERO);
        if let Some(redis) = &mut self.redis {
            redis.stop();
        }
        if let Some(postgres) = &mut self.postgres {
            postgres.stop();
        }
    }
}

fn announce(facts: &Facts, demo: u32) -> Result<()> {
    let token = |tenant: &str, role: Option<&str>| {
        stack::token(&TokenRequest {
            secret: &facts.jwt_secret,
            issuer: &facts.jwt_issuer,
            audience: &facts.jwt_audience,
            tenant,
            role,
            ttl_seconds: TOKEN_TTL_SECONDS,
        })
    };
    println!("\nRentTracker Edge serves on {} ({} host)\n", facts.base_url, facts.runtime);
    println!("Tokens, good for 24 hours:");
    for tenant in demo::TENANTS {
        println!("  {tenant}: {}", token(tenant, None)?);
    }
    println!("  {OPERATOR}, an Admin: {}", token(OPERATOR, Some("Admin"))?);
    let seeded = if demo == 0 { "" } else { "?pageSize=3" };
    println!("\nIn a browser:");
    println!("  {}/console for operators: sign in with the token of an Admin", facts.base_url);
    println!("  {}/docs the API's reference, which tries requests with any of the tokens", facts.base_url);
    println!("\nTry:");
    println!(
        "  curl -i -H 'Authorization: Bearer {}' '{}/api/properties{seeded}'",
        token(demo::TENANTS[0], None)?,
        facts.base_url
    );
    println!(
        "\n`cargo xtask logs --follow` shows what it logs; .dev/stack.json has all addresses. Ctrl-C stops everything."
    );
    Ok(())
}

/// What to expect of the traces.
fn about_traces(runtime: Runtime, edition: Edition) -> String {
    let mut text = "\nThe trace of each request is printed here as a tree, some 2 s after its answer.".to_owned();
    if (runtime, edition) == (Runtime::Spin, Edition::Spin4_1) {
        text += "\nSpin 4.1 has no parent for the calls of these components: each is a trace of its own\n\
                 (infra/observability/README.md). `--runtime embedded` shows one trace a request.";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_traces_a_request_are_announced_for_spin_4_1_alone() {
        let check = |runtime, edition, expected: bool| {
            let text = about_traces(runtime, edition);
            assert!(text.contains("as a tree"), "{text}");
            assert_eq!(text.contains("Spin 4.1 has no parent"), expected, "{runtime:?}, {edition:?}");
        };
        check(Runtime::Embedded, Edition::Spin4_1, false);
        check(Runtime::Spin, Edition::Spin4_0, false);
        check(Runtime::Spin, Edition::Spin4_1, true);
    }

    #[test]
    fn a_taken_port_is_refused_with_a_way_out() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = taken.local_addr().expect("an address").to_string();
        let error = free_address(&address).expect_err("refused").to_string();
        assert!(error.contains(&address) && error.contains("--listen"), "{error}");
        drop(taken);
        free_address(&address).expect("free again");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for listen in ["", "3000", "nowhere", "127.0.0.1:99999"] {
            assert!(free_address(listen).is_err(), "{listen}");
        }
    }

    #[test]
    fn the_defaults_told_in_stack_json_are_those_of_the_manifest() {
        let text = std::fs::read_to_string(stack::repository_root().join("spin.toml")).expect("read");
        let manifest: toml::Table = text.parse().expect("TOML");
        let default = |name: &str| manifest["variables"][name]["default"].as_str().expect("a default").to_owned();
        assert_eq!(default("redis_instance_name"), REDIS_INSTANCE_NAME);
        assert_eq!(default("jwt_issuer"), ISSUER);
        assert_eq!(default("jwt_audience"), AUDIENCE);
    }
}
