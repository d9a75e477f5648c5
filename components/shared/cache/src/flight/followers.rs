//! Requests that ask for an entry that another request of the instance is reading for the cache.

use futures::channel::oneshot;
use std::cell::RefCell;
use std::collections::HashMap;

/// The entries that requests of this instance are reading for the cache, by name, with the followers of each.
///
/// ```
/// use cache::flight::Followers;
/// use futures::executor::block_on;
///
/// let followers: Followers<u32> = Followers::default();
/// let leader = followers.lead("answer").expect("no other request reads it");
/// let waiting = followers.follow("answer").expect("there is a leader");
/// leader.close().into_iter().for_each(|follower| drop(follower.send(42)));
/// assert_eq!(block_on(waiting), Ok(42));
/// ```
pub struct Followers<T> {
    waiting: RefCell<HashMap<String, Vec<oneshot::Sender<T>>>>,
}

impl<T> Default for Followers<T> {
    fn default() -> Self {
        Self { waiting: RefCell::default() }
    }
}

impl<T> Followers<T> {
    /// Waits for the leader of `name`. `None` when there is none; the receiver is cancelled when the leader has nothing to share.
    pub fn follow(&self, name: &str) -> Option<oneshot::Receiver<T>> {
        self.waiting.borrow_mut().get_mut(name).map(|waiting| {
            let (sender, receiver) = oneshot::channel();
            waiting.push(sender);
            receiver
        })
    }

    /// Becomes the leader of `name`; `None` when another request is: one that has given up waiting reads for itself alone.
    pub fn lead(&self, name: &str) -> Option<Leader<'_, T>> {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.contains_key(name) {
            return None;
        }
        waiting.insert(name.to_owned(), Vec::new());
        Some(Leader { followers: self, name: name.to_owned() })
    }
}

/// The request of an instance that reads an entry. Dropped, it releases its followers, which read for themselves.
pub struct Leader<'a, T> {
    followers: &'a Followers<T>,
    name: String,
}

impl<T> Leader<'_, T> {
    /// Stops accepting followers; returns those waiting.
    pub fn close(self) -> Vec<oneshot::Sender<T>> {
        self.take()
    }

    fn take(&self) -> Vec<oneshot::Sender<T>> {
        self.followers.waiting.borrow_mut().remove(&self.name).unwrap_or_default()
    }
}

impl<T> Drop for Leader<'_, T> {
    fn drop(&mut self) {
        self.take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn a_name_has_one_leader_until_it_closes() {
        let followers: Followers<u8> = Followers::default();
        assert!(followers.follow("a").is_none());
        let leader = followers.lead("a").expect("the first");
        assert!(followers.lead("a").is_none());
        assert!(followers.lead("b").is_some());
        assert!(leader.close().is_empty());
        assert!(followers.lead("a").is_some());
    }

    #[test]
    fn a_leader_that_is_dropped_releases_its_followers() {
        let followers: Followers<u8> = Followers::default();
        let leader = followers.lead("a").expect("the first");
        let waiting = followers.follow("a").expect("a leader");
        drop(leader);
        assert!(waiting.now_or_never().expect("it is over").is_err());
        assert!(followers.follow("a").is_none());
    }
}
