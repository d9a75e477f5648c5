//! The keys that are fetched from an address: how long those at hand are used, and when to ask for them again.

use super::key_set::KeySet;
use std::rc::Rc;
use std::time::Duration;

/// How soon the address may be asked again after it was. A client that makes up key ids can make an instance ask
/// this often, and not more.
pub const ASK_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// The same while there are no keys: no token can be verified then, and the first success ends it.
pub const ASK_AGAIN_WITHOUT_KEYS: Duration = Duration::from_secs(1);

/// How long keys are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ages {
    /// After this they are fetched anew, in the background. A key that its issuer withdraws is refused at most this, one
    /// request and a fetch later, as long as the address answers.
    pub refresh: Duration,
    /// For so long they are used when the address does not answer.
    pub keep: Duration,
}

/// What an instance has of the keys. All times are Unix times: a set is handed on to instances that start later.
#[derive(Default)]
pub struct KeySupply {
    keys: Option<Rc<KeySet>>,
    /// Told apart from all sets before it by this number.
    number: u64,
    fetched_at: Duration,
    asked_at: Option<Duration>,
}

impl KeySupply {
    /// The keys to use at `now`, and the number that stands for them: what was verified under another is not verified.
    pub fn at_hand(&mut self, now: Duration, ages: Ages) -> (Option<Rc<KeySet>>, u64) {
        if self.keys.is_some() && self.age(now) >= ages.keep {
            self.keys = None;
            self.number += 1;
        }
        (self.keys.clone(), self.number)
    }

    /// Whether the keys at hand are to be fetched anew, in the background.
    pub fn is_due(&self, now: Duration, ages: Ages) -> bool {
        self.is_old(now, ages) && self.may_ask(now)
    }

    /// Whether the keys at hand are older than they should become.
    pub fn is_old(&self, now: Duration, ages: Ages) -> bool {
        self.keys.is_some() && self.age(now) >= ages.refresh
    }

    /// Whether the address may be asked now.
    pub fn may_ask(&self, now: Duration) -> bool {
        let pause = if self.keys.is_some() { ASK_AGAIN_AFTER } else { ASK_AGAIN_WITHOUT_KEYS };
        // A clock that was set back must not keep it from asking until it has caught up.
        self.asked_at.is_none_or(|asked_at| now.checked_sub(asked_at).is_none_or(|since| since >= pause))
    }

    /// The address is asked, or has not answered.
    pub fn asked(&mut self, now: Duration) {
        self.asked_at = Some(now);
    }

    /// The address has answered what was asked at `asked_at`. Whether the keys are others than before.
    pub fn fetched(&mut self, keys: KeySet, asked_at: Duration, now: Duration) -> bool {
        self.take(keys, asked_at, now)
    }

    /// Another instance has left the keys that the address answered when it was asked at `asked_at`. They are taken if they
    /// are newer than those at hand and not too old.
    pub fn recalled(&mut self, keys: KeySet, asked_at: Duration, now: Duration, ages: Ages) {
        let is_newer = self.keys.is_none() || asked_at > self.fetched_at;
        if is_newer && now.saturating_sub(asked_at) < ages.keep {
            self.take(keys, asked_at, asked_at);
        }
    }

    fn take(&mut self, keys: KeySet, asked_at: Duration, last_asked_at: Duration) -> bool {
        self.asked(last_asked_at);
        self.fetched_at = asked_at;
        let are_new = self.keys.as_deref() != Some(&keys);
        if are_new {
            self.keys = Some(Rc::new(keys));
            self.number += 1;
        }
        are_new
    }

