//! Sealing: entries are encrypted and authenticated under a key of their owner (XChaCha20-Poly1305), so that an
//! attacker who can write to Redis can neither read an entry nor replace it by an altered or another owner's entry.

use crate::keys::Owner;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use hkdf::Hkdf;
use sha2::Sha256;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// Random for every entry. 24 bytes are enough to never meet twice under one key, however many entries it seals.
pub type Nonce = [u8; 24];

/// What sealing adds behind the text.
pub const TAG_BYTES: usize = 16;

/// One key that seals, and those that rotations are still leaving behind: each is tried on an entry that the ones before it
/// do not open.
const MAX_KEYS: usize = 4;

/// For how many owners an instance remembers derived keys: below 64 KB. Deriving one costs a few microseconds.
const MAX_REMEMBERED: usize = 256;

/// A deployment's secret keys, and the owners' keys that were derived from them lately.
///
/// ```
/// use cache::{Owner, Seals};
///
/// let secret = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// let seals = Seals::parse(secret, b"notes entry 1\0").unwrap().expect("one key");
/// let seal = |name| seals.of(&Owner::parse(name).unwrap());
///
/// let (nonce, clear) = ([7; 24], b"header".len());
/// let mut bytes = b"headertext".to_vec();
/// assert!(seal("ada").close(&nonce, &mut bytes, clear));
/// let (header, sealed) = bytes.split_at_mut(clear);
/// assert!(!seal("bob").open(&nonce, header, sealed));
/// assert!(seal("ada").open(&nonce, header, sealed));
/// assert!(sealed.starts_with(b"text"));
/// ```
#[derive(Clone)]
pub struct Seals {
    keys: Vec<[u8; 32]>,
    purpose: &'static [u8],
    derived: RefCell<HashMap<Owner, Rc<Seal>>>,
}

impl Seals {
    /// Reads keys of 32 bytes in base64, separated by commas; the first one seals. `None` when there is none. `purpose` says
    /// what the derived keys are for, so that the same secret used elsewhere yields others; it ends in a NUL, which no owner has.
    ///
    /// # Errors
    /// A sentence that goes on after the variable's name, and shows nothing of the keys.
    pub fn parse(text: &str, purpose: &'static [u8]) -> Result<Option<Self>, &'static str> {
        if text.trim().is_empty() {
            return Ok(None);
        }
        let key = |part: &str| STANDARD.decode(part.trim()).ok()?.try_into().ok();
        let keys: Option<Vec<[u8; 32]>> = text.split(',').map(key).collect();
        let keys = keys
            .ok_or("must hold keys of 32 bytes in base64, separated by commas (`openssl rand -base64 32` makes one)")?;
        if keys.len() > MAX_KEYS {
            return Err("holds too many keys: one that seals, and at most three that rotations leave behind");
        }
        Ok(Some(Self { keys, purpose, derived: RefCell::default() }))
    }

    /// The seal of an owner.
    pub fn of(&self, owner: &Owner) -> Rc<Seal> {
        let mut derived = self.derived.borrow_mut();
        if let Some(seal) = derived.get(owner) {
            return Rc::clone(seal);
        }
        if derived.len() >= MAX_REMEMBERED {
            derived.clear();
        }
        let ciphers = self.keys.iter().filter_map(|key| cipher(key, self.purpose, owner)).collect();
        let seal = Rc::new(Seal { ciphers });
        derived.insert(owner.clone(), Rc::clone(&seal));
        seal
    }
}

/// HKDF-SHA256 (RFC 5869) without a salt: the secret is uniformly random already. `None` would be for more output than it
/// can give; this is one hash.
fn cipher(key: &[u8; 32], purpose: &[u8], owner: &Owner) -> Option<XChaCha20Poly1305> {
    let mut derived = chacha20poly1305::Key::default();
    Hkdf::<Sha256>::new(None, key).expand_multi_info(&[purpose, owner.as_str().as_bytes()], &mut derived).ok()?;
    Some(XChaCha20Poly1305::new(&derived))
}

/// What seals and opens the entries of one owner.
pub struct Seal {
    /// The first one seals, all open.
    ciphers: Vec<XChaCha20Poly1305>,
}

impl Seal {
    /// Encrypts what comes behind the first `clear` of `bytes`, and appends the tag that vouches for all of them. `false`
    /// when that is longer than the cipher can take (256 GB).
    pub fn close(&self, nonce: &Nonce, bytes: &mut Vec<u8>, clear: usize) -> bool {
        let tag = bytes.split_at_mut_checked(clear).and_then(|(clear, text)| {
            self.ciphers.first()?.encrypt_inout_detached(nonce.into(), clear, text.into()).ok()
        });
        bytes.extend_from_slice(tag.as_ref().map_or(&[], |tag| tag.as_slice()));
        tag.is_some()
    }

