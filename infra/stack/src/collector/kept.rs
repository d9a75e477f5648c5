//! The traces that are kept, in the order in which they began to arrive.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::span::Span;
use super::tree;

/// How many spans are kept, of some 1 KB each. Beyond them the oldest trace is dropped.
const MAX_SPANS: usize = 20_000;

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
}

#[derive(Default)]
pub(super) struct Kept {
    traces: VecDeque<Trace>,
    count: usize,
}

impl Kept {
    pub(super) fn add(&mut self, spans: Vec<Span>) {
        for span in spans {
            self.count += 1;
            let now = Instant::now();
            // From the newest: a span mostly belongs to one of the last.
            match self.traces.iter_mut().rev().find(|trace| trace.id == span.trace) {
                Some(trace) => {
                    trace.spans.push(span);
                    trace.last_added = now;
                }
                None => self.traces.push_back(Trace { id: span.trace.clone(), spans: vec![span], last_added: now }),
            }
            while self.count > MAX_SPANS {
                let Some(oldest) = self.traces.pop_front() else { break };
                self.count -= oldest.spans.len();
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
        taken.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(trace: &str) -> Span {
        Span { trace: trace.into(), ..Span::default() }
    }

    #[test]
    fn spans_of_a_trace_are_kept_together_and_the_oldest_trace_makes_room() {
        let mut kept = Kept::default();
        kept.add(vec![span("a"), span("b"), span("a")]);
        assert_eq!(kept.traces.iter().map(|trace| trace.spans.len()).collect::<Vec<_>>(), [2, 1]);
        kept.add(vec![span("b"); MAX_SPANS - 2]);
        assert_eq!(kept.traces.iter().map(|trace| trace.id.as_str()).collect::<Vec<_>>(), ["b"]);
        assert_eq!((kept.count, kept.spans().count()), (MAX_SPANS - 1, MAX_SPANS - 1));
    }
}
