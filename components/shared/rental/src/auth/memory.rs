//! Tokens that were verified before, so that a signature is checked once and not with every request.

use super::Caller;
use super::claims::VerifiedToken;
use siphasher::sip128::SipHasher24;
use std::collections::HashMap;

/// How many tokens each of the two generations holds: some 200 bytes each, so all of them stay below 500 KB.
const GENERATION: usize = 1024;

/// The secret key of an instance's hashes, in bytes.
pub const HASH_KEY_BYTES: usize = 16;

/// What stands for a token. The token itself is not kept: an attacker who reads the memory could use it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(u128);

/// The tokens that an instance has verified lately.
///
/// In two generations: when the young one is full it becomes the old one, and what is asked for again comes back. So the
/// number is bounded, and what is in use stays.
pub struct Memory {
    /// Makes the hashes.
    hasher: SipHasher24,
    young: HashMap<TokenHash, VerifiedToken>,
    old: HashMap<TokenHash, VerifiedToken>,
    /// Which set of keys they were verified with.
    keys: u64,
}

impl Memory {
    /// Nothing is remembered yet. `key` is random, and nobody else has it.
    pub fn new(key: &[u8; HASH_KEY_BYTES]) -> Self {
        let hasher = SipHasher24::new_with_key(key);
        Self { hasher, young: HashMap::new(), old: HashMap::new(), keys: 0 }
    }

    /// A keyed hash of the token: SipHash-2-4, 128 bits (Aumasson and Bernstein, 2012). Without the key no forgery is better than
    /// guessing: 2^-128 for each token kept. It costs less than SHA-256, and each request makes one.
    pub fn hash(&self, token: &str) -> TokenHash {
        TokenHash(self.hasher.hash(token.as_bytes()).into())
    }

    /// The caller of this token, if it was verified with these keys and is good at `now` (Unix time in seconds). With other keys
    /// than before everything is forgotten: a token must not outlive its key.
    pub fn recall(&mut self, hash: &TokenHash, keys: u64, now: u64) -> Option<Caller> {
        if self.keys != keys {
            self.forget(keys);
            return None;
        }
        if let Some(verified) = self.young.get(hash) {
            return verified.validity.check(now).is_ok().then(|| verified.caller.clone());
        }
        let verified = self.old.remove(hash)?;
        verified.validity.check(now).ok()?;
        let caller = verified.caller.clone();
        self.remember(*hash, keys, verified);
        Some(caller)
    }

    /// Remembers a token that was verified with these keys.
    pub fn remember(&mut self, hash: TokenHash, keys: u64, verified: VerifiedToken) {
        if self.keys != keys {
            self.forget(keys);
        }
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(hash, verified);
    }

    fn forget(&mut self, keys: u64) {
        self.young.clear();
        self.old.clear();
        self.keys = keys;
    }
}

#[cfg(test)]
mod tests {
    use super::super::members::Members;
    use super::super::tests::{NOW, policy};
    use super::*;

    fn verified(tenant: &str, nbf: u64, exp: u64) -> VerifiedToken {
        let claims = format!(r#"{{"iss":"RentTracker","aud":"RentTracker","sub":"{tenant}","nbf":{nbf},"exp":{exp}}}"#);
        let claims: Members = serde_json::from_str(&claims).expect("claims");
        VerifiedToken::of(&claims, &policy(), NOW).expect("good now")
    }

    fn memory() -> Memory {
        Memory::new(&[7; HASH_KEY_BYTES])
    }

    fn remember(memory: &mut Memory, token: &str, keys: u64, verified: VerifiedToken) {
        memory.remember(memory.hash(token), keys, verified);
    }

    fn recalls(memory: &mut Memory, token: &str, keys: u64, now: u64) -> Option<String> {
        memory.recall(&memory.hash(token), keys, now).map(|caller| caller.tenant.to_string())
    }

    /// The reference's own vector: the key is 00 to 0f, and the message 00 to 0e.
    #[test]
    fn a_hash_is_siphash_2_4_with_128_bits_under_the_key() {
        let key: [u8; HASH_KEY_BYTES] = std::array::from_fn(|index| u8::try_from(index).expect("below 16"));
        let message: String = (0..15).map(char::from).collect();
        let expected = u128::from_le_bytes(*b"\x54\x93\xe9\x99\x33\xb0\xa8\x11\x7e\x08\xec\x0f\x97\xcf\xc3\xd9");
        assert_eq!(Memory::new(&key).hash(&message).0, expected);
        assert_ne!(memory().hash(&message).0, expected, "another key makes other hashes");
    }

    #[test]
    fn a_token_is_remembered_while_it_is_good() {
        let mut memory = memory();
        remember(&mut memory, "x", 0, verified("a", NOW + 30, NOW + 100));
        assert_eq!(recalls(&mut memory, "x", 0, NOW), Some("a".into()));
        assert_eq!(recalls(&mut memory, "y", 0, NOW), None);
        assert_eq!(recalls(&mut memory, "x", 0, NOW + 159), Some("a".into()));
        assert_eq!(recalls(&mut memory, "x", 0, NOW + 160), None, "expired, and a minute over");
        assert_eq!(recalls(&mut memory, "x", 0, NOW - 30), Some("a".into()));
        assert_eq!(recalls(&mut memory, "x", 0, NOW - 31), None, "the clock was set back before it begins");
    }

    #[test]
    fn other_keys_make_every_token_unknown() {
        let mut memory = memory();
        remember(&mut memory, "x", 1, verified("a", NOW, NOW + 100));
        assert_eq!(recalls(&mut memory, "x", 2, NOW), None);
        assert_eq!(
            recalls(&mut memory, "x", 1, NOW),
            None,
            "the old keys are back, and it was verified with others since"
        );
        remember(&mut memory, "x", 1, verified("a", NOW, NOW + 100));
        remember(&mut memory, "y", 2, verified("b", NOW, NOW + 100));
        assert_eq!(recalls(&mut memory, "x", 2, NOW), None);
        assert_eq!(recalls(&mut memory, "y", 2, NOW), Some("b".into()));
    }

    #[test]
    fn the_number_is_bounded_and_used_ones_stay() {
        let mut memory = memory();
        let known = verified("a", NOW, NOW + 100);
        remember(&mut memory, "used", 0, known.clone());
        for number in 0..10 * GENERATION {
            remember(&mut memory, &number.to_string(), 0, known.clone());
            if number % 500 == 0 {
                assert!(recalls(&mut memory, "used", 0, NOW).is_some(), "forgotten after {number} others");
            }
            assert!(memory.young.len() + memory.old.len() <= 2 * GENERATION);
        }
        assert!(recalls(&mut memory, "0", 0, NOW).is_none(), "it is the least recently used");
    }
}
