//! Writes: fence, statement, unfence.

use crate::documents::{Document, Language, entry, slot};
use crate::redis::Redis;
use cache::{Fill, Lookup};

#[test]
fn a_write_deletes_the_document_and_every_page_of_the_contents() {
    let mut redis = Redis::default();
    let text = slot("ada", Document::Text(7), "");
    let pages = ["1", "2"].map(|page| slot("ada", Document::Contents, page));
    let old = entry(1, Language::English, "old");
    let of_another = slot("bob", Document::Text(7), "");
    for slot in [&text, &pages[0], &pages[1], &of_another] {
        assert_eq!(redis.look_up(slot, "reader", b""), Lookup::Leader { demand: None });
        assert_eq!(redis.store(slot, "reader", &old), Fill::Stored);
    }
    let keys = [text.key(), pages[0].key()];
    redis.fence(keys, "write");
    for slot in [&text, &pages[0], &pages[1]] {
        assert_eq!(redis.get(slot.key().as_str(), slot.field()), None, "{}", slot.name());
    }
    assert!(redis.get(of_another.key().as_str(), "").is_some());
}

#[test]
fn a_leader_that_read_before_a_write_stores_nothing_after_it() {
    let (mut redis, slot) = (Redis::default(), slot("ada", Document::Text(7), ""));
    assert_eq!(redis.look_up(&slot, "leader", b""), Lookup::Leader { demand: None });
    redis.fence([slot.key()], "write");
    redis.unfence([slot.key()], "write");
    let old = entry(1, Language::English, "old");
    assert_eq!(redis.store(&slot, "leader", &old), Fill::Refused);
    assert_eq!(redis.get(slot.key().as_str(), ""), None);
}

#[test]
fn there_is_no_leader_until_every_write_has_taken_its_fence_down() {
    let (mut redis, slot) = (Redis::default(), slot("ada", Document::Text(7), ""));
    for write in ["one", "other"] {
        redis.fence([slot.key()], write);
    }
    assert_eq!(redis.look_up(&slot, "reader", b""), Lookup::Fenced);
    redis.unfence([slot.key()], "one");
    assert_eq!(redis.look_up(&slot, "reader", b""), Lookup::Fenced);
    redis.unfence([slot.key()], "other");
    assert_eq!(redis.look_up(&slot, "reader", b""), Lookup::Leader { demand: None });
}
