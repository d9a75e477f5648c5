//! What the product's entries are called, and what they hold.

use crate::documents::{Document, EPOCH, Language, NONCE, entry, namespace, seals, slot, user};
use cache::{CacheKey, KeyPattern, Rejection, Slot};

#[test]
fn a_key_names_the_user_and_the_document_and_is_read_back() {
    for (document, key, is_list) in
        [(Document::Text(7), "Documents_ada:text:7", false), (Document::Contents, "Documents_ada:contents", true)]
    {
        let slot = slot("ada", document, "");
        assert_eq!((slot.key().as_str(), slot.key().is_list()), (key, is_list));
        assert_eq!(slot.key().lock(), format!("lock:{key}"));
        assert_eq!(CacheKey::parse(&namespace(), key), Some((user("ada"), document)));
    }
    for other in ["Documents_ada:text:07", "Documents_ada:property:list", "RentTracker_ada:text:7"] {
        assert_eq!(CacheKey::parse::<Document>(&namespace(), other), None, "{other}");
    }
}

#[test]
fn a_pattern_of_one_user_begins_with_the_keys_of_that_user() {
    let glob = |name: &str| KeyPattern::parse("text:*").map(|texts| texts.glob(&namespace(), &user(name)));
    assert_eq!(glob("ada").as_deref(), Ok("Documents_ada:text:*"));
    assert_ne!(glob("ada"), glob("ad"));
}

#[test]
fn an_entry_comes_back_with_its_version_and_the_products_note() {
    let slot = slot("ada", Document::Text(7), "");
    let stored = entry(3, Language::Finnish, "hei");
    let opened = slot.open(slot.wrap(&stored, EPOCH, Some(&NONCE)), EPOCH).expect("its own entry");
    assert_eq!(opened, stored);
    assert_eq!(Language::of(&opened.note), Some(Language::Finnish));
    assert_eq!(opened.version.map(u64::from), Some(3));
}

#[test]
fn an_entry_opens_at_its_user_page_purpose_and_epoch_alone() {
    let at = slot("ada", Document::Contents, "1");
    let bytes = at.wrap(&entry(1, Language::English, "secret"), EPOCH, Some(&NONCE));
    assert!(!bytes.windows(6).any(|window| window == b"secret"));
    let rejected = |slot: &Slot<'_>, epoch| slot.open(bytes.clone(), epoch).expect_err("another place");
    assert_eq!(rejected(&slot("bob", Document::Contents, "1"), EPOCH), Rejection::Misplaced);
    assert_eq!(rejected(&slot("ada", Document::Contents, "2"), EPOCH), Rejection::Misplaced);
    assert_eq!(rejected(&at, EPOCH + 1), Rejection::Outdated);
    let sealed_for = |seals| Slot::new(&namespace(), seals, &user("ada"), &Document::Contents, "1");
    let invoices = seals(Some(b"invoices entry 1\0"));
    assert_eq!(rejected(&sealed_for(Some(&invoices)), EPOCH), Rejection::Forged);
    assert_eq!(rejected(&sealed_for(None), EPOCH), Rejection::Sealed);
    assert!(at.open(bytes.clone(), EPOCH).is_ok());
}
