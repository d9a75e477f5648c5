//! What an operator sets, sees and orders.

pub mod breaker_orders;
pub mod configuration;
pub mod health;
pub mod metrics;
pub mod migrations;
pub mod observability;
pub mod spans;
pub mod trace;
pub mod webhook;
