//! What Redis and PostgreSQL count by themselves.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use postgres::Client;

/// What PostgreSQL did for statements of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Work {
    /// How many there were.
    pub calls: f64,
    /// The time in its executor, in milliseconds.
    pub millis: f64,
    /// The blocks of 8 KB that were looked at.
    pub blocks: f64,
}

impl Work {
    /// What has come since `before`.
    pub fn since(self, before: Work) -> Work {
        Work {
            calls: self.calls - before.calls,
            millis: self.millis - before.millis,
            blocks: self.blocks - before.blocks,
        }
    }

    /// Milliseconds of one.
    pub fn millis_each(self) -> f64 {
        if self.calls == 0.0 { 0.0 } else { self.millis / self.calls }
    }

    /// Blocks of one.
    pub fn blocks_each(self) -> f64 {
        if self.calls == 0.0 { 0.0 } else { self.blocks / self.calls }
    }
}

/// Reads of properties and payments that a request waited for: not those that compare a sample of the hits.
pub const READS: &str = "query ~* '\\m(properties|payments|read_property|read_payment)\\M' \
    AND query !~* '\\m(insert|update|delete|vacuum|create)\\M' \
    AND query !~* 'select row_version from' AND query !~* '^SELECT id::text'";
/// The statement of `PUT /api/properties/{id}`.
pub const REPLACEMENTS: &str = "query ~ 'replace_property\\('";
/// The statement of `POST …/payments`.
pub const PAYMENTS: &str = "query ~ 'create_payment\\('";
/// Every statement of the application.
pub const ALL: &str = "query ~* '\\m(properties|payments|payment_methods|cache_invalidations|outbox_\\w+|tenant)\\M' AND query !~* '\\mvacuum\\M'";

/// What `pg_stat_statements` says of the statements that `condition` selects, in the database that `client` is connected to.
pub fn work(client: &mut Client, condition: &str) -> Result<Work> {
    let statement = format!(
        "SELECT coalesce(sum(calls), 0)::float8, coalesce(sum(total_exec_time), 0)::float8,
            coalesce(sum(shared_blks_hit + shared_blks_read), 0)::float8
        FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
        WHERE d.datname = current_database() AND {condition}"
    );
    let row = client.query_one(&statement, &[]).context("pg_stat_statements is needed")?;
    Ok(Work { calls: row.get(0), millis: row.get(1), blocks: row.get(2) })
}

/// Redis, to look at and to clear.
pub struct Cache {
    client: redis::Client,
}

impl Cache {
    /// The Redis at `url`.
    pub fn new(url: &str) -> Result<Cache> {
        Ok(Cache { client: redis::Client::open(url)? })
    }

    fn info(&self, section: &str) -> Result<redis::InfoDict> {
        Ok(redis::cmd("INFO").arg(section).query(&mut self.client.get_connection()?)?)
    }

    /// How often each command has been run, those inside scripts included.
    pub fn commands(&self) -> Result<BTreeMap<String, u64>> {
        let info = self.info("commandstats")?;
        let calls = |value: &redis::Value| -> Option<u64> {
            let text: String = redis::from_redis_value(value).ok()?;
            text.strip_prefix("calls=")?.split(',').next()?.parse().ok()
        };
        Ok(info
            .iter()
            .filter_map(|(name, value)| Some((name.trim_start_matches("cmdstat_").into(), calls(value)?)))
            .collect())
    }

    /// The memory that the data take, in bytes.
    pub fn memory(&self) -> Result<u64> {
        self.info("memory")?.get("used_memory_dataset").context("Redis does not tell its memory")
    }

    /// Puts what is under `key` under `copy` too, where it does not run out.
    pub fn copy(&self, key: &str, copy: &str) -> Result<()> {
        let mut connection = self.client.get_connection()?;
        let is_there: bool = redis::cmd("COPY").arg(key).arg(copy).arg("REPLACE").query(&mut connection)?;
        ensure!(is_there, "nothing is under {key}");
        self.keep(copy)
    }

    /// Takes from `key` its time to live.
    pub fn keep(&self, key: &str) -> Result<()> {
        Ok(redis::cmd("PERSIST").arg(key).query(&mut self.client.get_connection()?)?)
    }

    /// How many keys there are.
    pub fn keys(&self) -> Result<u64> {
        Ok(redis::cmd("DBSIZE").query(&mut self.client.get_connection()?)?)
    }

    /// Forgets the values of these tenants; the application's own bookkeeping stays.
    pub fn forget(&self, instance: &str, tenant_prefix: &str) -> Result<()> {
        let mut connection = self.client.get_connection()?;
        let mut cursor = 0_u64;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(format!("{instance}{tenant_prefix}*")).arg("COUNT").arg(1_000);
            let (next, keys): (u64, Vec<String>) = scan.query(&mut connection)?;
            if !keys.is_empty() {
                redis::cmd("UNLINK").arg(&keys).query::<()>(&mut connection)?;
            }
            cursor = next;
            if cursor == 0 {
                return Ok(());
            }
        }
    }
}
