//! What stands around the components: the manifest, the front server, PostgreSQL itself, and TLS.

pub mod components;
pub mod front;
pub mod grants;
pub mod harness;
pub mod postgres_errors;
pub mod query_plans;
pub mod read_only_postgres;
pub mod restored_database;
pub mod sources;
pub mod spin_versions;
pub mod tls;
