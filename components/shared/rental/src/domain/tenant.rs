//! The landlord whose data a request may touch.

use cache::Owner;
use std::fmt;

/// A validated tenant id: 1 to 64 characters of `A-Z a-z 0-9 _ -`. A landlord's requests get it from the
/// verified token alone.
///
/// A tenant is the owner of its entries in the cache, whose alphabet keeps tenants apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TenantId(Owner);

impl TenantId {
    /// What it must be, in the words that a client is told.
    pub const FORM: &str = "must be 1 to 64 characters of A-Z a-z 0-9 _ -";

    /// Validates a tenant id; `None` when it is empty, too long or has a character outside the alphabet.
    pub fn parse(text: &str) -> Option<Self> {
        Owner::parse(text).map(Self)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The owner of its entries.
    pub fn owner(&self) -> &Owner {
        &self.0
    }
}

impl From<Owner> for TenantId {
    fn from(owner: Owner) -> Self {
        Self(owner)
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
