//! The Lua scripts that make each step of the protocol atomic (Redis 6.2 and newer), and what they answer.
//!
//! They are sent with `EVALSHA`, which names the text by its hash; Redis answers `NOSCRIPT` when it has none, after a start, and is
//! then sent the text with `EVAL`. For a miss that saves 3.7 of 4.3 KB, and Redis a third of the time for each script (23 µs with
//! `EVAL`, 15 to 18 with `EVALSHA`: `lookup.lua` in 7.0.15), in which it makes a hash of the text.

use super::texts::{self, Text};
use crate::{CacheKey, MAX_ENTRY_BYTES, MAX_LIST_PAGES, Namespace, Slot};

/// One argument of a Redis command.
pub type Argument = Vec<u8>;

/// The longest name of a list's page, in bytes: how it is ordered, and a cursor with a text of 200 characters in base64, with
/// room to spare.
const MAX_FIELD_BYTES: usize = 4 * 1024;
/// How long counts are kept that nobody asks for, in milliseconds: a quarter of an hour, as long as any key may live. Prometheus
/// asks every few seconds.
const COUNTS_MS: u64 = 900 * 1_000;
/// How long the key of a trial stands if Redis breaks the script off, in milliseconds.
const TRIAL_MS: u64 = 1_000;

/// A script with its keys and arguments, ready to be sent.
///
/// ```
/// use cache::{Namespace, Script};
///
/// let script = Script::check_commands(&Namespace::parse("notes_").unwrap());
/// let arguments = script.into_arguments();
/// // Behind the text: how many keys there are, the keys, and the script's own arguments.
/// assert_eq!(arguments[1..], [&b"1"[..], b"notes_~trial", b"1000"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// The text.
    pub text: Text,
    /// `KEYS`
    pub keys: Vec<Argument>,
    /// `ARGV`
    pub arguments: Vec<Argument>,
}

/// What the lookup script answered.
///
/// ```
/// use cache::{Lookup, ScriptError};
///
/// assert_eq!(Lookup::parse(vec![b"leader".to_vec()]), Ok(Lookup::Leader { demand: None }));
/// assert_eq!(Lookup::parse(vec![b"value".to_vec(), b"bytes".to_vec()]), Ok(Lookup::Value(b"bytes".to_vec())));
/// assert_eq!(Lookup::parse(vec![b"OK".to_vec()]), Err(ScriptError));
/// ```
#[derive(Debug, PartialEq, Eq)]
pub enum Lookup {
    /// It is filled by now.
    Value(Vec<u8>),
    /// The caller has the lock, and fills it.
    Leader {
        /// In a region: the WAL position that a standby must be at whose rows may be stored. `None` where nobody knows: then they are the
        /// primary's.
        demand: Option<u64>,
    },
    /// Another reader is filling it.
    Wait,
    /// A write is under way: read the database, store nothing.
    Fenced,
}

/// What the fill script answered.
///
/// ```
/// use cache::{Fill, ScriptError};
///
/// assert_eq!(Fill::parse(&[b"stored".to_vec()]), Ok(Fill::Stored));
/// assert_eq!(Fill::parse(&[]), Err(ScriptError));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// The value is stored, and was current at that moment.
    Stored,
    /// A write came between, or the lock ran out.
    Refused,
    /// The list has as many pages as are kept.
    Full,
}

/// An entry as it stood in Redis at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Its bytes; none for what cannot be an entry.
    pub bytes: Vec<u8>,
    /// When its key runs out, Unix time in milliseconds by Redis's clock.
    pub runs_out_ms: u64,
    /// Whether a write's fence stands over it, under which nothing may be stored.
    pub is_fenced: bool,
}

/// Whether this answer gives its caller the lock on a value. Every other answer means that the caller has none, or none any
/// more.
pub fn grants_lock(answer: &[Vec<u8>]) -> bool {
    matches!(answer, [one] | [one, _] if one == b"leader")
}

/// A script gave an answer that is not one of its own: a defect, or a server that is not Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a script's answer is not one of its answers")]
pub struct ScriptError;

