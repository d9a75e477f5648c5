//! The owner of an entry.

use std::fmt;

/// The longest owner, in bytes.
const MAX_BYTES: usize = 64;

/// The owner of entries, which are kept apart from those of all others: a tenant, a user, an organisation. To the protocol it
/// is a name without a meaning.
///
/// 1 to 64 characters of `A-Z a-z 0-9 _ -`. The alphabet has no `:` and no `~`, which is what keeps one owner's keys from
/// ever being a prefix of another's, and the deployment's own keys out of every owner's reach.
///
/// ```
/// use cache::Owner;
///
/// assert!(Owner::parse("landlord-1").is_some());
/// assert!(Owner::parse("landlord:1").is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner(String);

impl Owner {
    /// Validates a name; `None` when it is empty, too long or has a character outside the alphabet.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let valid = (1..=MAX_BYTES).contains(&text.len()) && text.bytes().all(allowed);
        valid.then(|| Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_has_1_to_64_characters_of_a_narrow_alphabet() {
        for good in ["landlord-1_A", &"a".repeat(64)] {
            assert!(Owner::parse(good).is_some(), "{good}");
        }
        for bad in ["", "a:b", "a~", "a b", "a*", "ä", "a\0", "a\n", "../a", &"a".repeat(65)] {
            assert!(Owner::parse(bad).is_none(), "{bad:?}");
        }
    }
}
