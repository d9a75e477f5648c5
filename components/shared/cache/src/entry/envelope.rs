//! What an entry looks like in Redis: a header that binds the bytes to their key, page, version and epoch, and then the
//! answer's body as it goes to the client.
//!
//! ```text
//! 0   "RT", format            3: checked, 2: sealed; 1: checked, by the release 0.1
//! 3   guard                   checked: XXH64 of everything behind it; sealed: nonce of 24 bytes; 1: CRC-32 of everything behind it
//!     epoch                   u64
//!     version                 u64, 0: none
//!     kind                    0: not there, 1: there
//!     length of name          u16
//!     length of note          u8
//!     name                    key, and the field of a list page
//!     note, body              sealed: encrypted
//!     tag                     sealed alone: 16 bytes, which vouch for everything before them
//! ```
//! Numbers are little endian. The checksum catches damage, not malice; the seal ([`crate::Seal`]) catches both. With XXH64 a hit on
//! a page of fifty takes some 100,000 instructions of WebAssembly less than with CRC-32.

use super::Rejection;
use super::seal::{Nonce, Seal, TAG_BYTES};
use crate::fill::MAX_STORED_BYTES;
use std::num::NonZeroU64;
use twox_hash::XxHash64;

const MAGIC: &[u8; 2] = b"RT";
/// What the release 0.1 stored. It is opened, and never made.
const CHECKED_0_1: u8 = 1;
const SEALED: u8 = 2;
const CHECKED: u8 = 3;
/// Where the guard begins.
const GUARD: usize = MAGIC.len() + 1;
const CHECKSUM_BYTES: usize = size_of::<u64>();
const NONCE_BYTES: usize = size_of::<Nonce>();

/// How much of an entry tells it apart from the one that replaces it: its nonce, or its checksum, epoch and version.
const FINGERPRINT: usize = GUARD + NONCE_BYTES;

/// The longest entry that is stored: a body of [`MAX_STORED_BYTES`], and with room to spare a header, a name (a key of
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
                let checksum = bytes.get(GUARD + CHECKSUM_BYTES..).map_or(0, checksum);
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

/// What a checked entry has in its guard.
fn checksum(bytes: &[u8]) -> u64 {
    XxHash64::oneshot(0, bytes)
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
                if u64::from_le_bytes(reader.array()?) != checksum(reader.0) {
                    return Err(Rejection::Damaged);
                }
            }
            ([CHECKED_0_1], false) => {
                if u32::from_le_bytes(reader.array()?) != crc32fast::hash(reader.0) {
                    return Err(Rejection::Damaged);
                }
            }
            ([SEALED], true) => {
                reader.array::<NONCE_BYTES>()?;
            }
            ([CHECKED | CHECKED_0_1], true) => return Err(Rejection::Unsealed),
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
mod tests;
