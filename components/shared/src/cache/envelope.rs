//! What an entry looks like in Redis: a small header that binds the bytes to their key and epoch, and then the answer's
//! body as it goes to the client.
//!
//! ```text
//! 0   "RT", format version 1
//! 3   CRC-32 of everything behind it
//! 7   epoch            u64
//! 15  row version      u64, 0: none
//! 23  kind             0: not there, 1: there
//! 24  length of name   u16
//! 26  length of owner  u8
//! 27  name (key, and the field of a list page), owner (the property of a payment), body
//! ```
//! Numbers are little endian. The checksum catches damage, not malice: it is no signature.

use crate::domain::{PropertyId, RowVersion};
use std::ops::Range;

const MAGIC: [u8; 3] = *b"RT\x01";
const CHECKSUM: Range<usize> = 3..7;
const EPOCH: Range<usize> = 7..15;
const VERSION: Range<usize> = 15..23;
const KIND: usize = 23;
const NAME_LENGTH: Range<usize> = 24..26;
const OWNER_LENGTH: usize = 26;
const HEADER: usize = 27;

/// How much of an entry tells it apart from the one that replaces it: magic, checksum and epoch.
const FINGERPRINT: usize = EPOCH.end;

/// An entry of the cache. "Not there" is an entry too: it saves the database from being asked again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whether the resource exists.
    pub found: bool,
    /// The version of the row, for a single resource.
    pub version: Option<RowVersion>,
    /// The property that a payment belongs to.
    pub owner: Option<PropertyId>,
    /// The body of the answer; empty when the resource is not there.
    pub body: Vec<u8>,
}

impl Entry {
    /// The entry for something that does not exist.
    pub fn not_there() -> Self {
        Self { found: false, version: None, owner: None, body: Vec::new() }
    }
}

/// Why bytes from Redis are not taken for an entry. They count as a miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// Not this format, cut off, or the checksum does not fit.
    Damaged,
    /// Made for another key or another page.
    Misplaced,
    /// Made before the cache was last distrusted.
    Outdated,
}

impl Rejection {
    /// Its name in logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Damaged => "damaged",
            Self::Misplaced => "misplaced",
            Self::Outdated => "outdated",
        }
    }
}

/// Wraps an entry for storing under `name` in `epoch`.
pub fn seal(entry: &Entry, name: &str, epoch: u64) -> Vec<u8> {
    let owner = entry.owner.map(|id| id.to_string()).unwrap_or_default();
    let mut bytes = Vec::with_capacity(HEADER + name.len() + owner.len() + entry.body.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&epoch.to_le_bytes());
    bytes.extend_from_slice(&entry.version.map_or(0, RowVersion::get).to_le_bytes());
    bytes.push(u8::from(entry.found));
    // Names are at most a few hundred bytes (a key and a page), owners 36: neither can be cut short here.
    bytes.extend_from_slice(&u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes());
    bytes.push(u8::try_from(owner.len()).unwrap_or(u8::MAX));
    bytes.extend_from_slice(name.as_bytes());
    bytes.extend_from_slice(owner.as_bytes());
    bytes.extend_from_slice(&entry.body);
    let checksum = bytes.get(CHECKSUM.end..).map_or(0, crc32fast::hash);
    if let Some(slot) = bytes.get_mut(CHECKSUM) {
        slot.copy_from_slice(&checksum.to_le_bytes());
    }
    bytes
}

/// The first bytes of a stored value, by which a script recognises the very value that was rejected.
pub fn fingerprint(bytes: &[u8]) -> &[u8] {
    bytes.get(..FINGERPRINT).unwrap_or(bytes)
}

impl Entry {
    /// Unwraps bytes that were read under `name`, in `epoch`. The body keeps its allocation.
    pub fn open(mut bytes: Vec<u8>, name: &str, epoch: u64) -> Result<Self, Rejection> {
        let parsed = Header::parse(&bytes, name, epoch)?;
        bytes.drain(..parsed.body_start);
        Ok(Self { found: parsed.found, version: parsed.version, owner: parsed.owner, body: bytes })
    }
}

