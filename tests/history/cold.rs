//! One cold key, many requests at once on all hosts: one read of the database.

use std::sync::Barrier;

use anyhow::{Context, Result, ensure};

use crate::client::Client;
use crate::cluster::{Cluster, HOSTS, Options};
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
    AND query ~* '\\m(properties|payments)\\M' AND query !~* '\\m(insert|update|delete|create|analyze|copy)\\M'
    AND query !~* 'pg_stat_statements' AND query !~* 'select row_version from'";

/// The trial.
pub fn one_cold_key_is_read_once() -> Result<()> {
    // The machine may be busy: here nobody shall give up on Redis because two hundred ask at once.
    each_key_is_read_once("5000", ROUNDS, (0, 0))
}

/// The same where Redis is slow: an answer takes 250 ms, and one behind another 500, so two take more than half of what a request
/// waits for Redis. A reader that is told to wait for another one waits on.
pub fn one_cold_key_is_read_once_where_redis_is_slow() -> Result<()> {
    each_key_is_read_once("1600", 1, (250, 250))
}

/// `redis_timeout_ms`, and how late Redis answers in milliseconds, from and to.
fn each_key_is_read_once(redis_timeout_ms: &str, rounds: usize, redis_delay: (u64, u64)) -> Result<()> {
    let variables = vec![("redis_timeout_ms", redis_timeout_ms.into()), ("redis_connect_timeout_ms", "5000".into())];
    let options = Options { variables, ..Options::default() };
    let cluster = Cluster::start(&options, seed())?;
    let run = Run::new(cluster, tenants(1)?, seed());
    let mut admin = run.cluster.database.connect()?;
    let tenant = &run.tenants[0];
    let mut client = Client::new(&run, 0, &[0, 1, 2]);
    let warm = client.create_property(tenant, true).context("a property")?;
    client.create_payment(tenant, &warm).context("a payment")?;
    // Everybody has a lease and a connection to the database before it counts.
    ask(&run, &format!("{}?pageSize=7", warm.payments_path()))?;
    ask(&run, "/api/properties?pageSize=7")?;
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
            let statuses = ask(&run, &target)?;
            let after: i64 = admin.query_one(READS, &[])?.get(0);
            ensure!(statuses.iter().all(|status| *status == 200), "GET {target}: {statuses:?}");
            ensure!(after - before == 1, "GET {target}, {AT_ONCE} at once: {} reads of the database", after - before);
        }
    }
    report(&run, rounds);
    let outbox = leftovers::outbox(&run.cluster.database.url)?;
    ensure!(outbox.is_none(), "invalidations that nobody made: {outbox:?}");
    run.cluster.stop()
}

fn report(run: &Run, rounds: usize) {
    let caches = ["hits", "stored", "collapsed"];
    let counters = [&run.counters.hits, &run.counters.stored, &run.counters.collapsed];
    let counted = counters.map(|counter| counter.load(std::sync::atomic::Ordering::SeqCst));
    println!("\none cold key: {} keys, {AT_ONCE} requests each, one read each; {caches:?}: {counted:?}", rounds * 4);
}

/// Asks on all hosts at the same moment: the statuses.
fn ask(run: &Run, target: &str) -> Result<Vec<u16>> {
    let barrier = Barrier::new(AT_ONCE);
    let bytes = request("GET", target, &run.tenants[0].token, None);
    std::thread::scope(|scope| {
        let one = |number: usize| {
            let (barrier, bytes) = (&barrier, &bytes);
            scope.spawn(move || {
                let (port, _) = run.cluster.nodes[number % HOSTS].address();
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
