//! Requests that ask for the same while it is being read share the next read.
//!
//! One read is under way for each name. Requests that arrive meanwhile wait for the next, which starts when the first has
//! ended: however many ask, an instance has one such read under way for each name.

use futures::channel::oneshot;
use std::cell::RefCell;
use std::collections::HashMap;

/// The next read of a name.
struct Next<T, E> {
    /// Wakes its leader when the read before has ended; `None` after that.
    turn: Option<oneshot::Sender<()>>,
    followers: Vec<oneshot::Sender<Result<T, E>>>,
}

/// The reads of one instance. `T` is what is read, `E` why it failed: each is cloned for every follower.
///
/// ```
/// use cache::flight::SharedReads;
/// use futures::executor::block_on;
///
/// let reads: SharedReads<u32, String> = SharedReads::default();
/// assert_eq!(block_on(reads.share("answer", async || Ok(42))), Ok(42));
/// ```
pub struct SharedReads<T, E> {
    /// The names of which a read is under way, with the requests that wait for the next.
    under_way: RefCell<HashMap<String, Option<Next<T, E>>>>,
}

impl<T, E> Default for SharedReads<T, E> {
    fn default() -> Self {
        Self { under_way: RefCell::default() }
    }
}

enum Role<T, E> {
    /// Reads now, for these.
    Leader(Vec<oneshot::Sender<Result<T, E>>>),
    /// Reads next.
    Waiting(oneshot::Receiver<()>),
    /// Takes what the next leader reads.
    Follower(oneshot::Receiver<Result<T, E>>),
}

impl<T: Clone, E: Clone> SharedReads<T, E> {
    /// Answers what `fetch` answers, from a call of it that began after this one.
    ///
    /// # Errors
    /// Those of `fetch`, which every request that shares the read gets.
    pub async fn share(&self, name: &str, fetch: impl AsyncFn() -> Result<T, E>) -> Result<T, E> {
        let followers = match self.role(name) {
            Role::Leader(followers) => followers,
            Role::Waiting(turn) => {
                let waiting = Waiting { reads: self, name, is_over: false };
                let _ = turn.await;
                waiting.begin()
            }
            Role::Follower(answer) => match answer.await {
                Ok(answer) => return answer,
                // The leader's client hung up, and its read went with it.
                Err(oneshot::Canceled) => return fetch().await,
            },
        };
        let _read = UnderWay { reads: self, name };
        let answer = fetch().await;
        for follower in followers {
            // A follower that has gone away has dropped the other end.
            let _ = follower.send(answer.clone());
        }
        answer
    }
}

impl<T, E> SharedReads<T, E> {
    fn role(&self, name: &str) -> Role<T, E> {
        let mut names = self.under_way.borrow_mut();
        match names.get_mut(name) {
            None => {
                names.insert(name.to_owned(), None);
                Role::Leader(Vec::new())
            }
            Some(None) => {
                let (turn, waiting) = oneshot::channel();
                names.insert(name.to_owned(), Some(Next { turn: Some(turn), followers: Vec::new() }));
                Role::Waiting(waiting)
            }
            Some(Some(next)) => {
                let (follower, answer) = oneshot::channel();
                next.followers.push(follower);
                Role::Follower(answer)
            }
        }
    }
}

/// The leader of the next read, waiting for its turn. Dropped, it releases its followers, which read for themselves.
struct Waiting<'a, T, E> {
    reads: &'a SharedReads<T, E>,
    name: &'a str,
    is_over: bool,
}

impl<T, E> Waiting<'_, T, E> {
    /// Stops accepting followers; returns those waiting.
    fn begin(mut self) -> Vec<oneshot::Sender<Result<T, E>>> {
        self.is_over = true;
        self.take().map(|next| next.followers).unwrap_or_default()
    }

    fn take(&self) -> Option<Next<T, E>> {
        self.reads.under_way.borrow_mut().get_mut(self.name).and_then(Option::take)
    }
}

impl<T, E> Drop for Waiting<'_, T, E> {
    fn drop(&mut self) {
        if !self.is_over && self.take().is_none_or(|next| next.turn.is_none()) {
            // The read before has ended, so nothing else removes the name.
            self.reads.under_way.borrow_mut().remove(self.name);
        }
    }
}

/// A read under way. Dropped, it has ended: the next one may begin.
struct UnderWay<'a, T, E> {
    reads: &'a SharedReads<T, E>,
    name: &'a str,
}

