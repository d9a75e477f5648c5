//! One host's way to Redis is slow, uneven and often broken, so that its requests overtake each other, and the writes come
//! through the others: whoever shares a read must not get one from before it asked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::client::Client;
use crate::cluster::{Cluster, Options};
use crate::history::{brisk, tenants};
use crate::random::{Random, seed};
use crate::report;
use crate::run::Run;

/// How long it goes on.
const DURATION: Duration = Duration::from_secs(20);
/// Readers through the host whose way is slow.
const READERS: usize = 16;
/// The host whose way is slow.
const SLOW: usize = 0;
/// How late Redis answers that host, in milliseconds: mostly within the deadline.
const REDIS_DELAY: (u64, u64) = (0, 20);
/// How late PostgreSQL answers it: a read is long under way when a write through another host is answered.
const DATABASE_DELAY: (u64, u64) = (0, 50);

/// The trial.
pub fn a_slow_way_to_redis_shares_no_old_read() -> Result<()> {
    let mut variables = brisk();
    // The breaker shall stay closed: this is about what happens while it is.
    variables.push(("breaker_threshold", "1000".into()));
    let cluster = Cluster::start(&Options { variables, ..Options::default() }, seed())?;
    let run = Run::new(Arc::clone(&cluster), tenants(1)?, seed());
    let tenant = &run.tenants[0];
    let mut first = Client::new(&run, 100, &[1]);
    let property = first.create_property(tenant, true).context("a property")?;
    first.create_payment(tenant, &property).context("a payment")?;
    let slow = &cluster.nodes[SLOW];
    slow.redis.delay_answers(REDIS_DELAY);
    slow.postgres.delay_answers(DATABASE_DELAY);
    std::thread::scope(|scope| {
        for number in 0..READERS {
            let mut reader = Client::new(&run, number, &[SLOW]);
            let property = &property;
            scope.spawn(move || {
                while !reader.run.is_over() {
                    reader.read_one(tenant, &property.path(), &property.key);
                }
            });
        }
        let (run, property) = (&run, &property);
        scope.spawn(move || {
            let mut writer = Client::new(run, READERS, &[1, 2]);
            while !run.is_over() {
                writer.put_property(None, tenant, property);
                std::thread::sleep(writer.random.millis(0..=120));
            }
        });
        let mut random = Random::new(run.seed);
        while run.elapsed() < DURATION {
            std::thread::sleep(random.millis(250..=700));
            slow.redis.drop_connections();
        }
        run.end();
    });
    report::print(&run, &BTreeMap::new(), None);
    report::ensure_clean(&run)?;
    let collapsed = run.counters.collapsed.load(std::sync::atomic::Ordering::SeqCst);
    ensure!(collapsed > 5, "only {collapsed} reads were shared");
    cluster.stop()
}
