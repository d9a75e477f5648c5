//! Whoever can write to Redis: what is poisoned there is a miss, is thrown away, is counted, and is never shown.

use std::collections::BTreeMap;

use stack::Edition;

use crate::support::outages::BRISK;
use crate::support::{
    Cache, Private, Tenant, World, eventually, payment_path, payments_path, property_path, runtime, trials,
};

trials![
    a_sealed_entry_is_a_hit_and_shows_nothing,
    nothing_poisoned_gets_through_a_seal,
    nothing_damaged_gets_through_a_checksum,
    an_entry_of_an_older_epoch_is_not_taken_sealed_or_not,
    a_rotated_key_opens_what_it_sealed_until_it_is_taken_away,
    hosts_with_and_without_a_key_take_nothing_of_each_other,
];

const A: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const B: &str = "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=";

/// A place of the cache, and how it is asked for.
struct Slot {
    route: String,
    key: String,
    /// Of a list page.
    field: Option<Vec<u8>>,
}

impl Slot {
    fn command(&self, name: &str) -> redis::Cmd {
        let mut command = redis::cmd(&format!("{}{name}", if self.field.is_some() { "H" } else { "" }));
        command.arg(&self.key);
        if let Some(field) = &self.field {
            command.arg(field);
        }
        command
    }

    fn read(&self, redis: &mut redis::Connection) -> Option<Vec<u8>> {
        self.command("GET").query(redis).expect("a value or none")
    }

    fn write(&self, redis: &mut redis::Connection, bytes: &[u8]) {
        self.command("SET").arg(bytes).exec(redis).expect("SET");
        redis::cmd("EXPIRE").arg(&self.key).arg(300).exec(redis).expect("EXPIRE");
    }
}

/// A landlord whose every text names its owner, with all that the cache can hold of it.
struct Place {
    who: Tenant,
    mark: &'static str,
    slots: Vec<Slot>,
}

impl Place {
    fn new(world: &World, mark: &'static str) -> Place {
        let who = world.tenant();
        let property = who.property_at(mark);
        who.property_at(mark);
        let mut body = who.cash(100);
        body["notes"] = mark.into();
        let payment = who.payment(&property, &body);
        who.payment(&property, &body);
        let payments = payments_path(&property);
        let slot = |route: String, rest: String, field: &str| Slot {
            route,
            key: world.key(&who, &rest),
            field: (!field.is_empty()).then(|| field.into()),
        };
        let (list, of_property) = ("property:list".to_owned(), format!("property:{property}:payments:list"));
        let slots = vec![
            slot(property_path(&property), format!("property:{property}"), ""),
            slot(payment_path(&property, &payment), format!("payment:{payment}"), ""),
            slot("/api/properties?pageSize=1".into(), list.clone(), "1|1|address|asc"),
            slot("/api/properties?pageSize=1&pageNumber=2".into(), list, "2|1|address|asc"),
            slot(format!("{payments}?pageSize=1"), of_property.clone(), "1|1|paymentDate|desc"),
            slot(format!("{payments}?pageSize=1&pageNumber=2"), of_property, "2|1|paymentDate|desc"),
        ];
        let place = Place { who, mark, slots };
        for slot in &place.slots {
            place.is_a_hit(slot);
        }
        place
    }

    /// Asks until it is a hit; every answer on the way is this landlord's.
    #[track_caller]
    fn is_a_hit(&self, slot: &Slot) {
        eventually(&format!("{} is a hit", slot.route), || (self.ask(slot) == Cache::Hit).then_some(()));
    }

    #[track_caller]
    fn ask(&self, slot: &Slot) -> Cache {
        self.ask_as(&self.who, slot)
    }

    #[track_caller]
    fn ask_as(&self, who: &Tenant, slot: &Slot) -> Cache {
        let answer = who.get(&slot.route).is(200);
        assert!(answer.text().contains(self.mark), "not {}: {answer}", self.mark);
        answer.cache()
    }

