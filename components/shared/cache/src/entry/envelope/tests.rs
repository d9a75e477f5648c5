use super::*;
use crate::entry::Seals;
use crate::example::owner;
use proptest::prelude::*;
use std::rc::Rc;

const NAME: &str = "RentTracker_a:property:list\n1|10|address|asc";
const EPOCH: u64 = 5;
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn entry() -> Entry {
    Entry {
        found: true,
        version: NonZeroU64::new(7),
        note: b"0192f0c1-2345-7abc-8def-0123456789ab".to_vec(),
        body: br#"{"id":1}"#.to_vec(),
    }
}

fn seal(name: &str) -> Rc<Seal> {
    Seals::parse(KEY, b"example entry 1\0").expect("a key").expect("a key").of(&owner(name))
}

fn sealed(entry: &Entry, name: &str, epoch: u64) -> Vec<u8> {
    entry.wrap(name, epoch, Some((&seal("a"), &[9; 24])))
}

/// The bytes of an entry in either format, and what they open to under these circumstances.
fn each(check: impl Fn(Vec<u8>, &dyn Fn(Vec<u8>, &str, u64) -> Result<Entry, Rejection>)) {
    check(entry().wrap(NAME, EPOCH, None), &|bytes, name, epoch| Entry::open(bytes, name, epoch, None));
    let opens = |bytes, name: &str, epoch| Entry::open(bytes, name, epoch, Some(&seal("a")));
    check(sealed(&entry(), NAME, EPOCH), &opens);
}

#[test]
fn an_entry_comes_back_as_it_was_stored() {
    for entry in [entry(), Entry::not_there()] {
        assert_eq!(Entry::open(entry.wrap(NAME, 5, None), NAME, 5, None), Ok(entry.clone()));
        assert_eq!(Entry::open(sealed(&entry, NAME, 5), NAME, 5, Some(&seal("a"))), Ok(entry));
    }
}

#[test]
fn an_entry_with_a_name_or_note_that_is_too_long_is_not_wrapped() {
    let long = Entry { note: vec![b'x'; 256], ..entry() };
    assert!(long.wrap(NAME, EPOCH, None).is_empty() && sealed(&long, NAME, EPOCH).is_empty());
    assert!(entry().wrap(&"x".repeat(65_536), EPOCH, None).is_empty());
    let longest = Entry { note: vec![b'x'; 255], ..entry() };
    assert_eq!(Entry::open(longest.wrap(NAME, EPOCH, None), NAME, EPOCH, None), Ok(longest));
}

#[test]
fn a_sealed_entry_shows_neither_body_nor_note() {
    let bytes = sealed(&entry(), NAME, EPOCH);
    for secret in [&entry().body, b"0192f0c1-2345-7abc-8def-0123456789ab".as_slice()] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret));
    }
    let other = entry().wrap(NAME, EPOCH, Some((&seal("a"), &[8; 24])));
    assert_ne!(bytes.get(100..), other.get(100..), "the nonce counts");
}

#[test]
fn an_entry_moved_to_another_key_or_page_is_misplaced() {
    each(|bytes, open| {
        for name in [
            "RentTracker_b:property:list\n1|10|address|asc",
            "RentTracker_a:property:list\n2|10|address|asc",
            "RentTracker_a:property:list\n",
            "",
        ] {
            assert_eq!(open(bytes.clone(), name, EPOCH), Err(Rejection::Misplaced));
        }
    });
}

#[test]
fn an_entry_of_an_older_epoch_is_outdated() {
    each(|bytes, open| assert_eq!(open(bytes, NAME, EPOCH + 1), Err(Rejection::Outdated)));
}

#[test]
fn a_sealed_entry_that_was_relabelled_is_forged() {
    // An attacker who can write to Redis can also write another name, another epoch or another version into the header.
    let bytes = sealed(&entry(), NAME, EPOCH);
    let other = NAME.replace("_a:", "_b:");
    let at = bytes.windows(NAME.len()).position(|window| window == NAME.as_bytes()).expect("the name is clear");
    let mut renamed = bytes.clone();
    renamed[at..at + NAME.len()].copy_from_slice(other.as_bytes());
    for tenant in ["a", "b"] {
        let opened = Entry::open(renamed.clone(), &other, EPOCH, Some(&seal(tenant)));
        assert_eq!(opened, Err(Rejection::Forged), "{tenant}");
    }
    let mut renewed = bytes.clone();
    renewed[27] += 1;
    assert_eq!(Entry::open(renewed, NAME, EPOCH + 1, Some(&seal("a"))), Err(Rejection::Forged));
    let mut newer = bytes;
    newer[35] += 1;
    assert_eq!(Entry::open(newer, NAME, EPOCH, Some(&seal("a"))), Err(Rejection::Forged));
}

