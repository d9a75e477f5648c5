//! One cold key, many requests at once on all hosts: one read of the database.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};
use stack::Edition;

use crate::client::Client;
use crate::cluster::{Cluster, HOSTS, Options, runtime};
use crate::history::tenants;
use crate::http::{Connection, request};
use crate::leftovers;
use crate::random::seed;
use crate::run::Run;

/// Requests for one key at the same moment.
const AT_ONCE: usize = 200;
const ROUNDS: usize = 4;

/// How often properties or payments have been read in this database. What writes, and the outbox, is not counted.
const READS: &str = "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements s
    JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = current_database()
    AND query ~* '\\m(properties|payments|read_property|read_payment)\\M'
    AND query !~* '\\m(insert|update|delete|create|analyze|copy)\\M'
    AND query !~* 'pg_stat_statements' AND query !~* 'select row_version from'";

/// Longer than two hundred who ask at once keep a busy machine: here nobody shall give up on Redis for that.
const PATIENT_MS: &str = "5000";

/// Where the requests go, and how the hosts are.
#[derive(Clone, Copy)]
struct Setting {
    /// For the report.
    name: &'static str,
    /// Over how many hosts the requests are spread.
    hosts: usize,
    /// What the hosts are told ([`Options::arguments`]).
    arguments: &'static [&'static str],
    redis_timeout_ms: &'static str,
    rounds: usize,
    /// How many threads compute all the while, so that hosts, Redis and PostgreSQL wait for a processor.
    busy: usize,
    /// How late Redis answers, in milliseconds, from and to.
    redis_delay: (u64, u64),
}

impl Default for Setting {
    fn default() -> Self {
        Setting {
            name: "three hosts",
            hosts: HOSTS,
            arguments: &[],
            redis_timeout_ms: PATIENT_MS,
            rounds: ROUNDS,
            busy: 0,
            redis_delay: (0, 0),
        }
    }
}

/// The trial, on hosts with Spin's defaults.
pub fn one_cold_key_is_read_once() -> Result<()> {
    each_key_is_read_once(&Setting::default())
}

/// The same on one host, on two, and where instances live long.
pub fn one_cold_key_is_read_once_by_however_many_hosts() -> Result<()> {
    each_key_is_read_once(&Setting { name: "one host", hosts: 1, ..Setting::default() })?;
    each_key_is_read_once(&Setting { name: "two hosts", hosts: 2, ..Setting::default() })?;
    each_key_is_read_once(&Setting { name: "long-lived", arguments: &stack::LONG_REUSE, ..Setting::default() })
}

/// The same where each request has an instance of its own: no two share a connection, or a read.
pub fn one_cold_key_is_read_once_by_instances_of_one_request() -> Result<()> {
    let arguments = &["--max-instance-reuse-count", "1"];
    each_key_is_read_once(&Setting { name: "one request an instance", arguments, ..Setting::default() })
}

/// The same with every processor busy.
pub fn one_cold_key_is_read_once_while_every_processor_is_busy() -> Result<()> {
    let busy = 2 * std::thread::available_parallelism().map_or(1, usize::from);
    let setting = Setting { busy, rounds: 2, ..Setting::default() };
    each_key_is_read_once(&Setting { name: "every processor busy", ..setting })?;
    let arguments = &["--max-instance-reuse-count", "1"];
    each_key_is_read_once(&Setting { name: "every processor busy, one request an instance", arguments, ..setting })
}

/// The same where Redis is slow: an answer takes 250 ms, and one behind another 500, so two take more than half of what a request
/// waits for Redis. A reader that is told to wait for another one waits on.
pub fn one_cold_key_is_read_once_where_redis_is_slow() -> Result<()> {
    each_key_is_read_once(&Setting {
        name: "a slow Redis",
        redis_timeout_ms: "1600",
        rounds: 1,
        redis_delay: (250, 250),
        ..Setting::default()
    })
}

