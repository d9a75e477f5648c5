//! What an entry looks like in Redis: a header that binds the bytes to their key, page, version and epoch, and then the
//! answer's body as it goes to the client.
//!
//! ```text
//! 0   "RT", format            1: checked, 2: sealed
//! 3   guard                   checked: CRC-32 of everything behind it; sealed: nonce of 24 bytes
//!     epoch                   u64
//!     version                 u64, 0: none
//!     kind                    0: not there, 1: there
//!     length of name          u16
//!     length of note          u8
//!     name                    key, and the field of a list page
//!     note, body              sealed: encrypted
//!     tag                     sealed alone: 16 bytes, which vouch for everything before them
//! ```
//! Numbers are little endian. The checksum catches damage, not malice; the seal ([`crate::Seal`]) catches both.

use super::Rejection;
use super::seal::{Nonce, Seal, TAG_BYTES};
use crate::population::MAX_STORED_BYTES;
use std::num::NonZeroU64;

const MAGIC: &[u8; 2] = b"RT";
const CHECKED: u8 = 1;
const SEALED: u8 = 2;
/// Where the guard begins.
const GUARD: usize = MAGIC.len() + 1;
const CHECKSUM_BYTES: usize = size_of::<u32>();
const NONCE_BYTES: usize = size_of::<Nonce>();

/// How much of an entry tells it apart from the one that replaces it: its nonce, or its checksum, epoch and version.
const FINGERPRINT: usize = GUARD + NONCE_BYTES;

/// The longest entry that anybody stored: a body of [`MAX_STORED_BYTES`], and with room to spare a header, a name (a key of
/// at most 200 bytes and a page) and a note.
pub const MAX_ENTRY_BYTES: usize = MAX_STORED_BYTES + 1024;

/// An entry of the cache. "Not there" is an entry too: it saves the database from being asked again and again.
///
/// ```
/// use cache::Entry;
///
/// let (name, epoch) = ("notes_ada:note:7\n", 5);
/// let entry = Entry { note: b"draft".to_vec(), ..Entry::of(b"hello".to_vec()) };
/// let bytes = entry.wrap(name, epoch, None);
/// assert_eq!(Entry::open(bytes, name, epoch, None), Ok(entry));
/// assert!(!Entry::not_there().found);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whether the resource exists.
    pub found: bool,
    /// The version of the row, for a single resource.
    pub version: Option<NonZeroU64>,
    /// What the product keeps beside the body, 255 bytes at most; empty for nothing.
    pub note: Vec<u8>,
    /// The body of the answer; empty when the resource is not there.
    pub body: Vec<u8>,
}

/// The first bytes of a stored value, by which a script recognises the very value that was rejected.
pub fn fingerprint(bytes: &[u8]) -> &[u8] {
    bytes.get(..FINGERPRINT).unwrap_or(bytes)
}

impl Entry {
    /// An entry with a body and nothing else.
    pub fn of(body: Vec<u8>) -> Self {
        Self { found: true, version: None, note: Vec::new(), body }
    }

    /// The entry for something that does not exist.
    pub fn not_there() -> Self {
        Self { found: false, version: None, note: Vec::new(), body: Vec::new() }
    }

    /// The bytes to store under `name` in `epoch`: sealed, or with a checksum alone.
    pub fn wrap(&self, name: &str, epoch: u64, seal: Option<(&Seal, &Nonce)>) -> Vec<u8> {
        let (Ok(name_length), Ok(note_length)) = (u16::try_from(name.len()), u8::try_from(self.note.len())) else {
            // Nothing, which the fill script does not store.
            return Vec::new();
        };
        let longest_header = GUARD + NONCE_BYTES + FIELDS + TAG_BYTES;
        let mut bytes = Vec::with_capacity(longest_header + name.len() + self.note.len() + self.body.len());
        bytes.extend_from_slice(MAGIC);
        match seal {
            Some((_, nonce)) => {
                bytes.push(SEALED);
                bytes.extend_from_slice(nonce);
            }
            None => {
                bytes.push(CHECKED);
                bytes.extend_from_slice(&[0; CHECKSUM_BYTES]);
            }
        }
        bytes.extend_from_slice(&epoch.to_le_bytes());
        bytes.extend_from_slice(&self.version.map_or(0, NonZeroU64::get).to_le_bytes());
        bytes.push(u8::from(self.found));
        bytes.extend_from_slice(&name_length.to_le_bytes());
        bytes.push(note_length);
        bytes.extend_from_slice(name.as_bytes());
        let clear = bytes.len();
        bytes.extend_from_slice(&self.note);
        bytes.extend_from_slice(&self.body);
        match seal {
            Some((seal, nonce)) => {
                if !seal.close(nonce, &mut bytes, clear) {
                    // Nothing, which the fill script does not store. No body that is stored comes near that limit.
                    bytes.clear();
                }
            }
            None => {
                let checksum = bytes.get(GUARD + CHECKSUM_BYTES..).map_or(0, crc32fast::hash);
                if let Some(slot) = bytes.get_mut(GUARD..GUARD + CHECKSUM_BYTES) {
                    slot.copy_from_slice(&checksum.to_le_bytes());
                }
            }
        }
        bytes
    }

