//! One instance of a component: its state, how long it lives and how many requests it takes.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use clap::Args;
use tokio::sync::{mpsc, watch};
use tokio::time::Sleep;
use wasmtime::component::{GuestTaskId, ResourceTable};
use wasmtime::{Store, StoreContextMut};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::WasiHttpCtx;
use wasmtime_wasi_http::handler::{ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus};
use wasmtime_wasi_http::p3::{WasiHttpCtxView, WasiHttpView};

use crate::key_value::KeyValueState;
use crate::meter::InstanceMeter;
use crate::outgoing::OutgoingHttp;
use crate::postgres::PostgresState;
use crate::redis::RedisState;
use crate::trace::SpanContext;
use crate::variables::ComponentVariables;

/// How long instances are used: Spin's options with Spin's defaults, without its ranges.
#[derive(Args, Clone, Copy, Debug)]
pub struct Reuse {
    /// How many requests an instance answers before a new one takes its place
    #[arg(long, value_name = "COUNT", default_value_t = 128)]
    pub max_instance_reuse_count: usize,
    /// How many of them at once
    #[arg(long, value_name = "COUNT", default_value_t = 16)]
    pub max_instance_concurrent_reuse_count: usize,
    /// How long an instance without work is kept, as 2s or 500ms
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = time)]
    pub idle_instance_timeout: Duration,
}

fn time(text: &str) -> Result<Duration, String> {
    let (number, unit): (&str, fn(u64) -> Duration) = match text.strip_suffix("ms") {
        Some(number) => (number, Duration::from_millis),
        None => (text.strip_suffix('s').unwrap_or(text), Duration::from_secs),
    };
    number.parse().map(unit).map_err(|_| "it must be a number of seconds or milliseconds, as 2s or 500ms".into())
}

/// What the host keeps for one instance.
pub struct InstanceState {
    /// WASI proper.
    pub wasi: WasiCtx,
    /// The resources of WASI and HTTP.
    pub table: ResourceTable,
    /// Limits of HTTP fields.
    pub http: WasiHttpCtx,
    /// What happens to outgoing requests.
    pub outgoing: OutgoingHttp,
    /// `spin:redis`.
    pub redis: RedisState,
    /// `spin:postgres`.
    pub postgres: PostgresState,
    /// `spin:key-value` and `wasi:keyvalue`.
    pub key_value: KeyValueState,
    /// `spin:variables` and `wasi:config`.
    pub variables: Arc<ComponentVariables>,
    /// Dropped with the instance: the host waits for the last one before it ends.
    pub _alive: mpsc::Sender<()>,
}

impl WasiView for InstanceState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for InstanceState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outgoing, table: &mut self.table, ctx: &mut self.http }
    }
}

/// When an instance ends: after a second without work, or at once when the host stops.
///
/// While a request runs, or a task that it left behind, it does not end: Spin sets neither a time limit.
pub struct Lifetime {
    idle_timeout: Duration,
    idle: Pin<Box<Sleep>>,
    stop: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
}

impl Lifetime {
    /// A lifetime that ends after `idle_timeout` without work, or when `stopping` becomes true.
    pub fn new(idle_timeout: Duration, mut stopping: watch::Receiver<bool>) -> Self {
        let stop = async move {
            // An error means that the host is gone, which is a stop too.
            let _ = stopping.wait_for(|stopping| *stopping).await;
        };
        Self { idle_timeout, idle: Box::pin(tokio::time::sleep(idle_timeout)), stop: Box::pin(stop) }
    }
}

impl WorkerExpiration for Lifetime {
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>, status: WorkerStatus, since: Instant) -> Poll<()> {
        if status != WorkerStatus::Idle {
            return Poll::Pending;
        }
        let end = (since + self.idle_timeout).into();
        if self.idle.deadline() != end {
            self.idle.as_mut().reset(end);
        }
        // Not polled again once it is ready: the instance ends with it.
        if self.stop.as_mut().poll(context).is_ready() { Poll::Ready(()) } else { self.idle.as_mut().poll(context) }
    }
}

/// How many requests an instance takes, and what is logged when it fails.
pub struct Limits {
    /// The component's id, for the log.
    pub component: String,
    /// How many.
    pub reuse: Reuse,
    /// Counts what its requests cost, if that is asked for.
    pub meter: Option<InstanceMeter>,
}