impl Script {
    pub(super) fn new<'a>(text: Text, keys: impl IntoIterator<Item = &'a CacheKey>, arguments: Vec<Argument>) -> Self {
        let mut names = Vec::new();
        for key in keys {
            names.push(key.as_str().as_bytes().to_vec());
            names.push(key.lock().into_bytes());
        }
        Self { text, keys: names, arguments }
    }

    /// The arguments of `EVAL`: source, number of keys, keys, arguments.
    pub fn into_arguments(self) -> Vec<Argument> {
        eval(self.text.source, self.keys, self.arguments)
    }

    /// The arguments of `EVALSHA`: the text's hash, number of keys, keys, arguments. The script is still there to be sent whole.
    pub fn by_hash(&self) -> Vec<Argument> {
        eval(self.text.sha1, self.keys.clone(), self.arguments.clone())
    }

    /// Looks up `slot` and tries to become its leader with `token`. `rejected` is the fingerprint of a value that is to be
    /// thrown away, or empty.
    pub fn lookup(slot: &Slot<'_>, token: &str, lock_ms: u64, rejected: &[u8]) -> Self {
        Self::new(
            texts::LOOKUP,
            [slot.key()],
            vec![
                slot.field().into(),
                token.into(),
                lock_ms.to_string().into(),
                rejected.to_vec(),
                MAX_ENTRY_BYTES.to_string().into(),
            ],
        )
    }

    /// Stores `value` as the leader that `token` names, and gives the lock back.
    pub fn fill(slot: &Slot<'_>, token: &str, value: Vec<u8>, ttl_ms: u64) -> Self {
        Self::new(
            texts::FILL,
            [slot.key()],
            vec![
                slot.field().into(),
                token.into(),
                value,
                ttl_ms.to_string().into(),
                MAX_LIST_PAGES.to_string().into(),
            ],
        )
    }

    /// Gives a leader's lock back without storing anything.
    pub fn release(slot: &Slot<'_>, token: &str) -> Self {
        Self::fill(slot, token, Vec::new(), 0)
    }

    /// Reads `slot` as it stands.
    pub fn sight(slot: &Slot<'_>) -> Self {
        Self::at(slot, texts::SIGHT)
    }

    /// Throws away what is in `slot` if it is too large for an entry.
    pub fn discard(slot: &Slot<'_>) -> Self {
        Self::at(slot, texts::DISCARD)
    }

    fn at(slot: &Slot<'_>, text: Text) -> Self {
        Self::new(text, [slot.key()], vec![slot.field().into(), MAX_ENTRY_BYTES.to_string().into()])
    }

    /// Names any one page of a list.
    pub fn any_page(key: &CacheKey) -> Self {
        Self::new(texts::PAGE, [key], vec![MAX_FIELD_BYTES.to_string().into()])
    }

    /// Tries whether Redis does what readers and writers ask of it, on a key of the application's own: no owner has a `~`.
    pub fn check_commands(namespace: &Namespace) -> Self {
        Self {
            text: texts::CHECK_COMMANDS,
            keys: vec![namespace.own_key("trial").into_bytes()],
            arguments: vec![TRIAL_MS.to_string().into_bytes()],
        }
    }

    /// Takes in `counts`, under a `name` that nobody else uses, and answers all that were taken in when there are `enough`.
    pub fn count(namespace: &Namespace, name: &str, counts: Vec<u8>, enough: u32) -> Self {
        let (enough, kept) = (enough.to_string(), COUNTS_MS.to_string());
        Self {
            text: texts::COUNT,
            keys: vec![namespace.own_key("counts").into_bytes()],
            arguments: vec![name.into(), counts, enough.into(), kept.into()],
        }
    }

    /// Answers all counts that were taken in ([`Script::count`]).
    pub fn take_counts(namespace: &Namespace) -> Self {
        Self::count(namespace, "", Vec::new(), 1)
    }

    /// Puts up the fence of `write` over all of `keys`. [`crate::read_lease::wait_after_fence`] reads the answer; without keys that is
    /// all that it does.
    pub fn fence<'a>(
        namespace: &Namespace,
        keys: impl IntoIterator<Item = &'a CacheKey>,
        write: &str,
        fence_ms: u64,
    ) -> Self {
        let arguments = vec![write.into(), fence_ms.to_string().into()];
        Self::new(texts::FENCE, keys, arguments).with_read_leases(namespace)
    }

    fn with_read_leases(mut self, namespace: &Namespace) -> Self {
        self.keys.push(read_leases(namespace));
        self
    }

    /// Registers that instances answer again from what they got for `lease_ms`. Fences are answered with that for `registered_ms`.
    pub fn register_read_lease(namespace: &Namespace, lease_ms: u64, registered_ms: u64) -> Self {
        Self {
            text: texts::LEASE,
            keys: vec![read_leases(namespace)],
            arguments: vec![lease_ms.to_string().into(), registered_ms.to_string().into()],
        }
    }

    /// Invalidates all of `keys` and takes down the fence of `write`. [`crate::read_lease::wait_after_unfence`] reads the answer.
    pub fn unfence<'a>(namespace: &Namespace, keys: impl IntoIterator<Item = &'a CacheKey>, write: &str) -> Self {
        let text = if cfg!(feature = "without-fence") { texts::ONLY_DELETE } else { texts::UNFENCE };
        Self::new(text, keys, vec![write.into()]).with_read_leases(namespace)
    }
}

/// The key of the read leases that are registered.
fn read_leases(namespace: &Namespace) -> Argument {
    namespace.own_key("leases").into_bytes()
}

