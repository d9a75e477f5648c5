//! What an instance has counted and not told yet.

use cache::RedisFailure;
use rental::metrics::{Count, Delta, Timing};
use std::cell::{Cell, RefCell};
use std::time::Duration;

/// What an instance has counted and not told yet.
#[derive(Default)]
pub struct Counts {
    pending: RefCell<Delta>,
    /// Whether a task is going to tell.
    is_flushing: Cell<bool>,
    /// Whether one has told before.
    has_flushed: Cell<bool>,
    /// Answers of this instance.
    answers: Cell<u32>,
}

impl Counts {
    /// Counts one.
    pub fn count(&self, what: Count) {
        self.count_many(what, 1);
    }

    /// Counts some.
    pub fn count_many(&self, what: Count, by: u64) {
        self.pending.borrow_mut().count(what, by);
    }

    /// Measures.
    pub fn time(&self, what: Timing, took: Duration) {
        self.pending.borrow_mut().time(what, took);
    }

    /// Counts a failure of Redis by its kind, and a refusal by what it means.
    pub fn redis<T>(&self, result: &Result<T, RedisFailure>) {
        if let Err(failure) = result {
            self.count(Count::RedisError(failure.kind()));
            if let Some(refusal) = failure.refusal() {
                self.count(Count::RedisRefused(refusal));
            }
        }
    }

    /// Whether the caller is the one to flush; it calls [`Counts::take`] when it does.
    pub fn begin_flush(&self) -> bool {
        !self.is_flushing.replace(true)
    }

    /// Whether the flush that has begun is the instance's first. Asked once a flush.
    pub fn is_first_flush(&self) -> bool {
        !self.has_flushed.replace(true)
    }

    /// Counts an answer; how many there are with it.
    pub fn answered(&self) -> u32 {
        self.answers.set(self.answers.get().wrapping_add(1));
        self.answers.get()
    }

    /// All that was counted until now.
    pub fn take(&self) -> Delta {
        self.is_flushing.set(false);
        self.pending.take()
    }

    /// Takes back what could not be told.
    pub fn put_back(&self, delta: Delta) {
        self.keep(delta);
        self.count(Count::FailedFlush);
    }

    /// Takes back what is to be told later.
    pub fn keep(&self, delta: Delta) {
        self.pending.borrow_mut().add(delta);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_that_could_not_be_told_go_with_the_next() {
        let counts = Counts::default();
        counts.count_many(Count::Drained, 2);
        assert!(counts.begin_flush());
        assert!(!counts.begin_flush(), "one task flushes at a time");
        assert!(counts.is_first_flush() && !counts.is_first_flush());
        let taken = counts.take();
        assert!(!taken.is_empty() && counts.take().is_empty());
        counts.put_back(taken);
        assert!(counts.begin_flush() && !counts.take().is_empty());
    }
}
