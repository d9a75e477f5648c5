//! The second product: documents that users write. It shares nothing with the first but this crate.

use cache::{Entry, Namespace, Owner, Resource, Seals, Slot};
use std::fmt;
use std::num::NonZeroU64;

/// What the keys of this product's entries are derived for.
const PURPOSE: &[u8] = b"documents entry 1\0";
const SECRET: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// The generation of the cache in these tests.
pub const EPOCH: u64 = 5;
pub const NONCE: cache::Nonce = [7; 24];

/// What is cached of a user's documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// One document.
    Text(u32),
    /// The table of contents, in pages.
    Contents,
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(number) => write!(f, "text:{number}"),
            Self::Contents => f.write_str("contents"),
        }
    }
}

impl Resource for Document {
    fn parse(name: &str) -> Option<Self> {
        match name.strip_prefix("text:") {
            Some(number) => number.parse().ok().map(Self::Text),
            None => (name == "contents").then_some(Self::Contents),
        }
    }

    fn is_list(&self) -> bool {
        *self == Self::Contents
    }

    fn note_check(&self) -> fn(&[u8]) -> bool {
        |note| note.is_empty() || Language::of(note).is_some()
    }
}

/// Why a document cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// The archive is closed.
    Closed,
}

/// The languages that a document can be in. An entry's note holds one as a single byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    English,
    Finnish,
}

impl Language {
    pub fn note(self) -> Vec<u8> {
        vec![match self {
            Self::English => b'e',
            Self::Finnish => b'f',
        }]
    }

    pub fn of(note: &[u8]) -> Option<Self> {
        match note {
            b"e" => Some(Self::English),
            b"f" => Some(Self::Finnish),
            _ => None,
        }
    }
}

pub fn entry(version: u64, language: Language, text: &str) -> Entry {
    Entry { version: NonZeroU64::new(version), note: language.note(), ..Entry::of(text.into()) }
}

pub fn namespace() -> Namespace {
    Namespace::parse("Documents_").expect("a namespace")
}

pub fn user(name: &str) -> Owner {
    Owner::parse(name).expect("a user")
}

/// Seals for this product's purpose, or for another's.
pub fn seals(purpose: Option<&'static [u8]>) -> Seals {
    Seals::parse(SECRET, purpose.unwrap_or(PURPOSE)).expect("a key of 32 bytes").expect("one key")
}

/// Where a user's document lies, sealed.
pub fn slot<'a>(owner: &str, document: Document, page: &'a str) -> Slot<'a> {
    Slot::new(&namespace(), Some(&seals(None)), &user(owner), &document, page)
}
