//! A release of the checkout as it is: built in another folder, unpacked, and used.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use stack::{Edition, Host, HostOptions, Runtime};

use super::archive::{CHECKSUMS, unpack};
use super::release::Release;
use super::source::Tree;
use super::{FOLDER, components, copy, must_be_same, sbom};
use crate::demo;
use crate::http::Client;
use crate::scene::Servers;
use crate::shell::{run, say};
use crate::wasm::Toolchain;

/// Of each landlord.
const PROPERTIES: u32 = 3;
const ADDRESS: &str = "1 Release Street";

/// Builds the components of `spin.toml` from a copy of the source, holds them to those that `cargo xtask build` has put into the
/// checkout's `target`, and serves them as a release has them. The components for Spin 4.0 are those of the checkout.
pub fn rehearse(toolchain: &Toolchain, runtime: Runtime) -> Result<()> {
    let folder = stack::repository_root().join(FOLDER);
    let source = copy(Tree::Checkout, &folder)?;
    let mut wasm = components::build(toolchain, Edition::Spin4_1, &source, &folder.join("build"))?;
    must_be_same(&components::of_this_checkout(Edition::Spin4_1)?, &wasm)?;
    say("the components are the same, byte for byte, as those built in the checkout");
    wasm.extend(components::of_this_checkout(Edition::Spin4_0)?);
    let release = Release::of(toolchain, &source, wasm)?;
    sbom::check(&source, &release.files)?;
    serve(&release, runtime)
}

/// Unpacks a release as its guide says, and answers one read and one write from it.
fn serve(release: &Release, runtime: Runtime) -> Result<()> {
    let archive = release.archive()?;
    ensure!(unpack(&archive)?.len() == release.files.len(), "the archive does not have every file once");
    let servers = Servers::start(PROPERTIES)?;
    let packed = servers.folder().join("release.tar.gz");
    std::fs::write(&packed, archive)?;
    run(Command::new("tar").arg("-xzf").arg(packed).current_dir(servers.folder()))?;
    let unpacked = servers.folder().join(&release.name);
    run(Command::new("sha256sum").args(["--check", "--strict", "--quiet", CHECKSUMS]).current_dir(&unpacked))?;
    let pending = stack::migrate_from(&servers.database_url(), &unpacked.join("infra/migrations"))?;
    ensure!(pending.is_empty(), "the release has migrations that the checkout has not: {pending:?}");
    let options = HostOptions { variables: servers.variables(), ..servers.options(runtime) };
    let host = Host::start_with(options, &unpacked.join(runtime.edition().manifest()), &[])?;
    read_and_write(&Client::new(host.base_url(), &servers.token(demo::TENANTS[0], None)?))?;
    say(format!("{} serves from its archive", release.name));
    Ok(())
}

fn read_and_write(client: &Client) -> Result<()> {
    let page = client.get("/api/properties")?.body;
    let id = page["items"][0]["id"].as_str().context("a page without properties")?;
    let path = format!("/api/properties/{id}");
    client.put(&path, &json!({ "address": ADDRESS }))?;
    let read = client.get(&path)?.body;
    ensure!(read["address"] == ADDRESS, "the write is not seen: {read}");
    Ok(())
}
