//! The data behind the API's back: PostgreSQL and Redis, looked at and changed directly.

use postgres::types::ToSql;
use postgres::{Client, NoTls, Row};

use super::{Tenant, World, stage};

impl World {
    /// The database, as its owner.
    pub fn sql(&self) -> Client {
        Client::connect(&self.database_url, NoTls).expect("PostgreSQL answers")
    }

    /// The database, as the components.
    pub fn component_sql(&self) -> Client {
        Client::connect(&self.login_url, NoTls).expect("PostgreSQL answers")
    }

    /// Runs a statement: how many rows it touched.
    pub fn execute(&self, statement: &str, parameters: &[&(dyn ToSql + Sync)]) -> u64 {
        self.sql().execute(statement, parameters).unwrap_or_else(|error| panic!("{statement}: {error:?}"))
    }

    /// Runs a query.
    pub fn query(&self, statement: &str, parameters: &[&(dyn ToSql + Sync)]) -> Vec<Row> {
        self.sql().query(statement, parameters).unwrap_or_else(|error| panic!("{statement}: {error:?}"))
    }

    /// Redis.
    pub fn redis_connection(&self) -> redis::Connection {
        let client = redis::Client::open(self.redis_url.as_str()).expect("a Redis URL");
        client.get_connection().expect("Redis answers")
    }

    /// One command.
    pub fn redis_command<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = redis::Cmd::new();
        command.arg(words);
        command.query(&mut self.redis_connection()).unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// Puts the bytes of one key under another, as they are, with a TTL.
    pub fn copy_key(&self, from: &str, to: &str) {
        let copied: i64 = self.redis_command(&["COPY", from, to, "REPLACE"]);
        assert_eq!(copied, 1, "nothing is cached under {from}");
        let _: i64 = self.redis_command(&["EXPIRE", to, "300"]);
    }

    /// The keys of a tenant, without the instance and the tenant, sorted. Locks keep their prefix.
    pub fn keys_of(&self, tenant: &Tenant) -> Vec<String> {
        let whole = format!("{}{}:", self.instance, tenant.id);
        let mut redis = self.redis_connection();
        let all: Vec<String> = redis::cmd("KEYS").arg(format!("*{}*", tenant.id)).query(&mut redis).expect("keys");
        let mut keys: Vec<String> = all.into_iter().map(|key| key.replace(&whole, "")).collect();
        keys.sort();
        keys
    }

    /// How long a key has still to live, in milliseconds; negative as Redis says it.
    pub fn ttl(&self, key: &str) -> i64 {
        self.redis_command(&["PTTL", key])
    }

    /// How often properties or payments have been read in this world's database since the server started. What the
    /// application keeps for itself (its outbox) is not counted, nor is what writes, nor what compares a hit with its row.
    pub fn reads(&self) -> i64 {
        let database = self.database_url.rsplit('/').next().unwrap_or_default();
        let database = database.split('?').next().unwrap_or_default();
        let statement = "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements s \
            JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = $1 \
            AND query ~* '\\m(properties|matching_properties|payments|read_property|read_payment)\\M' \
            AND query !~* '\\m(insert|update|delete|create|analyze|copy)\\M' \
            AND query !~* 'select row_version from'";
        let mut admin = stage::admin().expect("PostgreSQL answers");
        admin.query_one(statement, &[&database]).expect("pg_stat_statements").get(0)
    }

    /// How often the breaker's record was read in this database.
    pub fn record_reads(&self) -> i64 {
        let database = self.database_url.rsplit('/').next().unwrap_or_default();
        let statement = "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements s \
            JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = $1 AND query ~* 'from breaker_record\\M'";
        let mut admin = stage::admin().expect("PostgreSQL answers");
        admin.query_one(statement, &[&database]).expect("pg_stat_statements").get(0)
    }
}
