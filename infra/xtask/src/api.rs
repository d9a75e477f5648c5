//! `cargo xtask api`: the running API held to its OpenAPI document, by schemathesis.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use anyhow::{Context, Result};
use stack::{AUDIENCE, Host, HostOptions, ISSUER, Postgres, Redis, Runtime, TokenRequest};

use crate::shell::run;
use crate::{demo, migrate, python};

const CONFIGURATION: &str = "infra/xtask/python/schemathesis.toml";
const DATABASE: &str = "renttracker";
/// How many properties the tenant has that is asked about.
const PROPERTIES: u32 = 5;
/// Longer than the run.
const TOKEN_TTL_SECONDS: i64 = 60 * 60;

/// Starts Redis, PostgreSQL and the built components, and asks everything that the document says may be asked, and more:
/// no answer may be a server's error, or of a status, a media type, a header or a schema that the document does not have.
pub fn check(runtime: Runtime) -> Result<()> {
    let schemathesis = python::tools()?.join("schemathesis");
    // PostgreSQL gives up root's rights and must still reach its folder.
    let folder =
        tempfile::Builder::new().prefix("renttracker-api-").permissions(Permissions::from_mode(0o755)).tempdir()?;
    let redis = Redis::start(&folder.path().join("redis")).context("Redis did not start")?;
    let postgres = Postgres::start_for_tests(&folder.path().join("postgres")).context("PostgreSQL did not start")?;
    postgres.create_database(DATABASE)?;
    let database_url = postgres.url(DATABASE);
    migrate::apply(&database_url)?;
    demo::seed(&database_url, PROPERTIES)?;

    let login_url = stack::ensure_login(&database_url, &stack::random_secret()?)?;
    let secret = stack::random_secret()?;
    let host = Host::start(HostOptions {
        runtime,
        listen: "127.0.0.1:0".into(),
        state_dir: folder.path().join("state"),
        variables: stack::variables(&redis.url(), &login_url, &secret),
        log: Some(folder.path().join("host.log")),
        authorities: None,
    })?;
    let token = stack::token(&TokenRequest {
        secret: &secret,
        issuer: ISSUER,
        audience: AUDIENCE,
        tenant: demo::TENANTS[0],
        role: Some("Admin"),
        ttl_seconds: TOKEN_TTL_SECONDS,
    })?;
    let mut command = Command::new(schemathesis);
    command.arg("--config-file").arg(stack::repository_root().join(CONFIGURATION));
    command.arg("run").arg(format!("{}/api/openapi.json", host.base_url()));
    // It leaves files in the folder that it runs in.
    command.env("RENTTRACKER_TOKEN", token).current_dir(folder.path());
    run(&mut command).with_context(|| format!("the host's last lines:\n{}", host.last_lines()))
}