/// The arguments of `EVAL` with a text, or of `EVALSHA` with its hash.
pub(super) fn eval(source: &str, keys: Vec<Argument>, arguments: Vec<Argument>) -> Vec<Argument> {
    let mut all = Vec::with_capacity(2 + keys.len() + arguments.len());
    all.push(source.as_bytes().to_vec());
    all.push(keys.len().to_string().into_bytes());
    all.extend(keys);
    all.extend(arguments);
    all
}

impl Lookup {
    /// Reads the answer of the lookup script: one or two strings.
    pub fn parse(answer: Vec<Vec<u8>>) -> Result<Self, ScriptError> {
        let mut parts = answer.into_iter();
        match (parts.next().as_deref(), parts.next()) {
            (Some(b"value"), Some(bytes)) => Ok(Self::Value(bytes)),
            (Some(b"leader"), demand) => {
                let demand = demand.and_then(|demand| std::str::from_utf8(&demand).ok()?.parse().ok());
                Ok(Self::Leader { demand })
            }
            (Some(b"wait"), None) => Ok(Self::Wait),
            (Some(b"fenced"), None) => Ok(Self::Fenced),
            _ => Err(ScriptError),
        }
    }
}

impl Fill {
    /// Reads the answer of the fill script.
    pub fn parse(answer: &[Vec<u8>]) -> Result<Self, ScriptError> {
        match answer {
            [one] if one == b"stored" => Ok(Self::Stored),
            [one] if one == b"refused" => Ok(Self::Refused),
            [one] if one == b"full" => Ok(Self::Full),
            _ => Err(ScriptError),
        }
    }
}

impl Sighting {
    /// Reads the answer of the script behind [`Script::sight`]; `None` when there is no entry.
    pub fn parse(answer: Vec<Vec<u8>>) -> Result<Option<Self>, ScriptError> {
        if answer.is_empty() {
            return Ok(None);
        }
        let [bytes, runs_out, state] = <[Vec<u8>; 3]>::try_from(answer).map_err(|_| ScriptError)?;
        let runs_out = std::str::from_utf8(&runs_out).ok().and_then(|text| text.parse().ok());
        let is_fenced = match state.as_slice() {
            b"fenced" => true,
            b"free" => false,
            _ => return Err(ScriptError),
        };
        Ok(Some(Self { bytes, runs_out_ms: runs_out.ok_or(ScriptError)?, is_fenced }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{key, namespace};

    #[test]
    fn a_script_names_every_value_and_its_lock_as_keys() {
        let script = Script::unfence(&namespace("R_"), [&key("item:list")], "w");
        assert_eq!(
            script.into_arguments().get(1..).expect("more than the source"),
            [&b"3"[..], b"R_a:item:list", b"lock:R_a:item:list", b"R_~leases", b"w"]
        );
    }

    #[test]
    fn only_the_scripts_own_answers_are_understood() {
        assert_eq!(Lookup::parse(vec![b"value".to_vec(), b"x".to_vec()]), Ok(Lookup::Value(b"x".to_vec())));
        assert_eq!(Lookup::parse(vec![b"leader".to_vec()]), Ok(Lookup::Leader { demand: None }));
        assert_eq!(Lookup::parse(vec![b"value".to_vec()]), Err(ScriptError));
        assert_eq!(Lookup::parse(vec![]), Err(ScriptError));
        assert_eq!(Fill::parse(&[b"stored".to_vec()]), Ok(Fill::Stored));
        assert_eq!(Fill::parse(&[b"OK".to_vec()]), Err(ScriptError));
        let seen = |parts: &[&str]| Sighting::parse(parts.iter().map(|part| part.as_bytes().to_vec()).collect());
        assert_eq!(seen(&[]), Ok(None));
        let expected = Sighting { bytes: b"x".to_vec(), runs_out_ms: 7, is_fenced: true };
        assert_eq!(seen(&["x", "7", "fenced"]), Ok(Some(expected)));
        assert!(grants_lock(&[b"leader".to_vec()]) && grants_lock(&[b"leader".to_vec(), Vec::new()]));
        let led = |demand: &str| Lookup::parse(vec![b"leader".to_vec(), demand.into()]);
        assert_eq!(
            (led("700"), led("")),
            (Ok(Lookup::Leader { demand: Some(700) }), Ok(Lookup::Leader { demand: None }))
        );
        for (answer, other) in
            [("value", Some("leader")), ("wait", None), ("fenced", None), ("stored", None), ("refused", None)]
        {
            let answer: Vec<_> =
                [Some(answer), other].into_iter().flatten().map(|part| part.as_bytes().to_vec()).collect();
            assert!(!grants_lock(&answer), "{answer:?}");
        }
        for wrong in [&["x", "7"][..], &["x", "-7", "free"], &["x", "7", "open"], &["x", "7", "free", ""]] {
            assert_eq!(seen(wrong), Err(ScriptError), "{wrong:?}");
        }
    }
}
