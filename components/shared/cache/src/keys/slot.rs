//! Where one entry lies.

use super::{CacheKey, Namespace, Owner, Resource};
use crate::entry::{Entry, Nonce, Rejection, Seal, Seals};
use std::rc::Rc;

/// Where one entry lies: a key, and in the key of a list a field; the name that the entry is bound to; and what seals it.
///
/// ```
/// # #[derive(Clone, Copy)]
/// # struct Note(u32);
/// # impl std::fmt::Display for Note {
/// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
/// #         write!(f, "note:{}", self.0)
/// #     }
/// # }
/// # impl cache::Resource for Note {
/// #     fn parse(name: &str) -> Option<Self> {
/// #         name.strip_prefix("note:")?.parse().ok().map(Self)
/// #     }
/// #     fn is_list(&self) -> bool {
/// #         false
/// #     }
/// # }
/// use cache::{Entry, Namespace, Owner, Rejection, Slot};
///
/// let (namespace, ada) = (Namespace::parse("notes_").unwrap(), Owner::parse("ada").unwrap());
/// let slot = |number| Slot::new(&namespace, None, &ada, &Note(number), "");
/// let (epoch, entry) = (5, Entry::of(b"hello".to_vec()));
/// let bytes = slot(7).wrap(&entry, epoch, None);
///
/// assert_eq!(slot(7).key().as_str(), "notes_ada:note:7");
/// assert_eq!(slot(7).open(bytes.clone(), epoch), Ok(entry));
/// assert_eq!(slot(8).open(bytes.clone(), epoch), Err(Rejection::Misplaced));
/// assert_eq!(slot(7).open(bytes, epoch + 1), Err(Rejection::Outdated));
/// ```
pub struct Slot<'a> {
    key: CacheKey,
    field: &'a str,
    name: String,
    seal: Option<Rc<Seal>>,
    note_check: fn(&[u8]) -> bool,
}

impl<'a> Slot<'a> {
    /// The slot of `resource`, or of its page `field`; `field` is empty for what is no list. Without `seals` entries have a
    /// checksum alone.
    pub fn new(
        namespace: &Namespace,
        seals: Option<&Seals>,
        owner: &Owner,
        resource: &impl Resource,
        field: &'a str,
    ) -> Self {
        let key = CacheKey::new(namespace, owner, resource);
        let mut name = String::with_capacity(key.as_str().len() + 1 + field.len());
        name.push_str(key.as_str());
        name.push('\n');
        name.push_str(field);
        Self { key, field, name, seal: seals.map(|seals| seals.of(owner)), note_check: resource.note_check() }
    }

    /// The key.
    pub fn key(&self) -> &CacheKey {
        &self.key
    }

    /// The field of a list's page; empty for a single value.
    pub fn field(&self) -> &str {
        self.field
    }

    /// What the entry is bound to, and what tells this slot from every other of the deployment.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether [`Slot::wrap`] seals, and so needs a nonce.
    pub fn is_sealed(&self) -> bool {
        self.seal.is_some()
    }

    /// The bytes to store for `entry` in `epoch`. `nonce` is random and used once; without a seal it is not looked at.
    pub fn wrap(&self, entry: &Entry, epoch: u64, nonce: Option<&Nonce>) -> Vec<u8> {
        entry.wrap(&self.name, epoch, self.seal.as_deref().zip(nonce))
    }

    /// Opens bytes that were read from this slot, in `epoch`.
    ///
    /// # Errors
    /// Why they are not taken for its entry.
    pub fn open(&self, bytes: Vec<u8>, epoch: u64) -> Result<Entry, Rejection> {
        let entry = Entry::open(bytes, &self.name, epoch, self.seal.as_deref())?;
        if (self.note_check)(&entry.note) { Ok(entry) } else { Err(Rejection::Damaged) }
    }
}
