//! The scripts of a region: how far it has worked off the log, and the fences that the log takes down.

use super::scripts::{Argument, Script};
use super::texts;
use crate::region::Snapshot;
use crate::{CacheKey, Namespace};

/// How long the hash of the log is kept, in milliseconds: as long as any key may live. Where it is lost, the region registers anew.
const LOG_MS: u64 = 900 * 1_000;

/// How long one instance registers the region alone, in milliseconds: two statements across an ocean with a connection that is opened for
/// them, with room to spare. Who comes sooner would make its registration void.
const REGISTER_MS: u64 = 5 * 1_000;

/// Which cache of which region's registration is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The epoch of the cache.
    pub epoch: u64,
    /// The registration of the region.
    pub generation: u64,
}

/// What a reader of the log says before it deletes what a page of it invalidates.
#[derive(Clone, Debug)]
pub struct Demand<'a> {
    /// Its token.
    pub token: &'a str,
    /// A WAL position behind everything that is `shown`.
    pub lsn: u64,
    /// The page's snapshot.
    pub shown: &'a Snapshot,
    /// Whether the region has just registered.
    pub is_anew: bool,
    /// The bound, in milliseconds.
    pub bound_ms: u64,
}

/// What a reader of the log says when it has worked off what it read.
#[derive(Clone, Debug)]
pub struct Done<'a> {
    /// Its token.
    pub token: &'a str,
    /// Which database it read.
    pub lineage: &'a str,
    /// The WAL position before its snapshot.
    pub position: u64,
    /// Its snapshot.
    pub snapshot: &'a Snapshot,
    /// When it began, in milliseconds of Unix time by Redis's clock.
    pub began_ms: u64,
    /// For how long the cache may be used after that, in milliseconds.
    pub bound_ms: u64,
}

impl Script {
    /// Says how far the log is worked off in `epoch`, and offers to read it if that was done a quarter of the bound ago.
    /// [`crate::region::LogState`] reads the answer.
    pub fn log_state(namespace: &Namespace, epoch: u64, token: &str, bound_ms: u64) -> Self {
        let arguments = vec![
            text(epoch),
            token.into(),
            text(alone_ms(bound_ms)),
            text(bound_ms / 4 * 3),
            text(bound_ms),
            text(REGISTER_MS),
        ];
        Self { text: texts::LOG_STATE, keys: vec![log(namespace)], arguments }
    }

    /// Forgets a registration that is over. [`may_register`] reads the answer.
    pub fn log_forget(namespace: &Namespace, registered: Registered, token: &str) -> Self {
        let arguments = vec![text(registered.epoch), text(registered.generation), token.into(), text(REGISTER_MS)];
        Self { text: texts::LOG_FORGET, keys: vec![log(namespace)], arguments }
    }

    /// Says that a standby must have replayed what is demanded before what it shows may be stored. [`is_told`] reads the answer.
    pub fn log_demand(namespace: &Namespace, registered: Registered, demand: &Demand<'_>) -> Self {
        let anew = if demand.is_anew { "anew" } else { "" };
        let arguments = vec![
            text(registered.epoch),
            text(registered.generation),
            text(demand.lsn),
            demand.shown.to_string().into_bytes(),
            anew.into(),
            text(LOG_MS),
            demand.token.into(),
            text(alone_ms(demand.bound_ms)),
        ];
        Self { text: texts::LOG_DEMAND, keys: vec![log(namespace)], arguments }
    }

    /// Says that everything is worked off that was read.
    pub fn log_done(namespace: &Namespace, registered: Registered, done: &Done<'_>) -> Self {
        let arguments = vec![
            text(registered.epoch),
            text(registered.generation),
            done.token.into(),
            done.lineage.into(),
            text(done.position),
            done.snapshot.to_string().into_bytes(),
            text(done.began_ms.saturating_add(done.bound_ms)),
            text(LOG_MS),
            text(done.bound_ms),
        ];
        Self { text: texts::LOG_DONE, keys: vec![log(namespace)], arguments }
    }

    /// [`Script::lookup`] in a region: a leader is told how far a standby must be.
    #[must_use]
    pub fn with_demand(mut self, namespace: &Namespace, registered: Registered) -> Self {
        self.keys.push(log(namespace));
        self.arguments.extend([text(registered.epoch), text(registered.generation)]);
        self
    }

    /// Invalidates `keys` after the statement of `write`, which was done by `transaction` and whose fence stands until the log brings it.
    pub fn refence<'a>(
        namespace: &Namespace,
        keys: impl IntoIterator<Item = &'a CacheKey>,
        write: &str,
        fence_ms: u64,
        transaction: u64,
    ) -> Self {
        let mut script = Self::new(texts::REFENCE, keys, vec![write.into(), text(fence_ms), text(transaction)]);
        script.keys.push(log(namespace));
        script
    }
}

/// Whether the answer of [`Script::log_forget`] says that the caller may register the region.
pub fn may_register(answer: &[Vec<u8>]) -> bool {
    matches!(answer, [one] if one == b"register")
}

/// Whether the answer of [`Script::log_demand`] or of [`Script::log_done`] says that the hash is still of this registration.
pub fn is_told(answer: &[Vec<u8>]) -> bool {
    matches!(answer, [one] if one == b"told" || one == b"done")
}

/// For how long one instance reads the log alone, or a page of it, before another tries: half of the bound.
fn alone_ms(bound_ms: u64) -> u64 {
    bound_ms / 2
}

/// The key of the hash of the log.
fn log(namespace: &Namespace) -> Argument {
    namespace.own_key("log").into_bytes()
}

fn text(number: u64) -> Argument {
    number.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Slot;
    use crate::example::{key, namespace};

    #[test]
    fn a_leader_in_a_region_looks_at_the_log_beside_the_lock() {
        let (namespace, owner) = (namespace("R_"), crate::example::owner("a"));
        let slot = Slot::new(&namespace, None, &owner, &crate::example::Named("item:7".into()), "");
        let script = Script::lookup(&slot, "t", 5, b"").with_demand(&namespace, Registered { epoch: 8, generation: 3 });
        assert_eq!(script.keys, [&b"R_a:item:7"[..], b"lock:R_a:item:7", b"R_~log"]);
        assert_eq!(script.arguments[5..], [&b"8"[..], b"3"]);
        let script = Script::refence(&namespace, [&key("item:7")], "w", 9, 700);
        assert_eq!(script.keys, [&b"R_a:item:7"[..], b"lock:R_a:item:7", b"R_~log"]);
    }
}