    /// Asks for everything, as often as told, through a host of its own that has these keys.
    #[track_caller]
    fn through_a_host_with(&self, own: &Private, keys: &str, expected: [Cache; 2]) {
        let (mut host, world) = own.another_host_with(&[("cache_seal_key", keys)]);
        let who = world.bearer(&self.who.id, self.who.token.clone());
        for slot in &self.slots {
            let ask = || Some(self.ask_as(&who, slot)).filter(|seen| *seen != Cache::Bypass);
            let seen = expected.map(|_| eventually("the cache is asked", ask));
            assert_eq!(seen, expected, "{} with the keys {keys:?}", slot.route);
        }
        host.stop().expect("it lived to the end");
    }
}

/// An empty value is none (GETRANGE answers it for what is not there, too), so it is not counted among those rejected.
const EMPTY: &str = "empty";

/// Tries poisoned values, and counts what it tried.
struct Prober<'a> {
    world: &'a World,
    redis: redis::Connection,
    tried: BTreeMap<&'static str, u32>,
}

impl<'a> Prober<'a> {
    fn new(world: &'a World) -> Self {
        Self { world, redis: world.redis_connection(), tried: BTreeMap::new() }
    }

    /// Puts `poison` where `slot` was a hit. It must be answered like a miss, be gone, and the next be a hit again.
    #[track_caller]
    fn value(&mut self, kind: &'static str, place: &Place, slot: &Slot, poison: &[u8]) {
        if slot.read(&mut self.redis).as_deref() == Some(poison) {
            return;
        }
        slot.write(&mut self.redis, poison);
        self.is_not_shown(kind, place, slot);
        let left = slot.read(&mut self.redis);
        assert!(left.as_deref() != Some(poison), "{kind}: it stayed under {}", slot.key);
    }

    #[track_caller]
    fn is_not_shown(&mut self, kind: &'static str, place: &Place, slot: &Slot) {
        assert_ne!(place.ask(slot), Cache::Hit, "{kind}: got through at {}", slot.route);
        place.is_a_hit(slot);
        *self.tried.entry(kind).or_default() += 1;
    }

    /// Makes the key one of another type.
    fn type_of_key(&mut self, place: &Place, slot: &Slot) {
        let scalar_or_hash = if slot.field.is_some() { &["SET", "x"][..] } else { &["HSET", "x", "x"] };
        for words in [scalar_or_hash, &["RPUSH", "x"], &["SADD", "x"]] {
            redis::cmd("DEL").arg(&slot.key).exec(&mut self.redis).expect("DEL");
            redis::cmd(words[0]).arg(&slot.key).arg(&words[1..]).exec(&mut self.redis).expect(words[0]);
            redis::cmd("EXPIRE").arg(&slot.key).arg(300).exec(&mut self.redis).expect("EXPIRE");
            self.is_not_shown("another type", place, slot);
        }
    }

    /// What needs no knowledge of the format.
    fn crude(&mut self, alice: &Place, bob: &Place) {
        for (from, slot) in alice.slots.iter().zip(&bob.slots) {
            // Another page of the same list may have gone with its key.
            bob.slots.iter().for_each(|slot| bob.is_a_hit(slot));
            let theirs = from.read(&mut self.redis).expect("Alice's");
            self.value("another tenant's", bob, slot, &theirs);
            for other in &bob.slots {
                if other.route != slot.route {
                    let own = other.read(&mut self.redis).expect("another of Bob's");
                    self.value("another key's or page's", bob, slot, &own);
                }
            }
            let own = slot.read(&mut self.redis).expect("Bob's own");
            for at in (0..own.len()).step_by(own.len() / 40 + 1).chain(own.len() - 16..own.len()) {
                let mut own = slot.read(&mut self.redis).expect("Bob's own");
                own[at] ^= 1 << (at % 8);
                self.value("a flipped bit", bob, slot, &own);
            }
            self.value(EMPTY, bob, slot, b"");
            for cut in [1, 2, 3, 7, 26, 27, 30, own.len() / 2, own.len() - 16, own.len() - 1] {
                let own = slot.read(&mut self.redis).expect("Bob's own");
                self.value("cut off", bob, slot, &own[..cut]);
            }
            for garbage in ["garbage", "{}", "RT\u{1}", "RT\u{2}", "RT\u{3}"] {
                self.value("garbage", bob, slot, garbage.as_bytes());
            }
            for length in [263_169, 1 << 20] {
                let mut large = slot.read(&mut self.redis).expect("Bob's own");
                large.resize(length, b' ');
                self.value("too large", bob, slot, &large);
            }
            self.type_of_key(bob, slot);
        }
    }

