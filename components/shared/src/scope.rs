//! What belongs to one request while an instance works on many: how long it has waited for Redis and for PostgreSQL, and the
//! trace that its log lines name.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

/// Whom a request has waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// Commands of Redis.
    Redis,
    /// Statements of PostgreSQL, their connections included.
    Postgres,
}

/// One request.
#[derive(Debug, Default)]
pub struct Scope {
    redis: Cell<Duration>,
    postgres: Cell<Duration>,
    trace_id: Option<String>,
}

thread_local! {
    /// The request whose future is being polled.
    static CURRENT: RefCell<Option<Rc<Scope>>> = const { RefCell::new(None) };
}

impl Scope {
    /// A request of the trace with this id, if it has one.
    pub fn new(trace_id: Option<&str>) -> Rc<Self> {
        Rc::new(Self { trace_id: trace_id.map(str::to_owned), ..Self::default() })
    }

    /// How long the request itself has waited. What it waited for another's flight is not in it; what it asked side by side
    /// counts for each.
    pub fn waited_for(&self, share: Share) -> Duration {
        self.of(share).get()
    }

    fn of(&self, share: Share) -> &Cell<Duration> {
        match share {
            Share::Redis => &self.redis,
            Share::Postgres => &self.postgres,
        }
    }

    /// Runs `work` as part of this request. What it spawns is none of it.
    pub async fn run<T>(self: Rc<Self>, work: impl Future<Output = T>) -> T {
        Scoped { scope: self, work: Box::pin(work) }.await
    }
}

/// Adds to what the current request has waited.
pub fn add(share: Share, took: Duration) {
    CURRENT.with_borrow(|current| {
        if let Some(scope) = current {
            scope.of(share).set(scope.of(share).get().saturating_add(took));
        }
    });
}

/// The id of the current request's trace.
pub fn trace_id() -> Option<String> {
    CURRENT.with_borrow(|current| current.as_ref()?.trace_id.clone())
}

struct Scoped<F> {
    scope: Rc<Scope>,
    work: Pin<Box<F>>,
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let before = CURRENT.replace(Some(Rc::clone(&self.scope)));
        let polled = self.work.as_mut().poll(context);
        CURRENT.set(before);
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::channel::oneshot;
    use futures::executor::block_on;
    use futures::future::join;

    #[test]
    fn requests_that_are_worked_on_in_turns_are_told_apart() {
        let (first, second) = (Scope::new(Some("one")), Scope::new(None));
        let (sender, turn) = oneshot::channel();
        let waits = async {
            add(Share::Redis, Duration::from_millis(1));
            turn.await.expect("the second has its turn");
            add(Share::Redis, Duration::from_millis(2));
            assert_eq!(trace_id().as_deref(), Some("one"));
        };
        let goes_on = async {
            add(Share::Postgres, Duration::from_millis(4));
            assert_eq!(trace_id(), None);
            sender.send(()).expect("the first waits");
        };
        block_on(join(Rc::clone(&first).run(waits), Rc::clone(&second).run(goes_on)));
        let waited = |scope: &Scope| [Share::Redis, Share::Postgres].map(|it| scope.waited_for(it).as_millis());
        assert_eq!((waited(&first), waited(&second)), ([3, 0], [0, 4]));
        // Nobody's.
        add(Share::Redis, Duration::from_millis(8));
        assert_eq!((waited(&first), trace_id()), ([3, 0], None));
    }
}
