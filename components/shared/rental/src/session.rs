//! The token of a session: how far into the history of the database its client has seen, signed. With several regions every answer
//! has one, and a request that brings it is answered from what shows as much.

use crate::domain::TenantId;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use cache::region::Position;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What the keys that sign tokens are derived for.
const PURPOSE: &[u8] = b"renttracker-edge session token 1\0";
const VERSION: u8 = 1;
/// Version, timeline, and three numbers of 64 bits.
const CONTENT_BYTES: usize = 1 + 4 + 3 * 8;
/// HMAC-SHA-256-128 (RFC 4868): a guess is right with a chance of 2^-128.
const TAG_BYTES: usize = 16;
const TOKEN_BYTES: usize = CONTENT_BYTES + TAG_BYTES;
/// As base64url, which has four characters for three bytes.
pub const TOKEN_CHARACTERS: usize = TOKEN_BYTES / 3 * 4;
const _: () = assert!(TOKEN_BYTES.is_multiple_of(3));
/// One key that signs, and those that rotations are still leaving behind.
const MAX_KEYS: usize = 4;

/// What all regions sign session tokens with.
///
/// ```
/// use cache::region::Position;
/// use rental::domain::TenantId;
/// use rental::session::SessionKey;
///
/// let key = SessionKey::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap().expect("one key");
/// let [ada, bob] = ["ada", "bob"].map(|name| TenantId::parse(name).unwrap());
/// let seen = Position { timeline: 1, lsn: 700, ..Position::default() };
///
/// let token = key.sign(&ada, seen);
/// assert_eq!(key.open(&ada, &token), Some(seen));
/// assert_eq!(key.open(&bob, &token), None);
/// ```
#[derive(Clone)]
pub struct SessionKey {
    signing: Hmac<Sha256>,
    /// Those that rotations are leaving behind: they only open.
    older: Vec<Hmac<Sha256>>,
}

impl SessionKey {
    /// Reads keys of 32 bytes in base64, separated by commas; the first one signs, all open. `None` when there is none.
    ///
    /// # Errors
    /// A sentence that goes on after the variable's name, and shows nothing of the keys.
    pub fn parse(text: &str) -> Result<Option<Self>, &'static str> {
        if text.trim().is_empty() {
            return Ok(None);
        }
        let keys: Option<Vec<Hmac<Sha256>>> = text.split(',').map(|key| derived(key.trim())).collect();
        let mut keys = keys
            .filter(|keys| keys.len() <= MAX_KEYS)
            .ok_or("must hold one to four keys of 32 bytes in base64, separated by commas (`openssl rand -base64 32` makes one)")?
            .into_iter();
        Ok(keys.next().map(|signing| Self { signing, older: keys.collect() }))
    }

    /// The token that says to this tenant what its session has seen.
    pub fn sign(&self, tenant: &TenantId, seen: Position) -> String {
        let content = content(seen);
        let tag = over(&self.signing, tenant, &content).finalize().into_bytes();
        let (tag, _) = tag.split_at(TAG_BYTES);
        URL_SAFE_NO_PAD.encode([&content, tag].concat())
    }

    /// What a token of this tenant says. `None` for any other text: malformed, altered, another tenant's, or under another key.
    pub fn open(&self, tenant: &TenantId, text: &str) -> Option<Position> {
        let mut bytes = [0; TOKEN_BYTES];
        if URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) != Ok(TOKEN_BYTES) {
            return None;
        }
        let (content, tag) = bytes.split_first_chunk::<CONTENT_BYTES>()?;
        let signs = |key: &Hmac<Sha256>| over(key, tenant, content).verify_truncated_left(tag).is_ok();
        if !signs(&self.signing) && !self.older.iter().any(signs) {
            return None;
        }
        read(content)
    }
}

/// HKDF-SHA256 (RFC 5869) without a salt: the secret is uniformly random already.
fn derived(key: &str) -> Option<Hmac<Sha256>> {
    let secret: [u8; 32] = STANDARD.decode(key).ok()?.try_into().ok()?;
    let mut derived = [0; 32];
    Hkdf::<Sha256>::new(None, &secret).expand(PURPOSE, &mut derived).ok()?;
    Hmac::new_from_slice(&derived).ok()
}

/// The content has always the same length, so nothing can be moved between it and the tenant's id.
fn over(key: &Hmac<Sha256>, tenant: &TenantId, content: &[u8; CONTENT_BYTES]) -> Hmac<Sha256> {
    key.clone().chain_update(tenant.as_str()).chain_update(content)
}

fn content(seen: Position) -> [u8; CONTENT_BYTES] {
    let mut bytes = [0; CONTENT_BYTES];
    let numbers = [seen.lsn, seen.below, seen.own].map(u64::to_le_bytes);
    let parts = std::iter::once(VERSION).chain(seen.timeline.to_le_bytes()).chain(numbers.into_iter().flatten());
    bytes.iter_mut().zip(parts).for_each(|(place, byte)| *place = byte);
    bytes
}