    fn age(&self, now: Duration) -> Duration {
        now.saturating_sub(self.fetched_at)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{EC_X, EC_Y, ED_X};
    use super::*;
    use serde_json::json;

    const AGES: Ages = Ages { refresh: Duration::from_secs(240), keep: Duration::from_secs(3_600) };

    fn set(id: &str) -> KeySet {
        let keys = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": ED_X, "kid": id}]});
        KeySet::parse(keys.to_string().as_bytes()).unwrap_or_else(|reason| panic!("{reason}"))
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn keys_are_due_before_they_are_old_and_kept_while_the_address_is_away() {
        let mut supply = KeySupply::default();
        assert!(supply.at_hand(at(0), AGES).0.is_none());
        assert!(supply.may_ask(at(0)) && !supply.is_due(at(0), AGES));
        supply.fetched(set("a"), at(0), at(1));
        let (keys, number) = supply.at_hand(at(239), AGES);
        assert!(keys.is_some() && !supply.is_due(at(239), AGES));
        assert!(supply.is_due(at(240), AGES));
        // It is asked and does not answer, again and again.
        for second in (240..3_600).step_by(5) {
            assert!(supply.is_due(at(second), AGES), "{second}");
            supply.asked(at(second));
            assert!(!supply.is_due(at(second + 4), AGES), "{second}");
            assert_eq!(supply.at_hand(at(second), AGES).1, number);
        }
        let (keys, later) = supply.at_hand(at(3_600), AGES);
        assert!(keys.is_none() && later != number, "keys older than `keep` are not used");
        assert!(!supply.is_due(at(3_600), AGES), "without keys a request that needs them asks");
        supply.fetched(set("a"), at(3_700), at(3_701));
        assert!(supply.at_hand(at(3_701), AGES).1 > later);
    }

    #[test]
    fn their_age_counts_from_when_they_were_asked_for() {
        let mut supply = KeySupply::default();
        supply.fetched(set("a"), at(10), at(12));
        assert!(supply.is_due(at(250), AGES));
    }

    #[test]
    fn keys_of_another_instance_are_taken_if_they_are_newer_and_not_too_old() {
        let mut supply = KeySupply::default();
        supply.recalled(set("old"), at(0), at(3_600), AGES);
        assert!(supply.at_hand(at(3_600), AGES).0.is_none(), "they are older than `keep`");
        supply.recalled(set("a"), at(3_500), at(3_600), AGES);
        let (keys, number) = supply.at_hand(at(3_600), AGES);
        assert!(keys.is_some() && !supply.is_due(at(3_600), AGES));
        assert!(supply.is_due(at(3_740), AGES), "their age counts from when the other asked");
        assert!(supply.may_ask(at(3_600)) && !supply.may_ask(at(3_504)));
        supply.recalled(set("older"), at(3_400), at(3_600), AGES);
        assert_eq!(supply.at_hand(at(3_600), AGES).1, number);
        supply.recalled(set("b"), at(3_550), at(3_600), AGES);
        assert_ne!(supply.at_hand(at(3_600), AGES).1, number);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_keep_it_from_asking() {
        let mut supply = KeySupply::default();
        supply.asked(at(7_200));
        assert!(supply.may_ask(at(3_600)));
    }

    #[test]
    fn an_unknown_key_id_asks_once_in_a_while() {
        let mut supply = KeySupply::default();
        supply.asked(at(0));
        assert!(!supply.may_ask(at(0)) && supply.may_ask(at(1)), "without keys it is soon tried again");
        supply.fetched(set("a"), at(1), at(1));
        assert!(!supply.may_ask(at(5)) && supply.may_ask(at(6)));
    }

    #[test]
    fn the_number_changes_when_any_key_does() {
        let mut supply = KeySupply::default();
        assert!(supply.fetched(set("a"), at(0), at(0)));
        let number = supply.at_hand(at(0), AGES).1;
        assert!(!supply.fetched(set("a"), at(9), at(9)));
        assert_eq!(supply.at_hand(at(9), AGES).1, number);
        assert!(supply.fetched(set("b"), at(18), at(18)));
        assert_ne!(supply.at_hand(at(18), AGES).1, number);
        let keys = json!({"keys": [{"kty": "EC", "crv": "P-256", "x": EC_X, "y": EC_Y, "kid": "b"}]});
        let other = KeySet::parse(keys.to_string().as_bytes()).unwrap_or_else(|reason| panic!("{reason}"));
        assert!(supply.fetched(other, at(27), at(27)), "another key of the same name");
    }
}
