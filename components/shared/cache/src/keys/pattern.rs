//! Patterns of cache keys, for removing many at once.

use super::{Namespace, Owner};

/// The longest pattern, in bytes: twice the longest name of a resource that is expected, 64.
const MAX_PATTERN_BYTES: usize = 128;

/// The most wildcards: Redis tries every way in which they can share a key among themselves.
const MAX_WILDCARDS: usize = 4;

/// A pattern of the names of one owner's resources. `*` stands for any characters, everything else for itself.
///
/// ```
/// use cache::{KeyPattern, Namespace, Owner};
///
/// let (namespace, ada) = (Namespace::parse("notes_").unwrap(), Owner::parse("ada").unwrap());
/// let glob = |pattern| KeyPattern::parse(pattern).map(|pattern| pattern.glob(&namespace, &ada));
/// assert_eq!(glob("note:*").as_deref(), Ok("notes_ada:note:*"));
/// assert_eq!(glob("note:?").as_deref(), Ok(r"notes_ada:note:\?"));
/// assert!(glob("*****").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPattern(String);

impl KeyPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What the pattern must be.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.len() > MAX_PATTERN_BYTES {
            return Err(format!("must have 1 to {MAX_PATTERN_BYTES} bytes"));
        }
        if text.contains('\0') {
            return Err("must not contain a NUL character".into());
        }
        if text.matches('*').count() > MAX_WILDCARDS {
            return Err(format!("must have at most {MAX_WILDCARDS} wildcards"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The pattern for Redis's `MATCH`: it begins with the owner's prefix, literally, and none of its other characters but
    /// `*` means anything. Neither a namespace nor an owner has a character that a pattern could take for more.
    pub fn glob(&self, namespace: &Namespace, owner: &Owner) -> String {
        let mut glob = prefix(namespace, owner);
        for character in self.0.chars() {
            if matches!(character, '?' | '[' | ']' | '^' | '-' | '\\') {
                glob.push('\\');
            }
            glob.push(character);
        }
        glob
    }
}

/// What every value's key of an owner begins with, and no other key: locks and fences begin with `lock:`, another owner's
/// with another name in front of the colon.
pub fn prefix(namespace: &Namespace, owner: &Owner) -> String {
    format!("{}{owner}:", namespace.prefix())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{namespace, owner};
    use proptest::prelude::*;

    const PREFIX: &str = "RentTracker_a-1:";

    fn glob(pattern: &str) -> Option<String> {
        let (namespace, owner) = (namespace("RentTracker_"), owner("a-1"));
        KeyPattern::parse(pattern).ok().map(|pattern| pattern.glob(&namespace, &owner))
    }

    fn check(pattern: &str, expected: &str) {
        assert_eq!(glob(pattern), Some(format!("{PREFIX}{expected}")), "{pattern}");
    }

    #[test]
    fn only_the_star_is_a_wildcard() {
        check("property:*", "property:*");
        check("*", "*");
        check("property:list", "property:list");
        check("a?b", r"a\?b");
        check("[a-z]*", r"\[a\-z\]*");
        check(r"\*", r"\\*");
        check("[^:]", r"\[\^:\]");
        check("../b:*", "../b:*");
    }

    #[test]
    fn a_pattern_that_is_too_long_or_has_too_many_wildcards_is_refused() {
        for bad in ["", "*****", "a\0*", &"x".repeat(129), &"*".repeat(129)] {
            assert_eq!(glob(bad), None, "{bad:?}");
        }
        assert!(glob(&"x".repeat(128)).is_some());
        assert!(glob("*a*b*c*").is_some());
    }

    /// What Redis makes of a pattern in which nothing but `*` is special (`stringmatchlen` of its `util.c`).
    fn matches(pattern: &[u8], text: &[u8]) -> bool {
        match pattern {
            [] => text.is_empty(),
            [b'*', rest @ ..] => (0..=text.len()).any(|from| matches(rest, &text[from..])),
            [b'\\', escaped, rest @ ..] => text.first() == Some(escaped) && matches(rest, &text[1..]),
            [b'?' | b'[', ..] => panic!("a special character was let through"),
            [character, rest @ ..] => text.first() == Some(character) && matches(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn no_pattern_leaves_the_owners_prefix(
            pattern in "[ab*?\\[\\]\\\\^:-]{0,8}",
            key in "(|lock:)RentTracker_(a-1|a-12|b):[ab:]{0,6}",
        ) {
            if let Some(glob) = glob(&pattern) {
                prop_assert!(!matches(glob.as_bytes(), key.as_bytes()) || key.starts_with(PREFIX));
            }
        }

        #[test]
        fn a_pattern_without_wildcards_matches_itself_alone(name in "[^*\0]{1,30}", other in "\\PC{0,30}") {
            if let Some(glob) = glob(&name) {
                let key = format!("{PREFIX}{name}");
                prop_assert!(matches(glob.as_bytes(), key.as_bytes()));
                prop_assert_eq!(matches(glob.as_bytes(), format!("{PREFIX}{other}").as_bytes()), name == other);
            }
        }
    }
}
