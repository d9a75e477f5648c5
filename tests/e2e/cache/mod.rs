//! The cache: what is a hit, what a write clears away, and what happens when Redis or PostgreSQL fails.

pub mod breaker;
pub mod breaker_in_the_database;
pub mod cached_reads;
pub mod costs;
pub mod full_disk;
pub mod invalidation;
pub mod key_value;
pub mod lingering_statements;
pub mod load;
pub mod locks;
pub mod maxmemory;
pub mod other_writers;
pub mod outage;
pub mod outbox;
pub mod purge;
pub mod read_lease;
pub mod redis_cluster;
pub mod refusals;
pub mod regions;
pub mod rest;
pub mod sealing;
pub mod split_brain;
pub mod unsuitable_redis;
pub mod verify;
pub mod warm;
