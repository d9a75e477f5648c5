//! A span, as a host has sent it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span as Message;

/// What a host did, from when to when.
#[derive(Clone, Debug, Default)]
pub struct Span {
    /// The trace that it is in, in hexadecimal digits.
    pub trace: String,
    /// Its own id.
    pub id: String,
    /// The span that it is a part of. It may be a client's, which is not kept here.
    pub parent: Option<String>,
    /// What was done.
    pub name: String,
    /// When it began, in nanoseconds since 1970.
    pub start_ns: u64,
    /// When it ended.
    pub end_ns: u64,
    /// Its attributes, as text.
    pub attributes: BTreeMap<String, String>,
    /// Everything that came with it, the resource too, as text: to be searched for what must not be sent.
    pub message: String,
}

impl Span {
    /// How long it took, in milliseconds.
    pub fn milliseconds(&self) -> f64 {
        self.end_ns.saturating_sub(self.start_ns) as f64 / 1e6
    }

    /// How many bytes of memory it takes, about.
    pub(super) fn bytes(&self) -> usize {
        let texts = [&self.trace, &self.id, &self.name, &self.message].into_iter().chain(&self.parent);
        let attributes = self.attributes.iter().flat_map(|(name, value)| [name, value]);
        size_of::<Span>() + texts.chain(attributes).map(String::len).sum::<usize>()
    }
}

/// The spans of a batch.
pub fn spans(request: ExportTraceServiceRequest) -> impl Iterator<Item = Span> {
    request.resource_spans.into_iter().flat_map(|group| {
        let resource = format!("{:?}", group.resource);
        group.scope_spans.into_iter().flat_map(|scope| scope.spans).map(move |span| read(span, &resource))
    })
}

fn read(message: Message, resource: &str) -> Span {
    Span {
        message: format!("{message:?} {resource}"),
        trace: hexadecimal(&message.trace_id),
        id: hexadecimal(&message.span_id),
        parent: (!message.parent_span_id.is_empty()).then(|| hexadecimal(&message.parent_span_id)),
        name: message.name,
        start_ns: message.start_time_unix_nano,
        end_ns: message.end_time_unix_nano,
        attributes: message.attributes.into_iter().map(|KeyValue { key, value, .. }| (key, text(value))).collect(),
    }
}

fn text(value: Option<AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(truth)) => truth.to_string(),
        other => format!("{other:?}"),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
