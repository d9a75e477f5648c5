//! Reads: from the cache, by a leader that fills it, and shared while it is out of use.

use crate::documents::{Document, EPOCH, Language, Unreadable, entry, slot};
use crate::redis::Redis;
use cache::flight::{Followers, SharedReads};
use cache::{Entry, Fill, Lookup, MAX_LIST_PAGES, fingerprint};
use futures::executor::block_on;
use futures::future::join3;
use std::cell::Cell;

#[test]
fn one_reader_leads_the_others_wait_and_its_entry_is_what_all_of_them_read() {
    let (mut redis, slot) = (Redis::default(), slot("ada", Document::Text(7), ""));
    let text = entry(1, Language::English, "hello");
    assert_eq!(redis.look_up(&slot, "first", b""), Lookup::Leader { demand: None });
    assert_eq!(redis.look_up(&slot, "second", b""), Lookup::Wait);
    assert_eq!(redis.store(&slot, "second", &text), Fill::Refused);
    assert_eq!(redis.store(&slot, "first", &text), Fill::Stored);
    let Lookup::Value(bytes) = redis.look_up(&slot, "second", b"") else {
        panic!("it is stored");
    };
    assert_eq!(slot.open(bytes, EPOCH), Ok(text));
}

#[test]
fn a_leader_that_stores_nothing_gives_its_lock_back() {
    let (mut redis, slot) = (Redis::default(), slot("ada", Document::Text(7), ""));
    assert_eq!(redis.look_up(&slot, "first", b""), Lookup::Leader { demand: None });
    assert_eq!(redis.release(&slot, "first"), Fill::Refused);
    assert_eq!(redis.look_up(&slot, "second", b""), Lookup::Leader { demand: None });
}

#[test]
fn a_value_that_is_no_entry_is_deleted_and_its_reader_leads() {
    let (mut redis, slot) = (Redis::default(), slot("ada", Document::Text(7), ""));
    redis.overwrite(slot.key().as_str(), "", b"not an entry".to_vec());
    let found = redis.get(slot.key().as_str(), "").expect("it is there");
    let rejected = fingerprint(&found).to_vec();
    assert!(slot.open(found, EPOCH).is_err());
    assert_eq!(redis.look_up(&slot, "reader", &rejected), Lookup::Leader { demand: None });
    assert_eq!(redis.get(slot.key().as_str(), ""), None);
}

#[test]
fn a_full_list_takes_no_further_page() {
    let mut redis = Redis::default();
    let mut store = |page: u64| {
        let page = page.to_string();
        let slot = slot("ada", Document::Contents, &page);
        assert_eq!(redis.look_up(&slot, "reader", b""), Lookup::Leader { demand: None });
        redis.store(&slot, "reader", &entry(1, Language::English, "contents"))
    };
    assert!((0..MAX_LIST_PAGES).all(|page| store(page) == Fill::Stored));
    assert_eq!(store(MAX_LIST_PAGES), Fill::Full);
}

#[test]
fn requests_that_join_a_leader_take_the_entry_that_it_stored() {
    let (mut redis, slot) = (Redis::default(), slot("ada", Document::Text(7), ""));
    let followers: Followers<Entry> = Followers::default();
    let leader = followers.lead(slot.name()).expect("nothing reads it yet");
    let waiting = [(); 3].map(|()| followers.follow(slot.name()).expect("it has a leader"));
    let text = entry(1, Language::English, "hello");
    assert_eq!(redis.look_up(&slot, "leader", b""), Lookup::Leader { demand: None });
    let taken = leader.close();
    assert!(followers.follow(slot.name()).is_none(), "it is too late to join");
    assert_eq!(redis.store(&slot, "leader", &text), Fill::Stored);
    for follower in taken {
        follower.send(text.clone()).expect("it waits");
    }
    for follower in waiting {
        assert_eq!(block_on(follower), Ok(text.clone()));
    }
}

#[test]
fn requests_that_share_a_read_share_the_products_own_error() {
    let reads: SharedReads<Entry, Unreadable> = SharedReads::default();
    let fetched = Cell::new(0);
    let read = || {
        reads.share("contents", async || {
            fetched.set(fetched.get() + 1);
            // The others arrive while this one waits.
            yield_once().await;
            Err(Unreadable::Closed)
        })
    };
    let closed = Err(Unreadable::Closed);
    assert_eq!(block_on(join3(read(), read(), read())), (closed.clone(), closed.clone(), closed));
    assert_eq!(fetched.get(), 2, "the second and the third share a read");
}

/// Lets others run first.
async fn yield_once() {
    let mut is_second = false;
    futures::future::poll_fn(|context| {
        if std::mem::replace(&mut is_second, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}