    /// Unwraps bytes that were read under `name`, in `epoch`; with a seal only what that opens. The body keeps its
    /// allocation, and is decrypted in it.
    pub fn open(mut bytes: Vec<u8>, name: &str, epoch: u64, seal: Option<&Seal>) -> Result<Self, Rejection> {
        let header = Header::parse(&bytes, name, epoch, seal.is_some())?;
        if let Some(seal) = seal {
            let (clear, sealed) = bytes.split_at_mut_checked(header.end).ok_or(Rejection::Damaged)?;
            let nonce = clear.get(GUARD..).and_then(<[u8]>::first_chunk).ok_or(Rejection::Damaged)?;
            if !seal.open(nonce, clear, sealed) {
                return Err(Rejection::Forged);
            }
            bytes.truncate(bytes.len() - TAG_BYTES);
        }
        let body_start = header.end + header.note_length;
        let note = bytes.get(header.end..body_start).ok_or(Rejection::Damaged)?.to_vec();
        bytes.drain(..body_start);
        Ok(Self { found: header.found, version: header.version, note, body: bytes })
    }
}

/// Bytes of the header between guard and name.
const FIELDS: usize = 8 + 8 + 1 + 2 + 1;

struct Header {
    found: bool,
    version: Option<NonZeroU64>,
    note_length: usize,
    /// Where it ends: behind the name.
    end: usize,
}

impl Header {
    fn parse(bytes: &[u8], name: &str, epoch: u64, wants_seal: bool) -> Result<Self, Rejection> {
        if bytes.len() > MAX_ENTRY_BYTES {
            return Err(Rejection::TooLarge);
        }
        let mut reader = Reader(bytes);
        if reader.array()? != *MAGIC {
            return Err(Rejection::Damaged);
        }
        match (reader.array()?, wants_seal) {
            ([CHECKED], false) => {
                if u32::from_le_bytes(reader.array()?) != crc32fast::hash(reader.0) {
                    return Err(Rejection::Damaged);
                }
            }
            ([SEALED], true) => {
                reader.array::<NONCE_BYTES>()?;
            }
            ([CHECKED], true) => return Err(Rejection::Unsealed),
            ([SEALED], false) => return Err(Rejection::Sealed),
            _ => return Err(Rejection::Damaged),
        }
        let its_epoch = u64::from_le_bytes(reader.array()?);
        let version = u64::from_le_bytes(reader.array()?);
        let [kind] = reader.array()?;
        let name_length = u16::from_le_bytes(reader.array()?);
        let [note_length] = reader.array()?;
        if reader.take(name_length.into())? != name.as_bytes() {
            return Err(Rejection::Misplaced);
        }
        if its_epoch != epoch {
            return Err(Rejection::Outdated);
        }
        Ok(Self {
            found: kind == 1,
            version: NonZeroU64::new(version),
            note_length: note_length.into(),
            end: bytes.len() - reader.0.len(),
        })
    }
}

/// What is left of an entry; to ask for more is damage.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Rejection> {
        let (head, rest) = self.0.split_first_chunk().ok_or(Rejection::Damaged)?;
        self.0 = rest;
        Ok(*head)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Rejection> {
        let (head, rest) = self.0.split_at_checked(length).ok_or(Rejection::Damaged)?;
        self.0 = rest;
        Ok(head)
    }
}

#[cfg(test)]
mod tests {
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
    fn an_entry_whose_name_or_note_is_too_long_is_no_bytes_to_store() {
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
        // Whoever can write to Redis can also write another name, another epoch or another version into the header.
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
    fn the_largest_body_fits_and_what_is_longer_than_any_entry_is_too_large() {
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
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100), format in 0_u8..4) {
            let bytes = [b"RT", [format].as_slice(), &bytes].concat();
            prop_assert!(Entry::open(bytes.clone(), NAME, EPOCH, None).is_err());
            prop_assert!(Entry::open(bytes, NAME, EPOCH, Some(&seal("a"))).is_err());
        }
    }
}