    /// Decrypts `sealed` in its place, but for the tag at its end, if that vouches for it and for `clear`.
    pub fn open(&self, nonce: &Nonce, clear: &[u8], sealed: &mut [u8]) -> bool {
        let Some((text, tag)) = sealed.split_last_chunk_mut::<TAG_BYTES>() else {
            return false;
        };
        let tag = (&*tag).into();
        // One that does not open leaves the text as it is.
        self.ciphers
            .iter()
            .any(|cipher| cipher.decrypt_inout_detached(nonce.into(), clear, (&mut *text).into(), tag).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::owner;

    const ONE: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const OTHER: &str = "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=";

    const PURPOSE: &[u8] = b"example entry 1\0";

    fn seal(keys: &str, name: &str) -> Rc<Seal> {
        let seals = Seals::parse(keys, PURPOSE).expect("keys").expect("at least one");
        seals.of(&owner(name))
    }

    #[test]
    fn keys_are_32_bytes_in_base64_and_at_most_four() {
        let is_taken = |text: &str| Seals::parse(text, PURPOSE).map(|seals| seals.is_some());
        assert_eq!(is_taken(""), Ok(false));
        assert_eq!(is_taken(" "), Ok(false));
        assert_eq!(is_taken(ONE), Ok(true));
        assert_eq!(is_taken(&format!("{ONE}, {OTHER},{ONE},{ONE}")), Ok(true));
        for bad in [
            "short",
            "AAECAw==",
            &ONE.replace('=', ""),
            &format!("{ONE},"),
            &format!("{ONE};{OTHER}"),
            &"00".repeat(32),
            &[ONE; 5].join(","),
        ] {
            assert!(is_taken(bad).is_err(), "{bad}");
        }
    }

    /// The RFC 5869 expansion and the cipher, by hand from `sha2`'s HMAC, so that a slip in the derivation shows.
    #[test]
    fn an_owners_key_is_derived_by_hkdf_for_this_purpose_and_owner() {
        use hmac::{Hmac, Mac};
        let hmac = |key: &[u8], parts: &[&[u8]]| {
            let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
            parts.iter().for_each(|part| mac.update(part));
            mac.finalize().into_bytes()
        };
        let key: Vec<u8> = (0..32).collect();
        let extracted = hmac(&[0; 32], &[&key]);
        let expanded = hmac(&extracted, &[PURPOSE, b"landlord-1", &[1]]);
        let cipher = XChaCha20Poly1305::new_from_slice(&expanded).expect("32 bytes");

        let mut bytes = b"clear, secret".to_vec();
        assert!(seal(ONE, "landlord-1").close(&[7; 24], &mut bytes, 6));
        let mut expected = b" secret".to_vec();
        let tag = cipher.encrypt_inout_detached(&[7; 24].into(), b"clear,", expected.as_mut_slice().into());
        expected.extend_from_slice(&tag.expect("short enough"));
        assert_eq!(bytes, [b"clear,", expected.as_slice()].concat());
    }

    #[test]
    fn an_entry_opens_with_every_list_that_has_its_key() {
        let mut bytes = b"text".to_vec();
        assert!(seal(ONE, "a").close(&[1; 24], &mut bytes, 0));
        for (keys, tenant, opens) in [
            (ONE.to_owned(), "a", true),
            (format!("{OTHER},{ONE}"), "a", true),
            (OTHER.to_owned(), "a", false),
            (ONE.to_owned(), "b", false),
        ] {
            let mut copy = bytes.clone();
            assert_eq!(seal(&keys, tenant).open(&[1; 24], b"", &mut copy), opens, "{tenant}");
            assert_eq!(copy.starts_with(b"text"), opens);
        }
        let mut sealed_anew = b"text".to_vec();
        assert!(seal(&format!("{OTHER},{ONE}"), "a").close(&[1; 24], &mut sealed_anew, 0));
        assert_ne!(sealed_anew, bytes, "the first one seals");
    }

    #[test]
    fn only_so_many_owners_are_remembered_and_each_keeps_its_seal() {
        let seals = Seals::parse(ONE, PURPOSE).expect("a key").expect("a key");
        let name = |number: usize| owner(&format!("t{number}"));
        let first = seals.of(&name(0));
        assert!(Rc::ptr_eq(&first, &seals.of(&name(0))));
        for number in 0..10 * MAX_REMEMBERED {
            seals.of(&name(number));
            assert!(seals.derived.borrow().len() <= MAX_REMEMBERED);
        }
        let mut bytes = b"text".to_vec();
        assert!(first.close(&[1; 24], &mut bytes, 0));
        assert!(seals.of(&name(0)).open(&[1; 24], b"", &mut bytes));
    }
}
