//! What requests cost, for tests and benchmarks: WebAssembly instructions, and calls out of the components by name.
//!
//! Off unless `--meter` names a file, and then nothing is counted and no fuel compiled in. It is outside of the platform:
//! a component cannot tell whether it is on. One client that sends one request after another reads what each cost from
//! the difference between two lines.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, Filter};
use wasmtime::AsContext;

/// The name of the span that wasmtime's bindings open for each call of a host function.
const IMPORT: &str = "wit-bindgen import";

/// As much as there is: an instance is measured, never stopped.
pub const FUEL: u64 = u64::MAX;

/// The host's counters, and the file that they are written to as lines of JSON.
pub struct Meter {
    file: Mutex<File>,
    /// Calls of host functions so far, of all instances.
    calls: Mutex<BTreeMap<String, u64>>,
    instances: AtomicU64,
}

impl Meter {
    /// A meter that begins `file` anew.
    pub fn create(file: &Path) -> Result<Arc<Self>> {
        let file = File::create(file).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(Arc::new(Self { file: Mutex::new(file), calls: Mutex::default(), instances: AtomicU64::default() }))
    }

    /// A new instance, which took so long to make.
    pub fn instance(self: &Arc<Self>, component: &str, took: Duration) -> InstanceMeter {
        let number = self.instances.fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.write(&json!({ "event": "instance", "component": component, "instance": number, "micros": micros }));
        InstanceMeter { meter: self.clone(), component: component.to_owned(), number }
    }

    fn write(&self, line: &Value) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // A failure is ignored: counting must not end a request.
        let _ = writeln!(file, "{line}");
    }
}

/// The meter of one instance.
pub struct InstanceMeter {
    meter: Arc<Meter>,
    component: String,
    number: u64,
}

impl InstanceMeter {
    /// Writes what has been used until now: at each request's start, and at the instance's end.
    pub fn read(&self, event: &str, store: impl AsContext) {
        let fuel = store.as_context().get_fuel().map_or(0, |left| FUEL - left);
        let calls = self.meter.calls.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.meter.write(&json!({
            "event": event, "component": self.component, "instance": self.number, "fuel": fuel, "calls": calls,
        }));
    }
}

/// Counts the calls of host functions as they are traced.
pub struct Calls(pub Arc<Meter>);

impl<S: Subscriber> Layer<S> for Calls {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        let mut name = FunctionName::default();
        attributes.record(&mut name);
        let mut calls = self.0.calls.lock().unwrap_or_else(PoisonError::into_inner);
        *calls.entry(format!("{}/{}", name.module, name.function)).or_default() += 1;
    }
}

/// Lets through what [`Calls`] counts.
pub struct ImportsAlone;

impl<S> Filter<S> for ImportsAlone {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        metadata.is_span() && metadata.name() == IMPORT
    }
}

#[derive(Default)]
struct FunctionName {
    module: String,
    function: String,
}

impl Visit for FunctionName {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "module" => value.clone_into(&mut self.module),
            "function" => value.clone_into(&mut self.function),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt;

    #[test]
    fn calls_of_host_functions_are_counted_by_name_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let meter = Meter::create(&folder.path().join("meter")).unwrap();
        let subscriber = tracing_subscriber::registry().with(Calls(meter.clone()).with_filter(ImportsAlone));
        tracing::subscriber::with_default(subscriber, || {
            for _ in 0..2 {
                tracing::trace_span!("wit-bindgen import", module = "redis", function = "[method]connection.get");
            }
            tracing::trace_span!("something else", module = "redis", function = "x");
            tracing::error!(module = "redis", function = "x", "an event");
        });
        let calls = meter.calls.lock().unwrap().clone();
        assert_eq!(calls, BTreeMap::from([("redis/[method]connection.get".to_owned(), 2)]));
    }
}
