//! Reading PostgreSQL once for many who ask for the same, where the cache cannot tell what is current.
//!
//! A value may only be shared with those who had asked before its statement was sent: what it shows is then never older
//! than anything that was answered before they asked. So one flight is in the air for each name, and whoever comes
//! meanwhile boards the next one, which starts when the first has landed. However many ask, an instance has one such
//! statement under way for each name.

use crate::cache::Entry;
use crate::error::Error;
use futures::channel::oneshot;
use std::cell::RefCell;
use std::collections::HashMap;

type Landing = Result<Entry, Error>;

/// The next flight of a name.
struct Boarding {
    /// Tells its pilot that the one before has landed; gone when it is told.
    runway: Option<oneshot::Sender<()>>,
    passengers: Vec<oneshot::Sender<Landing>>,
}

thread_local! {
    /// The names that a flight is in the air for, and who waits for the next.
    static IN_THE_AIR: RefCell<HashMap<String, Option<Boarding>>> = RefCell::default();
}

enum Role {
    Pilot(Vec<oneshot::Sender<Landing>>),
    Waiting(oneshot::Receiver<()>),
    Passenger(oneshot::Receiver<Landing>),
}

/// Answers what `fetch` answers, from a call of it that began after this one.
///
/// # Errors
/// Those of `fetch`, which everybody on a flight shares.
pub async fn share(name: &str, fetch: impl AsyncFn() -> Landing) -> Landing {
    let passengers = match role(name) {
        Role::Pilot(passengers) => passengers,
        Role::Waiting(runway) => {
            let turn = Turn { name, is_over: false };
            let _ = runway.await;
            turn.take_off()
        }
        Role::Passenger(landing) => match landing.await {
            Ok(landing) => return landing,
            // The pilot's client went away and took the flight with it.
            Err(oneshot::Canceled) => return fetch().await,
        },
    };
    let _flight = Flight { name };
    let landing = fetch().await;
    for passenger in passengers {
        // Whoever has gone away has dropped the other end.
        let _ = passenger.send(landing.clone());
    }
    landing
}

fn role(name: &str) -> Role {
    IN_THE_AIR.with_borrow_mut(|names| match names.get_mut(name) {
        None => {
            names.insert(name.to_owned(), None);
            Role::Pilot(Vec::new())
        }
        Some(None) => {
            let (runway, waiting) = oneshot::channel();
            names.insert(name.to_owned(), Some(Boarding { runway: Some(runway), passengers: Vec::new() }));
            Role::Waiting(waiting)
        }
        Some(Some(boarding)) => {
            let (passenger, landing) = oneshot::channel();
            boarding.passengers.push(passenger);
            Role::Passenger(landing)
        }
    })
}

/// The pilot of the next flight, waiting. Dropped, it lets its passengers go their own way.
struct Turn<'a> {
    name: &'a str,
    is_over: bool,
}

impl Turn<'_> {
    /// Closes the doors; those on board.
    fn take_off(mut self) -> Vec<oneshot::Sender<Landing>> {
        self.is_over = true;
        self.boarding().map(|boarding| boarding.passengers).unwrap_or_default()
    }

    fn boarding(&self) -> Option<Boarding> {
        IN_THE_AIR.with_borrow_mut(|names| names.get_mut(self.name).and_then(Option::take))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.is_over && self.boarding().is_none_or(|boarding| boarding.runway.is_none()) {
            // The one before has landed, so nobody else would clear the way.
            IN_THE_AIR.with_borrow_mut(|names| names.remove(self.name));
        }
    }
}

/// A flight in the air. Dropped, it has landed: the next one may start.
struct Flight<'a> {
    name: &'a str,
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        IN_THE_AIR.with_borrow_mut(|names| {
            let Some(Some(boarding)) = names.get_mut(self.name) else {
                names.remove(self.name);
                return;
            };
            if let Some(runway) = boarding.runway.take() {
                // The pilot takes the passengers along himself, or has dropped them with the other end.
                let _ = runway.send(());
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::LocalPool;
    use futures::task::LocalSpawnExt;
    use std::cell::Cell;
    use std::rc::Rc;

    /// A database whose answers the test gives, one after the other.
    #[derive(Default)]
    struct Database {
        waiting: RefCell<Vec<oneshot::Sender<()>>>,
        began: Cell<usize>,
    }

    impl Database {
        /// Answers with the number of this read.
        async fn read(&self) -> Landing {
            let number = self.began.get() + 1;
            self.began.set(number);
            let (sender, answered) = oneshot::channel();
            self.waiting.borrow_mut().push(sender);
            answered.await.map_err(|_| Error::Busy)?;
            Ok(Entry { found: true, version: None, owner: None, body: number.to_string().into_bytes() })
        }

        fn answer(&self) {
            let next = self.waiting.borrow_mut().remove(0);
            next.send(()).expect("somebody waits for it");
        }
    }

    struct Crowd {
        pool: LocalPool,
        database: Rc<Database>,
        answers: Rc<RefCell<Vec<String>>>,
    }

    impl Crowd {
        fn new() -> Self {
            Self { pool: LocalPool::new(), database: Rc::default(), answers: Rc::default() }
        }

        fn ask(&mut self, name: &'static str, count: usize) {
            for _ in 0..count {
                let (database, answers) = (Rc::clone(&self.database), Rc::clone(&self.answers));
                let asking = async move {
                    let answer = share(name, async || database.read().await).await;
                    let text = answer.map_or_else(|error| error.to_string(), |entry| format!("{:?}", entry.body));
                    answers.borrow_mut().push(text);
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
    fn whoever_comes_while_a_read_is_under_way_shares_the_next() {
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
        let count =
            |body: &str| crowd.answers.borrow().iter().filter(|it| *it == &format!("{:?}", body.as_bytes())).count();
        assert_eq!([count("1"), count("2"), count("3")], [1, 9, 5]);
        assert!(IN_THE_AIR.with_borrow(HashMap::is_empty));
    }

    #[test]
    fn other_names_fly_on_their_own() {
        let mut crowd = Crowd::new();
        crowd.ask("b", 1);
        crowd.ask("c", 1);
        assert_eq!(crowd.database.began.get(), 2);
        crowd.answer();
        crowd.answer();
        assert_eq!(crowd.answers.borrow().len(), 2);
    }

    #[test]
    fn a_pilot_who_goes_away_leaves_nobody_behind() {
        let database = Rc::new(Database::default());
        let mut pool = LocalPool::new();
        let ask = || {
            let database = Rc::clone(&database);
            async move { share("d", async || database.read().await).await }
        };
        let first = pool.spawner().spawn_local_with_handle(ask()).expect("spawns");
        pool.run_until_stalled();
        let pilot = pool.spawner().spawn_local_with_handle(ask()).expect("spawns");
        pool.run_until_stalled();
        let passenger = pool.spawner().spawn_local_with_handle(ask()).expect("spawns");
        pool.run_until_stalled();
        drop(pilot);
        pool.run_until_stalled();
        assert_eq!(database.began.get(), 2, "the passenger reads for itself");
        drop(first);
        pool.run_until_stalled();
        database.waiting.borrow_mut().remove(0);
        database.answer();
        assert!(pool.run_until(passenger).is_ok());
        assert!(IN_THE_AIR.with_borrow(HashMap::is_empty));
    }
}
