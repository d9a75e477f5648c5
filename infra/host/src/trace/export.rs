//! The collector, and the way to it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use http::{HeaderMap, HeaderValue};
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{SpanContext, SpanKind, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, Key, KeyValue};
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::runtime::Tokio;
use opentelemetry_sdk::trace::span_processor_with_async_runtime::BatchSpanProcessor;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::sync::oneshot;

use super::Span;

/// Any of these names the collector.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
/// The first that is set counts.
const PROTOCOLS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
/// Set to anything, it turns traces off.
const DISABLED: &str = "OTEL_SDK_DISABLED";
/// The only one that the host speaks, and the default of OpenTelemetry.
const PROTOCOL: &str = "http/protobuf";

/// The service's name where the environment gives none.
const SERVICE_NAME: &str = "edge-host";
/// The SDK's service name where none is given begins so.
const UNNAMED: &str = "unknown_service";
/// What vendors add to a `traceparent`.
const TRACESTATE: &str = "tracestate";

/// How long the collector may take for a batch. A batch has 512 spans, some 200 KB: more than this is a collector that hangs.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the last spans may take when the host stops: as long as the requests before them (`SHUTDOWN_GRACE`).
const FLUSH_GRACE: Duration = Duration::from_secs(2);

/// Begins spans, and sends them to the collector when they have ended.
pub struct Tracing {
    tracer: SdkTracer,
    provider: SdkTracerProvider,
    propagator: TraceContextPropagator,
}

/// The tracer, if `environment` names a collector. Call it inside the tokio runtime: batches are sent from there. The SDK's own
/// exporter thread has no runtime, and the HTTP client would panic on it.
pub fn start(environment: impl Fn(&str) -> Option<String>) -> Result<Option<Arc<Tracing>>> {
    if !is_wanted(environment)? {
        return Ok(None);
    }
    let client = HyperClient::with_default_connector(EXPORT_TIMEOUT, None);
    let exporter = SpanExporter::builder().with_http().with_http_client(client).build();
    let exporter = exporter.context("the collector of OTEL_EXPORTER_OTLP_ENDPOINT cannot be used")?;
    let processor = BatchSpanProcessor::builder(exporter, Tokio).build();
    let provider = SdkTracerProvider::builder().with_resource(resource()).with_span_processor(processor).build();
    let tracer = provider.tracer(env!("CARGO_PKG_NAME"));
    Ok(Some(Arc::new(Tracing { tracer, provider, propagator: TraceContextPropagator::new() })))
}

/// Whether a collector is named. What the host cannot do is refused.
fn is_wanted(environment: impl Fn(&str) -> Option<String>) -> Result<bool> {
    let given = |name: &&str| environment(name).filter(|value| !value.is_empty());
    let Some(endpoint) = ENDPOINTS.iter().find_map(given) else { return Ok(false) };
    if given(&DISABLED).is_some() {
        return Ok(false);
    }
    let protocol = PROTOCOLS.iter().find_map(given);
    let protocol = protocol.as_deref().unwrap_or(PROTOCOL);
    ensure!(
        protocol == PROTOCOL,
        "the embedded host sends traces by {PROTOCOL} alone, not by {protocol}: unset {}",
        PROTOCOLS.join(" and ")
    );
    ensure!(
        endpoint.starts_with("http://"),
        "the embedded host sends traces without TLS: give {} as http://HOST:PORT, or run Spin",
        ENDPOINTS.join(" or ")
    );
    Ok(true)
}

/// What `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` say.
fn resource() -> Resource {
    let detected = Resource::builder().build();
    match detected.get_ref(&Key::from_static_str("service.name")) {
        Some(name) if !name.as_str().starts_with(UNNAMED) => detected,
        _ => Resource::builder().with_service_name(SERVICE_NAME).build(),
    }
}

impl Tracing {
    /// One that sends nothing.
    #[cfg(test)]
    pub fn unsent() -> Self {
        let provider = SdkTracerProvider::builder().build();
        Self { tracer: provider.tracer("test"), provider, propagator: TraceContextPropagator::new() }
    }

    /// Begins a span. Without a parent it begins a trace.
    pub fn begin(
        &self,
        name: Cow<'static, str>,
        kind: SpanKind,
        parent: Option<SpanContext>,
        attributes: Vec<KeyValue>,
    ) -> Span {
        let parent = parent.map_or_else(Context::new, |parent| Context::new().with_remote_span_context(parent));
        let builder = self.tracer.span_builder(name).with_kind(kind).with_attributes(attributes);
        Span::begun(self.tracer.build_with_context(builder, &parent))
    }

    /// The span that these headers name as the parent (W3C Trace Context).
    pub fn parent(&self, headers: &HeaderMap) -> Option<SpanContext> {
        let context = self.propagator.extract_with_context(&Context::new(), &HeaderExtractor(headers));
        context.has_active_span().then(|| context.span().span_context().clone())
    }

