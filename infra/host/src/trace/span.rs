//! One span.

use std::borrow::Cow;

use opentelemetry::trace::{Span as _, SpanContext, Status};
use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::trace::Span as SdkSpan;

/// Why something failed, as a word: a code or a class, never the text, which may quote data.
pub const ERROR_TYPE: &str = "error.type";

/// A span that is being recorded, or nothing while traces are off. It ends when it is dropped.
///
/// Boxed, so that a future of the hot path is no larger for a span that it does not have.
pub struct Span(Option<Box<SdkSpan>>);

/// The class of an error, for [`ERROR_TYPE`].
pub trait ErrorType {
    /// A word without data.
    fn error_type(&self) -> Cow<'static, str>;
}

impl Span {
    /// The span of a host that sends no traces.
    pub fn none() -> Self {
        Self(None)
    }

    /// A span that has begun.
    pub fn begun(span: SdkSpan) -> Self {
        Self(Some(Box::new(span)))
    }

    /// What its children are begun with.
    pub fn context(&self) -> Option<SpanContext> {
        self.0.as_ref().map(|span| span.span_context().clone())
    }

    /// What would be sent of it.
    #[cfg(test)]
    pub fn data(&self) -> Option<opentelemetry_sdk::trace::SpanData> {
        self.0.as_ref().and_then(|span| span.exported_data())
    }

    /// Sets an attribute.
    pub fn set(&mut self, name: &'static str, value: impl Into<Value>) {
        if let Some(span) = &mut self.0 {
            span.set_attribute(KeyValue::new(name, value));
        }
    }

    /// Sets an attribute to a copy of this text, which is made only if there is a span.
    pub fn set_text(&mut self, name: &'static str, value: &str) {
        if self.0.is_some() {
            self.set(name, value.to_owned());
        }
    }

    /// Gives it another name.
    pub fn rename(&mut self, name: impl FnOnce() -> String) {
        if let Some(span) = &mut self.0 {
            span.update_name(name());
        }
    }

    /// Marks it as failed.
    pub fn fail(&mut self, error_type: impl Into<Cow<'static, str>>) {
        if let Some(span) = &mut self.0 {
            span.set_attribute(KeyValue::new(ERROR_TYPE, error_type.into()));
            span.set_status(Status::error(""));
        }
    }

    /// Ends it with this result, which is handed on.
    pub fn end<T, E: ErrorType>(mut self, result: Result<T, E>) -> Result<T, E> {
        if let (Some(_), Err(error)) = (&self.0, &result) {
            self.fail(error.error_type());
        }
        result
    }
}