#[test]
fn another_tenants_key_opens_nothing() {
    let bytes = sealed(&entry(), NAME, EPOCH);
    assert_eq!(Entry::open(bytes, NAME, EPOCH, Some(&seal("b"))), Err(Rejection::Forged));
}

#[test]
fn where_entries_are_sealed_only_sealed_ones_are_taken_and_the_other_way_round() {
    let plain = entry().wrap(NAME, EPOCH, None);
    assert_eq!(Entry::open(plain, NAME, EPOCH, Some(&seal("a"))), Err(Rejection::Unsealed));
    assert_eq!(Entry::open(sealed(&entry(), NAME, EPOCH), NAME, EPOCH, None), Err(Rejection::Sealed));
}

#[test]
fn every_cut_is_noticed() {
    each(|bytes, open| {
        for length in 0..bytes.len() {
            let cut = bytes.get(..length).expect("shorter").to_vec();
            let rejection = open(cut, NAME, EPOCH).expect_err("cut");
            assert!(matches!(rejection, Rejection::Damaged | Rejection::Forged), "cut to {length}: {rejection:?}");
        }
    });
}

#[test]
fn every_flipped_bit_is_noticed() {
    each(|bytes, open| {
        for bit in 0..8 * bytes.len() {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(open(flipped, NAME, EPOCH).is_err(), "bit {bit}");
        }
    });
}

#[test]
fn the_largest_body_fits_and_a_longer_entry_is_too_large() {
    let largest = Entry { body: vec![b'x'; MAX_STORED_BYTES], ..entry() };
    let name = "n".repeat(400);
    let bytes = sealed(&largest, &name, EPOCH);
    assert_eq!(Entry::open(bytes, &name, EPOCH, Some(&seal("a"))), Ok(largest));
    let larger = Entry { body: vec![b'x'; MAX_ENTRY_BYTES], ..entry() };
    for (bytes, seal) in [(larger.wrap(NAME, EPOCH, None), None), (sealed(&larger, NAME, EPOCH), Some(seal("a")))] {
        assert_eq!(Entry::open(bytes, NAME, EPOCH, seal.as_deref()), Err(Rejection::TooLarge));
    }
}

#[test]
fn two_entries_have_two_fingerprints() {
    let sealed = |nonce: u8| entry().wrap(NAME, EPOCH, Some((&seal("a"), &[nonce; 24])));
    assert_ne!(fingerprint(&sealed(1)), fingerprint(&sealed(2)));
    let newer = Entry { version: NonZeroU64::new(8), ..entry() };
    assert_ne!(fingerprint(&entry().wrap(NAME, EPOCH, None)), fingerprint(&newer.wrap(NAME, EPOCH, None)));
    assert_eq!(fingerprint(b"short"), b"short");
}

proptest! {
    #[test]
    fn only_the_same_place_and_tenant_opens_a_sealed_entry(
        body in proptest::collection::vec(any::<u8>(), 0..300),
        names in ("[ab]", "[ab]"),
        tenants in ("[ab]", "[ab]"),
        epochs in (0_u64..3, 0_u64..3),
        nonce in any::<[u8; 24]>(),
    ) {
        let entry = Entry { body, ..entry() };
        let bytes = entry.wrap(&names.0, epochs.0, Some((&seal(&tenants.0), &nonce)));
        let is_same = names.0 == names.1 && tenants.0 == tenants.1 && epochs.0 == epochs.1;
        let opened = Entry::open(bytes, &names.1, epochs.1, Some(&seal(&tenants.1)));
        prop_assert_eq!(opened.ok(), is_same.then_some(entry));
    }

    #[test]
    fn no_splice_of_two_sealed_entries_opens(cut in 0_usize..200) {
        let one = sealed(&entry(), NAME, EPOCH);
        let other = Entry { body: br#"{"id":2}"#.to_vec(), ..entry() };
        let other = other.wrap(NAME, EPOCH, Some((&seal("a"), &[8; 24])));
        let cut = 3 + cut % (one.len() - 3);
        let spliced = [&one[..cut], &other[cut..]].concat();
        let is_whole = spliced == one || spliced == other;
        prop_assert_eq!(Entry::open(spliced, NAME, EPOCH, Some(&seal("a"))).is_ok(), is_whole);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100), format in 0_u8..5) {
        let bytes = [b"RT", [format].as_slice(), &bytes].concat();
        prop_assert!(Entry::open(bytes.clone(), NAME, EPOCH, None).is_err());
        prop_assert!(Entry::open(bytes, NAME, EPOCH, Some(&seal("a"))).is_err());
    }
}