impl WorkerState for Limits {
    type StoreData = InstanceState;
    /// The span that what the request calls is below.
    type RequestId = Option<SpanContext>;

    fn should_accept_request(&self, concurrent: usize, total: usize) -> ShouldAccept {
        if total >= self.reuse.max_instance_reuse_count {
            ShouldAccept::Never
        } else if concurrent >= self.reuse.max_instance_concurrent_reuse_count {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        store: StoreContextMut<'_, InstanceState>,
        span: Option<SpanContext>,
        task: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync + 'static>> {
        if let Some(meter) = &self.meter {
            meter.read("request", &store);
        }
        if let (Some(traces), Some(span)) = (&store.data().outgoing.traces, span) {
            traces.note(task, span);
        }
        // No request has a deadline: Spin's default.
        Box::pin(std::future::pending())
    }

    fn drop(&self, store: Store<InstanceState>, result: Result<(), wasmtime::Error>) {
        if let Some(meter) = &self.meter {
            meter.read("end", &store);
        }
        if let Err(error) = result {
            eprintln!("{}: the instance failed, and with it every request in it: {error:?}", self.component);
        }
        drop(store);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reuse(arguments: &[&str]) -> Reuse {
        let command = Reuse::augment_args(clap::Command::new("host"));
        let matches = command.try_get_matches_from([&["host"], arguments].concat()).expect("arguments");
        <Reuse as clap::FromArgMatches>::from_arg_matches(&matches).expect("a reuse")
    }

    #[test]
    fn an_instance_without_work_is_kept_for_as_long_as_it_is_told() {
        let check = |arguments: &[&str], millis| {
            assert_eq!(reuse(arguments).idle_instance_timeout, Duration::from_millis(millis), "{arguments:?}");
        };
        check(&[], 1_000);
        check(&["--idle-instance-timeout", "20ms"], 20);
        check(&["--idle-instance-timeout", "3s"], 3_000);
        check(&["--idle-instance-timeout", "4"], 4_000);
        assert!(time("soon").is_err());
    }

    #[test]
    fn an_instance_takes_sixteen_at_once_and_a_hundred_and_twenty_eight_in_all() {
        let limits = Limits { component: "c".into(), reuse: reuse(&[]), meter: None };
        let check = |concurrent, total, expected: &str| {
            let answer = match limits.should_accept_request(concurrent, total) {
                ShouldAccept::Yes => "yes",
                ShouldAccept::No => "not now",
                ShouldAccept::Never => "never",
            };
            assert_eq!(answer, expected, "{concurrent} at once, {total} in all");
        };
        check(15, 127, "yes");
        check(16, 127, "not now");
        check(0, 128, "never");
    }

    const IDLE: Duration = Duration::from_millis(50);

    async fn ends_within(lifetime: &mut Lifetime, status: WorkerStatus, since: Instant, limit: Duration) -> bool {
        let poll = std::future::poll_fn(|context| Pin::new(&mut *lifetime).poll(context, status, since));
        tokio::time::timeout(limit, poll).await.is_ok()
    }

    #[tokio::test]
    async fn an_instance_ends_when_it_was_idle_long_enough_but_never_while_a_task_runs() {
        let (_stop, stopping) = watch::channel(false);
        let since = Instant::now();
        let mut lifetime = Lifetime::new(IDLE, stopping);
        for busy in [WorkerStatus::Requests, WorkerStatus::PostReturn] {
            assert!(!ends_within(&mut lifetime, busy, since, 2 * IDLE).await, "{busy:?}");
        }
        let since = Instant::now();
        assert!(ends_within(&mut lifetime, WorkerStatus::Idle, since, 20 * IDLE).await);
        assert!(since.elapsed() >= IDLE, "it ended before its time");
    }

    #[tokio::test]
    async fn an_idle_instance_ends_at_once_when_the_host_stops() {
        let (stop, stopping) = watch::channel(false);
        let mut lifetime = Lifetime::new(Duration::from_secs(3600), stopping);
        stop.send(true).unwrap();
        assert!(!ends_within(&mut lifetime, WorkerStatus::PostReturn, Instant::now(), IDLE).await);
        assert!(ends_within(&mut lifetime, WorkerStatus::Idle, Instant::now(), 20 * IDLE).await);
    }
}
