//! The embedded host: runs `spin.toml` and its components as Spin 4.1 does, where the Spin CLI is not installed.
//!
//! It has no behaviour that Spin does not have. A component that works here and not on Spin has found a bug of the host.
//! What it does beyond Spin, no component can observe: `--meter` writes what requests cost. As Spin, it sends traces to the
//! collector that `OTEL_EXPORTER_OTLP_ENDPOINT` names.

mod app;
mod bindings;
mod component;
mod headers;
mod instance;
mod key_value;
mod limits;
mod manifest;
mod meter;
mod names;
mod outbound;
mod outgoing;
mod output;
mod postgres;
mod redis;
mod routes;
mod server;
mod streams;
mod table;
mod trace;
mod variables;

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use clap::{ArgAction, Parser};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The folder in the state's for what components print. Spin's name for it.
const LOGS: &str = "logs";

/// Runs a Spin application.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The application's manifest, or the folder that it is in
    #[arg(short, long, value_name = "PATH", default_value = "spin.toml")]
    from: PathBuf,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// Where the key-value store and what components print are kept [default: `.spin` beside the manifest]
    #[arg(long, value_name = "FOLDER")]
    state_dir: Option<PathBuf>,
    /// Sets a variable of the application, before the environment's `SPIN_VARIABLE_<NAME>`
    #[arg(long = "variable", value_name = "NAME=VALUE", value_parser = assignment)]
    variables: Vec<(String, String)>,
    /// Send small segments at once. Spin does not: `false` shows what its users see
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    tcp_nodelay: bool,
    #[command(flatten)]
    reuse: instance::Reuse,
    /// Write to this file what requests cost: instructions and calls of the host, a line of JSON at each request's start
    #[arg(long, value_name = "FILE")]
    meter: Option<PathBuf>,
    /// Keep compiled components in this folder, for later starts to take them from; without it each start compiles them
    #[arg(long, value_name = "FOLDER")]
    compile_cache: Option<PathBuf>,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it must be name=value")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let run = || {
        let meter = arguments.meter.as_deref().map(meter::Meter::create).transpose()?;
        log_to_stderr(meter.clone());
        tokio::runtime::Runtime::new()?.block_on(run(arguments, meter))
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Sends the host's own messages to standard error, and the calls of its functions to the meter.
fn log_to_stderr(meter: Option<Arc<meter::Meter>>) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into());
    let messages = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).without_time().with_filter(filter);
    let calls = meter.map(|meter| meter::Calls(meter).with_filter(meter::ImportsAlone));
    tracing_subscriber::registry().with(messages).with(calls).init();
}

async fn run(arguments: Arguments, meter: Option<Arc<meter::Meter>>) -> Result<()> {
    // Redis and outgoing HTTP build their TLS on the process's default.
    rustls::crypto::ring::default_provider().install_default().map_err(|_| anyhow!("TLS was set up twice"))?;
    let tracing = trace::start(|name| std::env::var(name).ok())?;
    let manifest_path = if arguments.from.is_dir() { arguments.from.join("spin.toml") } else { arguments.from.clone() };
    let manifest = manifest::load(&manifest_path)?;
    let values = variables::Values::resolve(&manifest.variables, &arguments.variables, variables::environment()?)?;
    let router = routes::Router::new(&manifest.triggers)?;

    // Bound before anything is compiled: a taken port is reported at once.
    let listener =
        TcpListener::bind(arguments.listen).await.with_context(|| format!("cannot listen on {}", arguments.listen))?;
    let address = listener.local_addr()?;

    let state = state_folder(&arguments, &manifest_path);
    let cache = arguments.compile_cache.as_deref();
    let mut loader = component::Loader::new(meter.is_some(), tracing.is_some(), cache, state.join(LOGS))?;
    let triggered = |id: &str| manifest.triggers.iter().any(|trigger| trigger.component == id);
    let load = |(id, entry): (&String, &manifest::Component)| {
        let loaded = loader.load(id, entry, &values).with_context(|| format!("component {id:?}"))?;
        Ok((id.clone(), loaded))
    };
    // A component without a trigger cannot be reached, not even by chaining.
    let loaded =
        manifest.components.iter().filter(|(id, _)| triggered(id)).map(load).collect::<Result<BTreeMap<_, _>>>()?;

    let (alive, mut all_gone) = mpsc::channel(1);
    let (stop, stopping) = watch::channel(false);
    let database = key_value::Database::new(state.join(key_value::FILE_NAME));
    let shared = component::Shared {
        database: Arc::new(database),
        alive: alive.downgrade(),
        stopping,
        reuse: arguments.reuse,
        meter,
        tracing: tracing.clone(),
    };
    let app = component::application(loaded, &shared, address);

    announce(address, &router);
    let server = server::Server::new(app.clone(), router, manifest.info(), arguments.tcp_nodelay);
    let deadline = server.serve(listener, asked_to_stop()?).await;
    // Idle instances end now; one that still runs a task after its response ends after that task.
    stop.send_replace(true);
    drop(alive);
    if tokio::time::timeout_at(deadline, all_gone.recv()).await.is_err() {
        eprintln!("tasks after a response were still running and have been cut off");
    }
    // Not earlier: those tasks may send requests to other components.
    drop(app);
    if let Some(tracing) = tracing {
        tracing.finish().await;
    }
    Ok(())
}

fn state_folder(arguments: &Arguments, manifest: &Path) -> PathBuf {
    arguments.state_dir.clone().unwrap_or_else(|| manifest.parent().unwrap_or(Path::new("")).join(".spin"))
}

/// Prints on standard output where the application is.
fn announce(address: SocketAddr, router: &routes::Router) {
    let route = |(component, route): &(String, String)| format!("  {component}: http://{address}{route}\n");
    let routes: String = router.listing().iter().map(route).collect();
    // A reader of the first line may close the pipe after it, which must not end the host.
    let _ = std::io::stdout().write_all(format!("Serving http://{address}\nAvailable Routes:\n{routes}").as_bytes());
}

/// Resolves at the first SIGTERM or SIGINT.
fn asked_to_stop() -> Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
