//! What is wrong with a request, member by member.

use std::collections::BTreeMap;

/// Messages by member, as the `errors` of a problem answer (RFC 9457, section 3.2) list them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Violations(BTreeMap<String, Vec<String>>);

impl Violations {
    /// A single message on a single member.
    pub fn one(member: &str, message: impl Into<String>) -> Self {
        let mut violations = Self::default();
        violations.add(member, message);
        violations
    }

    /// Adds a message on a member.
    pub fn add(&mut self, member: &str, message: impl Into<String>) {
        self.0.entry(member.to_owned()).or_default().push(message.into());
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The messages by member.
    pub fn by_member(&self) -> &BTreeMap<String, Vec<String>> {
        &self.0
    }
}