fn read(content: &[u8; CONTENT_BYTES]) -> Option<Position> {
    let (&version, rest) = content.split_first()?;
    let (timeline, rest) = rest.split_first_chunk()?;
    let (lsn, rest) = rest.split_first_chunk()?;
    let (below, rest) = rest.split_first_chunk()?;
    let own = rest.first_chunk()?;
    (version == VERSION).then(|| Position {
        timeline: u32::from_le_bytes(*timeline),
        lsn: u64::from_le_bytes(*lsn),
        below: u64::from_le_bytes(*below),
        own: u64::from_le_bytes(*own),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ONE: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const OTHER: &str = "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=";
    const SEEN: Position = Position { timeline: 3, lsn: 0x0102_0304_0506_0708, below: 726, own: 725 };
    /// Of `ada`, under [`ONE`].
    const SIGNED: &str = "AQMAAAAIBwYFBAMCAdYCAAAAAAAA1QIAAAAAAACQs-hHG9nhjMOkCAG-yi-7";

    fn key(text: &str) -> SessionKey {
        SessionKey::parse(text).expect("keys").expect("at least one")
    }

    fn tenant(name: &str) -> TenantId {
        TenantId::parse(name).expect("a tenant")
    }

    #[test]
    fn keys_are_32_bytes_in_base64_and_at_most_four() {
        let is_taken = |text: &str| SessionKey::parse(text).map(|key| key.is_some());
        assert_eq!((is_taken(""), is_taken(" ")), (Ok(false), Ok(false)));
        assert_eq!(is_taken(&format!("{ONE}, {OTHER},{ONE},{ONE}")), Ok(true));
        for bad in ["short", "AAECAw==", &ONE.replace('=', ""), &format!("{ONE},"), &[ONE; 5].join(",")] {
            assert!(is_taken(bad).is_err(), "{bad}");
        }
    }

    /// Made by hand from SHA-256's HMAC alone: what the other regions make of it is this, or none opens another's.
    #[test]
    fn a_token_is_a_version_four_numbers_and_an_hmac_under_a_key_derived_for_it() {
        let hmac = |key: &[u8], parts: &[&[u8]]| {
            let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
            parts.iter().for_each(|part| mac.update(part));
            mac.finalize().into_bytes()
        };
        let secret: Vec<u8> = (0..32).collect();
        let derived = hmac(&hmac(&[0; 32], &[&secret]), &[b"renttracker-edge session token 1\0", &[1]]);
        let mut token = vec![1, 3, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1];
        token.extend([0xd6, 2, 0, 0, 0, 0, 0, 0, 0xd5, 2, 0, 0, 0, 0, 0, 0]);
        let tag = hmac(&derived, &[b"ada", &token]);
        token.extend(&tag[..16]);
        assert_eq!(URL_SAFE_NO_PAD.encode(token), SIGNED);
        assert_eq!(key(ONE).sign(&tenant("ada"), SEEN), SIGNED);
        assert_eq!((SIGNED.len(), key(ONE).open(&tenant("ada"), SIGNED)), (TOKEN_CHARACTERS, Some(SEEN)));
    }

    #[test]
    fn a_token_with_a_changed_byte_is_none() {
        let bytes = URL_SAFE_NO_PAD.decode(SIGNED).expect("base64");
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                assert_eq!(
                    key(ONE).open(&tenant("ada"), &URL_SAFE_NO_PAD.encode(changed)),
                    None,
                    "byte {at}, bit {bit}"
                );
            }
        }
    }

    #[test]
    fn a_token_of_another_tenant_is_none() {
        for other in ["Ada", "ad", "adaa", "ada-", "bob"] {
            assert_eq!(key(ONE).open(&tenant(other), SIGNED), None, "{other}");
        }
    }

    #[test]
    fn a_token_opens_with_every_list_that_has_its_key() {
        for (keys, opens) in [(ONE, true), (OTHER, false), (&format!("{OTHER},{ONE}"), true)] {
            assert_eq!(key(keys).open(&tenant("ada"), SIGNED).is_some(), opens, "{keys}");
        }
        let signed = key(&format!("{OTHER},{ONE}")).sign(&tenant("ada"), SEEN);
        assert_eq!(key(OTHER).open(&tenant("ada"), &signed), Some(SEEN), "the first one signs");
    }

    #[test]
    fn a_token_has_one_length_and_one_spelling() {
        let padded = format!("{SIGNED}====");
        let standard = STANDARD.encode(URL_SAFE_NO_PAD.decode(SIGNED).expect("base64"));
        assert_ne!(standard, SIGNED, "the example has a character that is spelt otherwise");
        for other in [
            "",
            " ",
            SIGNED.split_at(1).1,
            SIGNED.split_at(59).0,
            SIGNED.split_at(56).0,
            &format!("{SIGNED}A"),
            &padded,
            &standard,
        ] {
            assert_eq!(key(ONE).open(&tenant("ada"), other), None, "{other}");
        }
        // A later version is not read as this one, however well it is signed.
        let mut later = content(SEEN);
        later[0] = 2;
        let key = key(ONE);
        let tag = over(&key.signing, &tenant("ada"), &later).finalize().into_bytes();
        let token = URL_SAFE_NO_PAD.encode([&later[..], &tag[..TAG_BYTES]].concat());
        assert_eq!(key.open(&tenant("ada"), &token), None);
    }

    proptest! {
        #[test]
        fn what_is_signed_is_opened(timeline: u32, lsn: u64, below: u64, own: u64, name in "[A-Za-z0-9_-]{1,64}") {
            let seen = Position { timeline, lsn, below, own };
            let token = key(ONE).sign(&tenant(&name), seen);
            prop_assert_eq!(token.len(), TOKEN_CHARACTERS);
            prop_assert_eq!(key(ONE).open(&tenant(&name), &token), Some(seen));
        }

        #[test]
        fn no_other_text_is_a_token(text in prop_oneof![any::<String>(), "[A-Za-z0-9_-]{60}", "\\PC{60}"]) {
            prop_assert_eq!(key(ONE).open(&tenant("ada"), &text), None);
        }
    }
}