impl<T, E> Drop for UnderWay<'_, T, E> {
    fn drop(&mut self) {
        let mut names = self.reads.under_way.borrow_mut();
        let Some(Some(next)) = names.get_mut(self.name) else {
            names.remove(self.name);
            return;
        };
        if let Some(turn) = next.turn.take() {
            // The leader takes its followers itself, or has dropped them with the other end.
            let _ = turn.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::LocalPool;
    use futures::task::LocalSpawnExt;
    use std::cell::Cell;
    use std::rc::Rc;

    type Answer = Result<String, &'static str>;

    /// A database whose answers the test gives, one after the other.
    #[derive(Default)]
    struct Database {
        waiting: RefCell<Vec<oneshot::Sender<()>>>,
        began: Cell<usize>,
    }

    impl Database {
        /// Answers with the number of this read.
        async fn read(&self) -> Answer {
            let number = self.began.get() + 1;
            self.began.set(number);
            let (sender, answered) = oneshot::channel();
            self.waiting.borrow_mut().push(sender);
            answered.await.map_err(|_| "gone")?;
            Ok(number.to_string())
        }

        fn answer(&self) {
            let next = self.waiting.borrow_mut().remove(0);
            next.send(()).expect("a request waits for it");
        }
    }

    struct Crowd {
        pool: LocalPool,
        reads: Rc<SharedReads<String, &'static str>>,
        database: Rc<Database>,
        answers: Rc<RefCell<Vec<String>>>,
    }

    impl Crowd {
        fn new() -> Self {
            Self { pool: LocalPool::new(), reads: Rc::default(), database: Rc::default(), answers: Rc::default() }
        }

        fn ask(&mut self, name: &'static str, count: usize) {
            for _ in 0..count {
                let reads = Rc::clone(&self.reads);
                let (database, answers) = (Rc::clone(&self.database), Rc::clone(&self.answers));
                let asking = async move {
                    let answer = reads.share(name, async || database.read().await).await;
                    answers.borrow_mut().push(answer.unwrap_or_else(str::to_owned));
                };
                self.pool.spawner().spawn_local(asking).expect("spawns");
            }
            self.pool.run_until_stalled();
        }

        fn answer(&mut self) {
            self.database.answer();
            self.pool.run_until_stalled();
        }
    }

    #[test]
    fn requests_that_arrive_during_a_read_share_the_next() {
        let mut crowd = Crowd::new();
        crowd.ask("a", 10);
        assert_eq!(crowd.database.began.get(), 1);
        crowd.answer();
        assert_eq!((crowd.answers.borrow().len(), crowd.database.began.get()), (1, 2));
        // These come when the second is under way already: it may show less than they have to see.
        crowd.ask("a", 5);
        crowd.answer();
        assert_eq!((crowd.answers.borrow().len(), crowd.database.began.get()), (10, 3));
        crowd.answer();
        assert_eq!(crowd.answers.borrow().len(), 15);
        let count = |number: &str| crowd.answers.borrow().iter().filter(|it| *it == number).count();
        assert_eq!([count("1"), count("2"), count("3")], [1, 9, 5]);
        assert!(crowd.reads.under_way.borrow().is_empty());
    }

    #[test]
    fn other_names_are_read_beside_it() {
        let mut crowd = Crowd::new();
        crowd.ask("b", 1);
        crowd.ask("c", 1);
        assert_eq!(crowd.database.began.get(), 2);
        crowd.answer();
        crowd.answer();
        assert_eq!(crowd.answers.borrow().len(), 2);
    }

    #[test]
    fn followers_of_a_leader_that_is_dropped_read_for_themselves() {
        let (reads, database) = (Rc::<SharedReads<_, _>>::default(), Rc::new(Database::default()));
        let mut pool = LocalPool::new();
        let ask = || {
            let (reads, database) = (Rc::clone(&reads), Rc::clone(&database));
            async move { reads.share("d", async || database.read().await).await }
        };
        let first = pool.spawner().spawn_local_with_handle(ask()).expect("spawns");
        pool.run_until_stalled();
        let leader = pool.spawner().spawn_local_with_handle(ask()).expect("spawns");
        pool.run_until_stalled();
        let follower = pool.spawner().spawn_local_with_handle(ask()).expect("spawns");
        pool.run_until_stalled();
        drop(leader);
        pool.run_until_stalled();
        assert_eq!(database.began.get(), 2, "the follower reads for itself");
        drop(first);
        pool.run_until_stalled();
        database.waiting.borrow_mut().remove(0);
        database.answer();
        assert!(pool.run_until(follower).is_ok());
        assert!(reads.under_way.borrow().is_empty());
    }
}