    /// Names this span as the parent in `headers`.
    pub fn hand_on(&self, span: &SpanContext, headers: &mut HeaderMap) {
        let context = Context::new().with_remote_span_context(span.clone());
        self.propagator.inject_context(&context, &mut HeaderInjector(headers));
        // Without a state it writes an empty one.
        if headers.get(TRACESTATE).is_some_and(HeaderValue::is_empty) {
            headers.remove(TRACESTATE);
        }
    }

    /// Sends what has not been sent yet. No span can be begun after it.
    pub async fn finish(&self) {
        let (provider, (done, finished)) = (self.provider.clone(), oneshot::channel());
        // On a thread: the SDK blocks until its task in this runtime has sent them. Not one of the runtime, which would be
        // waited for however long the collector takes.
        std::thread::spawn(move || done.send(provider.shutdown()));
        match tokio::time::timeout(FLUSH_GRACE, finished).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::error!("the last spans were not sent: {error}"),
            Ok(Err(_)) | Err(_) => tracing::error!("the last spans were not sent within {FLUSH_GRACE:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(variables: &[(&str, &str)]) -> Result<bool> {
        is_wanted(|name| variables.iter().find(|(given, _)| *given == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn traces_are_off_unless_a_collector_is_named() {
        let collector = "http://127.0.0.1:4318";
        assert!(!wanted(&[]).unwrap());
        assert!(!wanted(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")]).unwrap());
        assert!(!wanted(&[("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", collector)]).unwrap());
        assert!(!wanted(&[("OTEL_EXPORTER_OTLP_ENDPOINT", collector), (DISABLED, "true")]).unwrap());
        assert!(wanted(&[("OTEL_EXPORTER_OTLP_ENDPOINT", collector)]).unwrap());
        assert!(wanted(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", collector)]).unwrap());
    }

    #[test]
    fn what_the_host_cannot_do_is_refused_with_a_way_out() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
        let refusal = wanted(&[endpoint, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]).unwrap_err().to_string();
        assert!(refusal.contains("grpc") && refusal.contains("unset OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"), "{refusal}");
        let traces_alone = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", PROTOCOL);
        assert!(wanted(&[endpoint, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), traces_alone]).unwrap());
        let refusal = wanted(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector:4318")]).unwrap_err().to_string();
        assert!(refusal.contains("http://HOST:PORT"), "{refusal}");
    }

    fn headers(entries: &[(&'static str, &str)]) -> HeaderMap {
        entries.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn a_traceparent_is_the_parent_and_what_is_none_begins_a_trace() {
        let check = |traceparent: &str, expected: Option<&str>| {
            let parent = Tracing::unsent().parent(&headers(&[("traceparent", traceparent)]));
            assert_eq!(parent.map(|parent| parent.span_id().to_string()).as_deref(), expected, "{traceparent}");
        };
        check(&format!("00-{TRACE}-00f067aa0ba902b7-01"), Some("00f067aa0ba902b7"));
        check(&format!("00-{TRACE}-0000000000000000-01"), None);
        check("00-00000000000000000000000000000000-00f067aa0ba902b7-01", None);
        check(&format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()), None);
        check("00-of-the-client-01", None);
        assert!(Tracing::unsent().parent(&HeaderMap::new()).is_none());
    }

    #[test]
    fn a_span_takes_the_place_of_the_traceparent_that_is_handed_on_and_keeps_its_tracestate() {
        let tracing = Tracing::unsent();
        let mut headers =
            headers(&[("traceparent", &format!("00-{TRACE}-00f067aa0ba902b7-01")), ("tracestate", "vendor=1")]);
        let span = tracing.begin("name".into(), SpanKind::Client, tracing.parent(&headers), Vec::new());
        let context = span.context().unwrap();
        assert_eq!((context.trace_id().to_string().as_str(), context.is_sampled()), (TRACE, true));
        tracing.hand_on(&context, &mut headers);
        assert_eq!(headers["traceparent"], format!("00-{TRACE}-{}-01", context.span_id()));
        assert_eq!(headers["tracestate"], "vendor=1");
    }

    #[test]
    fn a_trace_that_its_client_does_not_record_is_not_recorded_and_is_handed_on_so() {
        let tracing = Tracing::unsent();
        let mut headers = headers(&[("traceparent", &format!("00-{TRACE}-00f067aa0ba902b7-00"))]);
        let span = tracing.begin("name".into(), SpanKind::Client, tracing.parent(&headers), Vec::new());
        let context = span.context().unwrap();
        assert!(!context.is_sampled());
        tracing.hand_on(&context, &mut headers);
        assert_eq!(headers["traceparent"], format!("00-{TRACE}-{}-00", context.span_id()));
    }
}
