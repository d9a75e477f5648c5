//! Traces: what the host did for a request, as spans that an OpenTelemetry collector shows as one tree.
//!
//! They are off unless the environment names a collector. Then there is no [`Tracing`], every [`Span`] is empty, and nothing is
//! allocated. Names are those of Spin 4.1 where it has the span. No span has an argument, a parameter, a query, a body or the
//! text of an error, and of the headers only `traceparent` and `tracestate`: the rest holds tokens and tenants' data.

mod calls;
mod client;
mod export;
mod http;
mod span;

pub use calls::InstanceTraces;
pub use client::TracedClient;
pub use export::{Tracing, start};
pub use http::{component, incoming, outgoing};
pub use opentelemetry::trace::SpanContext;
pub use span::{ErrorType, Span};
