//! The traces that the collector has, in the order in which they began to arrive.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::span::Span;
use super::tree;

/// The most spans, of some 1 KB each. Beyond them the oldest trace is dropped.
const MAX_SPANS: usize = 20_000;
/// The most bytes of all spans: three times what 20,000 usual ones have. Beyond them the oldest trace is dropped.
const MAX_BYTES: usize = 64 << 20;

/// The spans of one trace.
pub struct Trace {
    /// Its id, in hexadecimal digits.
    pub id: String,
    /// In the order in which they arrived.
    pub spans: Vec<Span>,
    last_added: Instant,
}

impl Trace {
    /// Its spans as an indented tree, a line each, with what they took.
    pub fn tree(&self) -> String {
        tree::tree(&self.id, &self.spans)
    }

    fn bytes(&self) -> usize {
        self.spans.iter().map(Span::bytes).sum()
    }
}

#[derive(Default)]
pub(super) struct TraceBuffer {
    traces: VecDeque<Trace>,
    count: usize,
    bytes: usize,
}

impl TraceBuffer {
    /// Takes one span after another, so that a batch that is larger as text than as it was sent does not need the memory at once.
    pub(super) fn add(&mut self, spans: impl IntoIterator<Item = Span>) {
        for span in spans {
            self.count += 1;
            self.bytes += span.bytes();
            let now = Instant::now();
            // From the newest: a span mostly belongs to one of the last.
            match self.traces.iter_mut().rev().find(|trace| trace.id == span.trace) {
                Some(trace) => {
                    trace.spans.push(span);
                    trace.last_added = now;
                }
                None => self.traces.push_back(Trace { id: span.trace.clone(), spans: vec![span], last_added: now }),
            }
            while self.count > MAX_SPANS || self.bytes > MAX_BYTES {
                let Some(oldest) = self.traces.pop_front() else { break };
                self.count -= oldest.spans.len();
                self.bytes -= oldest.bytes();
            }
        }
    }

    pub(super) fn spans(&self) -> impl Iterator<Item = &Span> {
        self.traces.iter().flat_map(|trace| &trace.spans)
    }

    pub(super) fn take(&mut self, quiet: Duration) -> Vec<Trace> {
        let (taken, left): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.traces).into_iter().partition(|trace| trace.last_added.elapsed() >= quiet);
        self.traces = left;
        self.count = self.traces.iter().map(|trace| trace.spans.len()).sum();
        self.bytes = self.traces.iter().map(Trace::bytes).sum();
        taken.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(trace: &str) -> Span {
        Span { trace: trace.into(), ..Span::default() }
    }

    fn ids(buffer: &TraceBuffer) -> Vec<&str> {
        buffer.traces.iter().map(|trace| trace.id.as_str()).collect()
    }

    #[test]
    fn spans_of_a_trace_are_kept_together_and_the_oldest_trace_makes_room() {
        let mut buffer = TraceBuffer::default();
        buffer.add([span("a"), span("b"), span("a")]);
        assert_eq!(buffer.traces.iter().map(|trace| trace.spans.len()).collect::<Vec<_>>(), [2, 1]);
        buffer.add(vec![span("b"); MAX_SPANS - 2]);
        assert_eq!(ids(&buffer), ["b"]);
        assert_eq!((buffer.count, buffer.spans().count()), (MAX_SPANS - 1, MAX_SPANS - 1));
    }

    #[test]
    fn large_spans_are_bounded_by_their_bytes() {
        const LARGE: usize = MAX_BYTES / 4;
        let large = |trace: &str| Span { message: "m".repeat(LARGE), ..span(trace) };
        let mut buffer = TraceBuffer::default();
        buffer.add(["a", "b", "c"].map(large));
        assert_eq!(ids(&buffer), ["a", "b", "c"]);
        assert!((3 * LARGE..MAX_BYTES).contains(&buffer.bytes), "{}", buffer.bytes);
        // Four have a few bytes more than fit.
        buffer.add(["d", "e"].map(large));
        assert_eq!(ids(&buffer), ["c", "d", "e"]);
        // One trace that does not fit is dropped too.
        buffer.add(["e", "e", "e"].map(large));
        assert_eq!(ids(&buffer), Vec::<&str>::new());
        assert_eq!((buffer.count, buffer.bytes), (0, 0));
        buffer.add([span("f")]);
        assert_eq!((buffer.take(Duration::ZERO).len(), buffer.count, buffer.bytes), (1, 0, 0));
    }
}
