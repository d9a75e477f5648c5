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
