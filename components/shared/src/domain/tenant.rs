//! The landlord whose data a request may touch.

use std::fmt;

/// The longest tenant id, in characters.
const MAX_LENGTH: usize = 64;

/// A validated tenant id: 1 to 64 characters of `A-Z a-z 0-9 _ -`.
///
/// It comes from a verified token and from nowhere else. Its alphabet has no `:` and no `~`, which is what keeps one
/// tenant's cache keys from ever being a prefix of another's, and the application's own keys out of every tenant's reach.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TenantId(String);

impl TenantId {
    /// What it must be, in the words that a client is told.
    pub const FORM: &str = "must be 1 to 64 characters of A-Z a-z 0-9 _ -";

    /// Validates a tenant id; `None` when it is empty, too long or has a character outside the alphabet.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let valid = (1..=MAX_LENGTH).contains(&text.len()) && text.bytes().all(allowed);
        valid.then(|| Self(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, valid: bool) {
        assert_eq!(TenantId::parse(text).is_some(), valid, "{text:?}");
    }

    #[test]
    fn a_tenant_id_is_1_to_64_characters_of_a_narrow_alphabet() {
        check("landlord-1_A", true);
        check(&"a".repeat(64), true);
        check(&"a".repeat(65), false);
        for bad in ["", "a:b", "a~", "a b", "a*", "ä", "a\0", "a\n", "../a"] {
            check(bad, false);
        }
    }
}
