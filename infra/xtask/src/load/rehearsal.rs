//! The load test, tried: on servers started for that, for seconds.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use load_plan::Plan;
use serde_json::Value;
use stack::Runtime;
use ureq::Agent;

use super::{Generator, Profile};
use crate::demo;
use crate::scene::Servers;
use crate::shell::say;

const PROPERTIES: u32 = 30;
const RATE: u32 = 50;
const SECONDS: u64 = 4;

/// Loads a host, and checks the generator's output and its traces against its promises.
pub fn rehearse(runtime: Runtime) -> Result<()> {
    let generator = Generator::built(Profile::Debug)?;
    let servers = Servers::start(PROPERTIES)?;
    let host = servers.serve(runtime, [].into())?;
    let token = servers.token(demo::TENANTS[0], None)?;
    let out = servers.folder().join("report");
    let plan = Plan { out: Some(out.clone()), ..plan(host.base_url(), &token) };

    refuses_what_is_not_this_machine(&generator, &plan)?;

    let before = properties(host.base_url(), &token)?;
    let (is_well, said) = output(&mut generator.command(plan.clone())?)?;
    ensure!(is_well, "the load failed: {said}");
    let counts = counts(&out)?;
    ensure!(counts == (u64::from(RATE) * SECONDS, u64::from(RATE) * SECONDS, 0, false), "the report says {counts:?}");
    ensure!(said.contains("Load: p95 of a hit, in ms"), "the targets are missing: {said}");
    let page = std::fs::read_to_string(out.join("report.html")).context("there is no page")?;
    let report = std::fs::read_to_string(out.join("report.json"))?;
    ensure!([&said, &page, &report].iter().all(|text| !text.contains(&token)), "the token is shown");
    ensure!(properties(host.base_url(), &token)? == before, "the landlord's properties are not what they were");

    generator.start(Plan { duration: Duration::from_secs(600), ..plan })?.interrupt()?;
    ensure!(self::counts(&out)?.3, "the report does not say that it was interrupted");
    ensure!(properties(host.base_url(), &token)? == before, "an interrupted load left something behind");
    say(format!("{} requests were answered, none failed, and nothing was left behind", counts.1));
    Ok(())
}

/// A light load of a landlord's.
pub fn plan(base_url: &str, token: &str) -> Plan {
    Plan {
        base_url: base_url.into(),
        tokens: vec![token.into()],
        rate: RATE,
        duration: Duration::from_secs(SECONDS),
        read_share: 0.9,
        zipf: 1.0,
        clients: 8,
        properties: 10,
        existing: true,
        i_own_this_host: false,
        ca_file: None,
        allow_failures: false,
        out: None,
    }
}

/// 0.0.0.0 is no loopback address, though a connection to it would end here: so it shows whether there was one.
fn refuses_what_is_not_this_machine(generator: &Generator, plan: &Plan) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let base_url = format!("http://0.0.0.0:{}", listener.local_addr()?.port());
    let (is_well, said) = output(&mut generator.command(Plan { base_url, ..plan.clone() })?)?;
    ensure!(!is_well && said.contains("add --i-own-this-host"), "another host was not refused: {said}");
    let connected = listener.accept().map_err(|error| error.kind());
    ensure!(connected.err() == Some(ErrorKind::WouldBlock), "another host was connected to before it was refused");
    Ok(())
}

/// What came due, was answered and failed, and whether it was interrupted.
pub fn counts(report: &Path) -> Result<(u64, u64, u64, bool)> {
    let text = std::fs::read_to_string(report.join("report.json")).context("there is no report")?;
    let report: Value = serde_json::from_str(&text)?;
    let data = &report["sections"][0]["data"];
    let count = |name: &str| data[name].as_u64().with_context(|| format!("the report has no {name}"));
    let interrupted = data["interrupted"].as_bool().context("the report does not have whether it was interrupted")?;
    Ok((count("due")?, count("answered")?, count("failed")?, interrupted))
}

fn output(command: &mut Command) -> Result<(bool, String)> {
    let output = command.stdin(Stdio::null()).output().context("cannot start the generator")?;
    let said = [output.stdout, output.stderr].map(|stream| String::from_utf8_lossy(&stream).into_owned()).concat();
    Ok((output.status.success(), said))
}

/// All that the landlord has, as it is answered.
fn properties(base_url: &str, token: &str) -> Result<Value> {
    let request = Agent::new_with_defaults().get(format!("{base_url}/api/properties?pageSize=50"));
    Ok(request.header("Authorization", format!("Bearer {token}")).call()?.body_mut().read_json()?)
}