    /// Says what was tried. None got through, or it would not have come here.
    fn tell(self, protection: &str) {
        let all: u32 = self.tried.values().sum();
        let kinds: Vec<String> = self.tried.iter().map(|(kind, tried)| format!("{kind} {tried}")).collect();
        println!("poisoned entries, {protection}: {all} tried ({}), 0 got through", kinds.join(", "));
        let rejected = all - self.tried.get(EMPTY).copied().unwrap_or_default();
        let counted = || -> u64 {
            let reasons = ["damaged", "too_large", "mistyped", "misplaced", "outdated", "unsealed", "sealed", "forged"];
            let series = |reason| format!("renttracker_cache_rejected_total{{reason=\"{reason}\"}}");
            reasons.iter().map(|reason| self.world.metric(&series(reason))).sum()
        };
        // On Spin 4.0 an instance takes some of its counts with it (`platform/src/metrics/flush.rs`).
        let is_all = |counted: u64| match runtime().edition() {
            Edition::Spin4_0 => (1..=u64::from(rejected)).contains(&counted),
            Edition::Spin4_1 => counted == u64::from(rejected),
        };
        eventually("every one of them is counted", || is_all(counted()).then_some(()));
    }
}

/// Alice and Bob, and a world where the first counts have been told already.
fn two(world: &World) -> (Place, Place) {
    let both = (Place::new(world, "Alice's own"), Place::new(world, "Bob's own"));
    eventually("something is counted", || {
        (world.metric(r#"renttracker_cache_lookups_total{kind="single",result="hit"}"#) > 0).then_some(())
    });
    both
}

fn a_sealed_entry_is_a_hit_and_shows_nothing() {
    let own = Private::with(&[("cache_seal_key", A)]);
    let place = Place::new(&own, "Alice's own");
    let mut redis = own.redis_connection();
    for slot in &place.slots {
        let bytes = slot.read(&mut redis).expect("stored");
        let text = String::from_utf8_lossy(&bytes);
        for secret in [place.mark, "amount", "items", "notes"] {
            assert!(!text.contains(secret), "{secret} is readable under {}", slot.key);
        }
        assert_eq!(place.ask(slot), Cache::Hit);
    }
    let log = std::fs::read_to_string(own.log()).expect("a log");
    assert!(!log.contains(A) && !log.contains("cache.rejected"), "{log}");
}

fn nothing_poisoned_gets_through_a_seal() {
    let own = Private::with(&[("cache_seal_key", A)]);
    let (alice, bob) = two(&own);
    let mut prober = Prober::new(&own);
    prober.crude(&alice, &bob);

    // Whoever knows the format can write Bob's key, page and version in front of Alice's text, or the other way round.
    bob.slots.iter().for_each(|slot| bob.is_a_hit(slot));
    for (from, slot) in alice.slots.iter().zip(&bob.slots) {
        let theirs = from.read(&mut prober.redis).expect("Alice's");
        let own = slot.read(&mut prober.redis).expect("Bob's own");
        let name = |slot: &Slot| [slot.key.as_bytes(), b"\n", slot.field.as_deref().unwrap_or_default()].concat();
        let (their_name, own_name) = (name(from), name(slot));
        let find = |bytes: &[u8], name: &[u8]| bytes.windows(name.len()).position(|it| it == name).expect("a name");
        let (their_text, own_text) =
            (find(&theirs, &their_name) + their_name.len(), find(&own, &own_name) + own_name.len());

        let relabelled = [&theirs[..find(&theirs, &their_name)], &own_name, &theirs[their_text..]].concat();
        prober.value("relabelled", &bob, slot, &relabelled);
        prober.value("another's text", &bob, slot, &[&own[..own_text], &theirs[their_text..]].concat());
        let mut renewed = own.clone();
        renewed[35] ^= 0x10;
        prober.value("another version", &bob, slot, &renewed);
        let mut without_tag = own.clone();
        without_tag.truncate(own.len() - 16);
        without_tag.extend_from_slice(&[0; 16]);
        prober.value("without its tag", &bob, slot, &without_tag);
    }
    prober.tell("sealed");
}

fn nothing_damaged_gets_through_a_checksum() {
    let own = Private::start();
    let (alice, bob) = two(&own);
    let mut prober = Prober::new(&own);
    prober.crude(&alice, &bob);
    prober.tell("with a checksum alone");
}

fn an_entry_of_an_older_epoch_is_not_taken_sealed_or_not() {
    for key in ["", A] {
        let mut changes = BRISK.to_vec();
        changes.extend([("cache_seal_key", key), ("redis_timeout_ms", "2000"), ("redis_connect_timeout_ms", "2000")]);
        let mut own = Private::with(&changes);
        let place = Place::new(&own, "Alice's own");
        let mut redis = own.redis_connection();
        let kept: Vec<Vec<u8>> = place.slots.iter().map(|slot| slot.read(&mut redis).expect("stored")).collect();
        // Another Redis for the breaker: the epoch moves.
        own.redis().restart().expect("Redis comes back");
        let mut redis = own.redis_connection();
        for slot in &place.slots {
            place.is_a_hit(slot);
        }
        for (slot, old) in place.slots.iter().zip(&kept) {
            slot.write(&mut redis, old);
            assert_ne!(place.ask(slot), Cache::Hit, "an old entry is taken at {}", slot.route);
            place.is_a_hit(slot);
            assert!(slot.read(&mut redis).as_ref() != Some(old));
        }
        println!("replayed entries of an older epoch: {} tried, 0 got through", kept.len());
        let outdated = r#"renttracker_cache_rejected_total{reason="outdated"}"#;
        eventually("they are counted", || (own.metric(outdated) == kept.len() as u64).then_some(()));
        let log = std::fs::read_to_string(own.log()).expect("a log");
        assert!(log.contains("cache.rejected") && log.contains("outdated"), "{log}");
    }
}

fn a_rotated_key_opens_what_it_sealed_until_it_is_taken_away() {
    let own = Private::with(&[("cache_seal_key", A)]);
    let place = Place::new(&own, "Alice's own");
    let both = format!("{B},{A}");
    place.through_a_host_with(&own, &both, [Cache::Hit, Cache::Hit]);
    place.through_a_host_with(&own, B, [Cache::Stored, Cache::Hit]);
    place.through_a_host_with(&own, &both, [Cache::Hit, Cache::Hit]);
    // What is sealed anew is sealed with the first one.
    own.redis_command::<()>(&["FLUSHDB"]);
    place.through_a_host_with(&own, &both, [Cache::Stored, Cache::Hit]);
    place.through_a_host_with(&own, B, [Cache::Hit, Cache::Hit]);
    place.through_a_host_with(&own, A, [Cache::Stored, Cache::Hit]);
}

fn hosts_with_and_without_a_key_take_nothing_of_each_other() {
    let own = Private::with(&[("cache_seal_key", A)]);
    let place = Place::new(&own, "Alice's own");
    place.through_a_host_with(&own, "", [Cache::Stored, Cache::Hit]);
    place.through_a_host_with(&own, A, [Cache::Stored, Cache::Hit]);
    for reason in ["sealed", "unsealed"] {
        let series = format!("renttracker_cache_rejected_total{{reason=\"{reason}\"}}");
        eventually(&format!("what was {reason} is counted"), || (own.metric(&series) > 0).then_some(()));
    }
}