struct Header {
    found: bool,
    version: Option<RowVersion>,
    owner: Option<PropertyId>,
    body_start: usize,
}

impl Header {
    fn parse(bytes: &[u8], name: &str, epoch: u64) -> Result<Self, Rejection> {
        let slice = |range: Range<usize>| bytes.get(range).ok_or(Rejection::Damaged);
        let byte = |index: usize| bytes.get(index).copied().ok_or(Rejection::Damaged);
        let number = |range: Range<usize>| -> Result<u64, Rejection> {
            Ok(slice(range)?.iter().rev().fold(0, |value, byte| (value << 8) | u64::from(*byte)))
        };
        let rest = bytes.get(CHECKSUM.end..).ok_or(Rejection::Damaged)?;
        if slice(0..MAGIC.len())? != MAGIC || number(CHECKSUM)? != u64::from(crc32fast::hash(rest)) {
            return Err(Rejection::Damaged);
        }
        let name_length = usize::try_from(number(NAME_LENGTH)?).map_err(|_| Rejection::Damaged)?;
        let owner_start = HEADER + name_length;
        let body_start = owner_start + usize::from(byte(OWNER_LENGTH)?);
        if slice(HEADER..owner_start)? != name.as_bytes() {
            return Err(Rejection::Misplaced);
        }
        if number(EPOCH)? != epoch {
            return Err(Rejection::Outdated);
        }
        let owner = match std::str::from_utf8(slice(owner_start..body_start)?) {
            Ok("") => None,
            Ok(text) => Some(PropertyId::parse(text).ok_or(Rejection::Damaged)?),
            Err(_) => return Err(Rejection::Damaged),
        };
        let version = i64::try_from(number(VERSION)?).ok().and_then(RowVersion::new);
        Ok(Self { found: byte(KIND)? == 1, version, owner, body_start })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NAME: &str = "RentTracker_a:property:list\n1|10|address|asc";

    fn entry() -> Entry {
        Entry {
            found: true,
            version: RowVersion::new(7),
            owner: PropertyId::parse("0192f0c1-2345-7abc-8def-0123456789ab"),
            body: br#"{"id":1}"#.to_vec(),
        }
    }

    #[test]
    fn an_entry_comes_back_as_it_was_stored() {
        for entry in [entry(), Entry::not_there()] {
            assert_eq!(Entry::open(seal(&entry, NAME, 5), NAME, 5), Ok(entry));
        }
    }

    #[test]
    fn an_entry_moved_to_another_key_is_misplaced() {
        let bytes = seal(&entry(), NAME, 5);
        assert_eq!(
            Entry::open(bytes.clone(), "RentTracker_b:property:list\n1|10|address|asc", 5),
            Err(Rejection::Misplaced)
        );
        assert_eq!(Entry::open(bytes, "", 5), Err(Rejection::Misplaced));
    }

    #[test]
    fn an_entry_of_an_older_epoch_is_outdated() {
        assert_eq!(Entry::open(seal(&entry(), NAME, 5), NAME, 6), Err(Rejection::Outdated));
    }

    #[test]
    fn every_cut_is_noticed() {
        let bytes = seal(&entry(), NAME, 5);
        for length in 0..bytes.len() {
            let cut = bytes.get(..length).expect("shorter").to_vec();
            assert_eq!(Entry::open(cut, NAME, 5), Err(Rejection::Damaged), "cut to {length}");
        }
    }

    proptest! {
        #[test]
        fn every_flipped_bit_is_noticed(position in 0_usize..10_000, bit in 0_u8..8) {
            let mut bytes = seal(&entry(), NAME, 5);
            let position = position % bytes.len();
            bytes[position] ^= 1 << bit;
            prop_assert!(Entry::open(bytes, NAME, 5).is_err());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert!(Entry::open(bytes, NAME, 5).is_err());
        }
    }
}
