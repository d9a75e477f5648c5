//! `cargo xtask token`

use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use stack::{AUDIENCE, ISSUER, TokenRequest};

use crate::dev::Dev;

#[derive(Args)]
pub struct Token {
    /// Whose data the token opens
    #[arg(long)]
    tenant: String,
    /// `Admin` opens the details of /api/health
    #[arg(long)]
    role: Option<String>,
    /// For how long, as in `90s`, `15m`, `1h 30m`, `7d`
    #[arg(long, default_value = "1h", value_parser = humantime::parse_duration)]
    ttl: Duration,
    /// The claim `iss`
    #[arg(long, default_value = ISSUER)]
    issuer: String,
    /// The claim `aud`
    #[arg(long, default_value = AUDIENCE)]
    audience: String,
}

impl Token {
    /// The token alone goes to stdout, so that a script can take it: `$(cargo xtask token --tenant alice)`.
    pub fn run(self) -> Result<()> {
        let secret = Dev::open()?.jwt_secret()?;
        let request = TokenRequest {
            secret: &secret,
            issuer: &self.issuer,
            audience: &self.audience,
            tenant: &self.tenant,
            role: self.role.as_deref(),
            ttl_seconds: i64::try_from(self.ttl.as_secs()).context("--ttl is too long")?,
        };
        println!("{}", stack::token(&request)?);
        Ok(())
    }
}
