//! `cargo xtask token`

use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use stack::{AUDIENCE, ISSUER, TokenRequest};

use crate::dev::Dev;
use crate::report::Report;

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

/// A token, and what it says.
#[derive(Serialize)]
pub struct Issued {
    token: String,
    tenant: String,
    role: Option<String>,
    issuer: String,
    audience: String,
    ttl_seconds: i64,
}

impl Token {
    /// Makes a token that the stack of `cargo xtask up` accepts.
    pub fn run(self) -> Result<Issued> {
        let Token { tenant, role, ttl, issuer, audience } = self;
        let secret = Dev::open()?.jwt_secret()?;
        let ttl_seconds = i64::try_from(ttl.as_secs()).context("--ttl is too long")?;
        let request = TokenRequest {
            secret: &secret,
            issuer: &issuer,
            audience: &audience,
            tenant: &tenant,
            role: role.as_deref(),
            ttl_seconds,
        };
        let token = stack::token(&request)?;
        Ok(Issued { token, tenant, role, issuer, audience, ttl_seconds })
    }
}

/// The token alone, so that a script can take it: `$(cargo xtask token --tenant alice)`.
impl fmt::Display for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.token)
    }
}

impl Report for Issued {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report;

    #[test]
    fn a_token_is_alone_in_text_and_beside_its_claims_in_json() {
        let issued = Issued {
            token: "a.b.c".into(),
            tenant: "alice".into(),
            role: None,
            issuer: "RentTracker".into(),
            audience: "Clients".into(),
            ttl_seconds: 60,
        };
        assert_eq!(issued.to_string(), "a.b.c");
        let expected = json!({
            "token": "a.b.c", "tenant": "alice", "role": null, "issuer": "RentTracker", "audience": "Clients",
            "ttl_seconds": 60,
        });
        report::tests::check("token", &issued, expected);
    }
}
