//! What belongs to one request while an instance works on many: how long it has waited for Redis and for PostgreSQL, the trace that
//! its log lines name, and, in one region of several, what its session has seen.

use cache::region::Position;
use rental::domain::TenantId;
use std::cell::{Cell, OnceCell, RefCell};
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
    /// Boxed, as with one region alone there never is one.
    session: OnceCell<Box<Session>>,
}

/// The session that a request is part of.
#[derive(Debug)]
struct Session {
    tenant: TenantId,
    demand: Position,
    /// The demand, and what was seen since.
    seen: Cell<Position>,
}

thread_local! {
    /// The request whose future is being polled: the executor polls one at a time, and nothing hands it on to a log line.
    static CURRENT: RefCell<Option<Rc<Scope>>> = const { RefCell::new(None) };
    /// When it was, as far as that has been asked for.
    static MOMENT: Cell<Option<Duration>> = const { Cell::new(None) };
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

    /// Whose session it is, and what that has seen by now: what the request asked for, and what was [seen](saw) for its answer.
    pub fn session(&self) -> Option<(&TenantId, Position)> {
        self.session.get().map(|session| (&session.tenant, session.seen.get()))
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

/// Makes the current request part of a session of this tenant, which asks for `demand`. The first is the one that counts.
pub fn begin_session(tenant: &TenantId, demand: Position) {
    CURRENT.with_borrow(|current| {
        let seen = Cell::new(demand);
        let begin = |scope: &Rc<Scope>| scope.session.set(Box::new(Session { tenant: tenant.clone(), demand, seen }));
        current.as_ref().map(begin)
    });
}

/// What the current request's session asks of what it reads. Nothing outside of sessions.
pub fn demand() -> Position {
    if cfg!(feature = "without-session-check") {
        return Position::default();
    }
    CURRENT.with_borrow(|current| current.as_ref()?.session.get().map(|session| session.demand)).unwrap_or_default()
}

/// Notes what the current request has seen: its answer tells it, and a later request of the session asks for it.
pub fn saw(position: Position) {
    CURRENT.with_borrow(|current| {
        if let Some(session) = current.as_ref().and_then(|scope| scope.session.get()) {
            session.seen.set(session.seen.get().merge(position));
        }
    });
}

/// The time of `clock`, which is read once each time that a request is polled. Outside of requests it is read every time.
pub fn moment(clock: impl FnOnce() -> Duration) -> Duration {
    if let Some(moment) = MOMENT.get() {
        return moment;
    }
    let now = clock();
    if CURRENT.with_borrow(Option::is_some) {
        MOMENT.set(Some(now));
    }
    now
}

/// Has the clock read again.
pub fn forget_moment() {
    MOMENT.set(None);
}

struct Scoped<F> {
    scope: Rc<Scope>,
    work: Pin<Box<F>>,
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let before = CURRENT.replace(Some(Rc::clone(&self.scope)));
        forget_moment();
        let polled = self.work.as_mut().poll(context);
        forget_moment();
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

    #[test]
    fn requests_that_are_worked_on_in_turns_have_sessions_of_their_own() {
        let at = |lsn| Position { timeline: 1, lsn, ..Position::default() };
        let [ada, bob] = ["ada", "bob"].map(|name| TenantId::parse(name).expect("a tenant"));
        let (first, second, third) = (Scope::new(None), Scope::new(None), Scope::new(None));
        let (sender, turn) = oneshot::channel();
        let waits = async {
            begin_session(&ada, at(7));
            saw(at(5));
            turn.await.expect("the second has its turn");
            assert_eq!(demand(), if cfg!(feature = "without-session-check") { Position::default() } else { at(7) });
            saw(at(9));
            saw(at(8));
            begin_session(&bob, at(10));
        };
        let goes_on = async {
            assert_eq!(demand(), Position::default());
            begin_session(&bob, at(4));
            saw(at(3));
            sender.send(()).expect("the first waits");
        };
        block_on(join(Rc::clone(&first).run(waits), Rc::clone(&second).run(goes_on)));
        assert_eq!((first.session(), second.session()), (Some((&ada, at(9))), Some((&bob, at(4)))));
        block_on(Rc::clone(&third).run(async { saw(at(8)) }));
        assert_eq!(third.session(), None, "nothing was authenticated");
        saw(at(8));
        assert_eq!(demand(), Position::default(), "nobody's");
    }

    #[test]
    fn the_clock_stands_still_while_a_request_is_polled_and_goes_on_with_the_next_poll() {
        let ticks = Cell::new(0);
        let now = || {
            moment(|| {
                ticks.set(ticks.get() + 1);
                Duration::from_secs(ticks.get())
            })
            .as_secs()
        };
        let (sender, turn) = oneshot::channel();
        let waits = async {
            assert_eq!((now(), now()), (1, 1));
            turn.await.expect("the second has its turn");
            assert_eq!((now(), now()), (3, 3));
            forget_moment();
            assert_eq!(now(), 4, "after something that has blocked");
        };
        let goes_on = async {
            assert_eq!((now(), now()), (2, 2), "another request's poll is another moment");
            sender.send(()).expect("the first waits");
        };
        block_on(join(Scope::new(None).run(waits), Scope::new(None).run(goes_on)));
        assert_eq!((now(), now()), (5, 6), "nobody's time goes on");
    }
}
