//! A double of Redis that does what the scripts guarantee, without their Lua and without time: no lock or fence runs out.

use crate::documents::{EPOCH, NONCE, namespace};
use cache::protocol::FENCE_MS;
use cache::{Argument, CacheKey, Entry, Fill, LOCK_MS, Lookup, Script, Slot};
use std::collections::{BTreeMap, BTreeSet};

const TTL_MS: u64 = 60_000;

/// A lock or value, and the page of a list; the page is empty for a single value.
type Place = (Argument, Argument);

#[derive(Default)]
pub struct Redis {
    values: BTreeMap<Place, Vec<u8>>,
    /// The token of the leader of each place.
    leaders: BTreeMap<Place, Argument>,
    /// The writes whose fences stand, by lock.
    fences: BTreeMap<Argument, BTreeSet<Argument>>,
}

impl Redis {
    /// What a reader fetches first.
    pub fn get(&self, key: &str, field: &str) -> Option<Vec<u8>> {
        self.values.get(&(key.into(), field.into())).cloned()
    }

    /// A reader misses `slot`, and asks for it and its lock.
    pub fn look_up(&mut self, slot: &Slot<'_>, token: &str, rejected: &[u8]) -> Lookup {
        let answer = self.lookup(Script::lookup(slot, token, LOCK_MS, rejected));
        Lookup::parse(answer).expect("an answer of the script")
    }

    /// A leader stores what it has read.
    pub fn store(&mut self, slot: &Slot<'_>, token: &str, entry: &Entry) -> Fill {
        let bytes = slot.wrap(entry, EPOCH, Some(&NONCE));
        let answer = self.fill(Script::fill(slot, token, bytes, TTL_MS));
        Fill::parse(&answer).expect("an answer of the script")
    }

    /// A leader gives its lock back.
    pub fn release(&mut self, slot: &Slot<'_>, token: &str) -> Fill {
        Fill::parse(&self.fill(Script::release(slot, token))).expect("an answer of the script")
    }

    /// A write puts up its fence.
    pub fn fence<'a>(&mut self, keys: impl IntoIterator<Item = &'a CacheKey>, write: &str) {
        let Script { mut keys, arguments, .. } = Script::fence(&namespace(), keys, write, FENCE_MS);
        // No instance of it has read leases.
        keys.pop();
        let write = arguments.first().expect("the write's id");
        for (key, lock) in invalidated(&keys) {
            self.delete(key, lock);
            self.fences.entry(lock.clone()).or_default().insert(write.clone());
        }
    }

    /// A write invalidates and takes its fence down.
    pub fn unfence<'a>(&mut self, keys: impl IntoIterator<Item = &'a CacheKey>, write: &str) {
        let Script { mut keys, arguments, .. } = Script::unfence(&namespace(), keys, write);
        keys.pop();
        let write = arguments.first().expect("the write's id");
        for (key, lock) in invalidated(&keys) {
            self.delete(key, lock);
            self.fences.entry(lock.clone()).or_default().remove(write);
        }
    }

    /// Puts bytes into a place as someone with a password of Redis could.
    pub fn overwrite(&mut self, key: &str, field: &str, bytes: Vec<u8>) {
        self.values.insert((key.into(), field.into()), bytes);
    }

    fn lookup(&mut self, script: Script) -> Vec<Vec<u8>> {
        let ([key, lock], [field, token, _, rejected, _]) = parts(script);
        let (value, leader) = ((key, field.clone()), (lock.clone(), field));
        match self.values.get(&value) {
            Some(bytes) if rejected.is_empty() || !bytes.starts_with(&rejected) => {
                return vec![b"value".to_vec(), bytes.clone()];
            }
            Some(_) => drop(self.values.remove(&value)),
            None => {}
        }
        let answer: &[u8] = if self.is_fenced(&lock) {
            b"fenced"
        } else if *self.leaders.entry(leader).or_insert_with(|| token.clone()) == token {
            b"leader"
        } else {
            b"wait"
        };
        vec![answer.to_vec()]
    }

    fn fill(&mut self, script: Script) -> Vec<Vec<u8>> {
        let ([key, lock], [field, token, bytes, _, most_pages]) = parts(script);
        let leader = (lock.clone(), field.clone());
        let is_leader = self.leaders.get(&leader) == Some(&token);
        if is_leader {
            self.leaders.remove(&leader);
        }
        let place = (key, field);
        let pages = self.values.keys().filter(|(key, _)| *key == place.0).count();
        let answer: &[u8] = if !is_leader || bytes.is_empty() || self.is_fenced(&lock) {
            b"refused"
        } else if !place.1.is_empty() && pages >= number(&most_pages) && !self.values.contains_key(&place) {
            b"full"
        } else {
            self.values.insert(place, bytes);
            b"stored"
        };
        vec![answer.to_vec()]
    }

    fn delete(&mut self, key: &Argument, lock: &Argument) {
        self.values.retain(|(value, _), _| value != key);
        self.leaders.retain(|(leader, _), _| leader != lock);
    }

    fn is_fenced(&self, lock: &Argument) -> bool {
        self.fences.get(lock).is_some_and(|writes| !writes.is_empty())
    }
}

/// The keys and arguments of a script for one place.
fn parts(script: Script) -> ([Argument; 2], [Argument; 5]) {
    let keys = script.keys.try_into().expect("a value and its lock");
    (keys, script.arguments.try_into().expect("five arguments"))
}

/// The pairs of value and lock that a write invalidates.
fn invalidated(keys: &[Argument]) -> impl Iterator<Item = (&Argument, &Argument)> {
    keys.as_chunks().0.iter().map(|[key, lock]| (key, lock))
}

fn number(argument: &Argument) -> usize {
    std::str::from_utf8(argument).expect("digits").parse().expect("a number")
}
