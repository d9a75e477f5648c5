//! Why an entry is not taken.

/// Why what Redis has is not taken for an entry. It counts as a miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rejection {
    /// Not this format, cut off, or the checksum does not fit.
    Damaged,
    /// Longer than any entry.
    TooLarge,
    /// A value of another type than an entry's.
    Mistyped,
    /// Made for another key or another page.
    Misplaced,
    /// Made before the cache was last distrusted.
    Outdated,
    /// Checked alone, where entries are sealed.
    Unsealed,
    /// Sealed, where there is no key.
    Sealed,
    /// The tag does not vouch for it: altered, cut off, another tenant's, or sealed with a key that is no longer known.
    Forged,
}

impl Rejection {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Damaged,
        Self::TooLarge,
        Self::Mistyped,
        Self::Misplaced,
        Self::Outdated,
        Self::Unsealed,
        Self::Sealed,
        Self::Forged,
    ];

    /// Its name in logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Damaged => "damaged",
            Self::TooLarge => "too_large",
            Self::Mistyped => "mistyped",
            Self::Misplaced => "misplaced",
            Self::Outdated => "outdated",
            Self::Unsealed => "unsealed",
            Self::Sealed => "sealed",
            Self::Forged => "forged",
        }
    }
}