fn each_key_is_read_once(setting: &Setting) -> Result<()> {
    let &Setting { name, hosts, arguments, redis_timeout_ms, rounds, busy, redis_delay } = setting;
    let variables =
        vec![("redis_timeout_ms", redis_timeout_ms.into()), ("redis_connect_timeout_ms", PATIENT_MS.into())];
    let options = Options { variables, arguments, ..Options::default() };
    let cluster = Cluster::start(&options, seed())?;
    let run = Run::new(cluster, tenants(1)?, seed());
    let mut admin = run.cluster.database.connect()?;
    let tenant = &run.tenants[0];
    let mut client = Client::new(&run, 0, &[0, 1, 2]);
    let warm = client.create_property(tenant, true).context("a property")?;
    client.create_payment(tenant, &warm).context("a payment")?;
    // Everybody has a lease and a connection to the database before it counts.
    ask(&run, hosts, &format!("{}?pageSize=7", warm.payments_path()))?;
    ask(&run, hosts, "/api/properties?pageSize=7")?;
    for round in 0..rounds {
        run.cluster.nodes.iter().for_each(|node| node.redis.delay_answers((0, 0)));
        let property = client.create_property(tenant, true).context("a property")?;
        let payment = client.create_payment(tenant, &property).context("a payment")?;
        run.cluster.nodes.iter().for_each(|node| node.redis.delay_answers(redis_delay));
        for target in [
            property.path(),
            property.payment_path(&payment),
            property.payments_path(),
            format!("/api/properties?pageNumber={}", round + 1),
        ] {
            let before: i64 = admin.query_one(READS, &[])?.get(0);
            let statuses = while_busy(busy, || ask(&run, hosts, &target))?;
            let after: i64 = admin.query_one(READS, &[])?.get(0);
            ensure!(statuses.iter().all(|status| *status == 200), "GET {target}: {statuses:?}");
            ensure!(
                after - before == 1,
                "{name}: GET {target}, {AT_ONCE} at once: {} reads of the database",
                after - before
            );
        }
    }
    report(&run, name, rounds);
    let outbox = leftovers::outbox(&run.cluster.database.url)?;
    // Spin 4.0 ends an instance before it has removed its rows; the next write does.
    let may_be_left = runtime().edition() == Edition::Spin4_0;
    ensure!(outbox.is_none() || may_be_left, "invalidations that nobody made: {outbox:?}");
    run.cluster.stop()
}

fn report(run: &Run, name: &str, rounds: usize) {
    let caches = ["hits", "stored", "collapsed"];
    let counters = [&run.counters.hits, &run.counters.stored, &run.counters.collapsed];
    let counted = counters.map(|counter| counter.load(std::sync::atomic::Ordering::SeqCst));
    println!(
        "\none cold key, {name}: {} keys, {AT_ONCE} requests each, one read each; {caches:?}: {counted:?}",
        rounds * 4
    );
}

/// Does `work` while so many threads compute.
fn while_busy<T>(threads: usize, work: impl FnOnce() -> T) -> T {
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !is_done.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let result = work();
        is_done.store(true, Ordering::Relaxed);
        result
    })
}

/// Asks on so many hosts at the same moment: the statuses.
fn ask(run: &Run, hosts: usize, target: &str) -> Result<Vec<u16>> {
    let barrier = Barrier::new(AT_ONCE);
    let bytes = request("GET", target, &run.tenants[0].token, None, None);
    std::thread::scope(|scope| {
        let one = |number: usize| {
            let (barrier, bytes) = (&barrier, &bytes);
            scope.spawn(move || {
                let (port, _) = run.cluster.nodes[number % hosts].address();
                let mut connection = Connection::default();
                let opened = connection.open(port);
                barrier.wait();
                opened?;
                let reply = connection.exchange(port, bytes).map_err(|failure| anyhow::anyhow!("{failure}"))?;
                run.count(reply.cache);
                Ok(reply.status)
            })
        };
        let threads: Vec<_> = (0..AT_ONCE).map(one).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic on a thread")).collect()
    })
}
