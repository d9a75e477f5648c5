//! Tokens that were verified before, so that a signature is checked once and not with every request.

use super::Caller;
use super::claims::VerifiedToken;
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// How many tokens each of the two generations holds: some 200 bytes each, so all of them stay below 500 KB.
const GENERATION: usize = 1024;

/// What stands for a token. The token itself is not kept: an attacker who reads the memory could use it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Print([u8; 32]);

impl Print {
    /// The SHA-256 digest of a token.
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }
}

/// The tokens that an instance has verified lately.
///
/// In two generations: when the young one is full it becomes the old one, and what is asked for again comes back. So the
/// number is bounded, and what is in use stays.
#[derive(Default)]
pub struct Memory {
    young: HashMap<Print, VerifiedToken>,
    old: HashMap<Print, VerifiedToken>,
    /// Which set of keys they were verified with.
    keys: u64,
}

impl Memory {
    /// The caller of this token, if it was verified with these keys and is good at `now` (Unix time in seconds). With other keys
    /// than before everything is forgotten: a token must not outlive its key.
    pub fn recall(&mut self, print: &Print, keys: u64, now: u64) -> Option<Caller> {
        if self.keys != keys {
            *self = Self { keys, ..Self::default() };
            return None;
        }
        if let Some(verified) = self.young.get(print) {
            return verified.validity.check(now).is_ok().then(|| verified.caller.clone());
        }
        let verified = self.old.remove(print)?;
        verified.validity.check(now).ok()?;
        let caller = verified.caller.clone();
        self.remember(*print, keys, verified);
        Some(caller)
    }

    /// Remembers a token that was verified with these keys.
    pub fn remember(&mut self, print: Print, keys: u64, verified: VerifiedToken) {
        if self.keys != keys {
            *self = Self { keys, ..Self::default() };
        }
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(print, verified);
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

    fn recalls(memory: &mut Memory, token: &str, keys: u64, now: u64) -> Option<String> {
        memory.recall(&Print::of(token), keys, now).map(|caller| caller.tenant.to_string())
    }

    #[test]
    fn a_token_is_remembered_while_it_is_good() {
        let mut memory = Memory::default();
        memory.remember(Print::of("x"), 0, verified("a", NOW + 30, NOW + 100));
        assert_eq!(recalls(&mut memory, "x", 0, NOW), Some("a".into()));
        assert_eq!(recalls(&mut memory, "y", 0, NOW), None);
        assert_eq!(recalls(&mut memory, "x", 0, NOW + 159), Some("a".into()));
        assert_eq!(recalls(&mut memory, "x", 0, NOW + 160), None, "expired, and a minute over");
        assert_eq!(recalls(&mut memory, "x", 0, NOW - 30), Some("a".into()));
        assert_eq!(recalls(&mut memory, "x", 0, NOW - 31), None, "the clock was set back before it begins");
    }

    #[test]
    fn other_keys_make_every_token_unknown() {
        let mut memory = Memory::default();
        memory.remember(Print::of("x"), 1, verified("a", NOW, NOW + 100));
        assert_eq!(recalls(&mut memory, "x", 2, NOW), None);
        assert_eq!(
            recalls(&mut memory, "x", 1, NOW),
            None,
            "the old keys are back, and it was verified with others since"
        );
        memory.remember(Print::of("x"), 1, verified("a", NOW, NOW + 100));
        memory.remember(Print::of("y"), 2, verified("b", NOW, NOW + 100));
        assert_eq!(recalls(&mut memory, "x", 2, NOW), None);
        assert_eq!(recalls(&mut memory, "y", 2, NOW), Some("b".into()));
    }

    #[test]
    fn the_number_is_bounded_and_used_ones_stay() {
        let mut memory = Memory::default();
        let known = verified("a", NOW, NOW + 100);
        memory.remember(Print::of("used"), 0, known.clone());
        for number in 0..10 * GENERATION {
            memory.remember(Print::of(&number.to_string()), 0, known.clone());
            if number % 500 == 0 {
                assert!(recalls(&mut memory, "used", 0, NOW).is_some(), "forgotten after {number} others");
            }
            assert!(memory.young.len() + memory.old.len() <= 2 * GENERATION);
        }
        assert!(recalls(&mut memory, "0", 0, NOW).is_none(), "it is the least recently used");
    }
}
