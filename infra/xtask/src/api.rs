//! `cargo xtask api`: the running API held to its OpenAPI document, by two validators and by schemathesis.

use std::process::Command;

use anyhow::{Context, Result};
use stack::Runtime;

use crate::scene::Servers;
use crate::shell::run;
use crate::{demo, python, validators};

const CONFIGURATION: &str = "infra/xtask/python/schemathesis.toml";
/// How many properties the tenant has that is asked about.
const PROPERTIES: u32 = 5;
/// Starts Redis, PostgreSQL and the built components, and asks everything that the document says may be asked, and more:
/// no answer may be a server's error, or of a status, a media type, a header or a schema that the document does not have.
pub fn check(runtime: Runtime) -> Result<()> {
    let schemathesis = python::tools()?.join("schemathesis");
    let servers = Servers::start(PROPERTIES)?;
    let host = servers.serve(runtime, [].into())?;
    validators::check(&servers, &host).with_context(|| format!("the host's last lines:\n{}", host.last_lines()))?;
    let token = servers.token(demo::TENANTS[0], Some("Admin"))?;
    let mut command = Command::new(schemathesis);
    command.arg("--config-file").arg(stack::repository_root().join(CONFIGURATION));
    command.arg("run").arg(format!("{}/api/openapi.json", host.base_url()));
    // It leaves files in the folder that it runs in.
    command.env("RENTTRACKER_TOKEN", token).current_dir(servers.folder());
    run(&mut command).with_context(|| format!("the host's last lines:\n{}", host.last_lines()))
}
