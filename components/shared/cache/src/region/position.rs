//! How far into the history of the database a session has seen.

/// How far into the history of the database a session has seen: what an answer says of itself, and a later request of the session
/// demands of what it reads, in whatever region. `Default` is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The primary's timeline, which a failover moves on.
    pub timeline: u32,
    /// A position of the WAL behind the commits that were seen.
    pub lsn: u64,
    /// A transaction's id: of those below it, some may have been seen at a standby before the primary showed them. 0 for none.
    pub below: u64,
    /// The transaction of the session's last write. 0 for none.
    pub own: u64,
}

impl Position {
    /// What has seen both. A failover may have lost what was seen on an earlier timeline, which then can never be shown again: the
    /// later one counts alone.
    ///
    /// ```
    /// use cache::region::Position;
    ///
    /// let read = Position { timeline: 1, lsn: 700, below: 90, own: 0 };
    /// let wrote = Position { timeline: 1, lsn: 650, below: 0, own: 95 };
    /// assert_eq!(read.merge(wrote), Position { own: 95, ..read });
    /// let later = Position { timeline: 2, lsn: 10, ..Position::default() };
    /// assert_eq!(read.merge(later), later);
    /// ```
    ///
    /// Of two writes side by side the one with the lower id may be seen later: see [`Position::beside`].
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        match self.timeline.cmp(&other.timeline) {
            std::cmp::Ordering::Less => other,
            std::cmp::Ordering::Greater => self,
            std::cmp::Ordering::Equal => Self {
                timeline: self.timeline,
                lsn: self.lsn.max(other.lsn),
                below: self.below.max(other.below),
                own: self.own.max(other.own),
            },
        }
    }

    /// [`Position::merge`] of what two answers have told that were under way side by side. Where both are of writes, everything up to the
    /// later one is asked for.
    ///
    /// ```
    /// use cache::region::Position;
    ///
    /// let wrote = |own| Position { timeline: 1, lsn: 650, below: 0, own };
    /// assert_eq!(wrote(95).beside(wrote(93)), Position { below: 96, ..wrote(95) });
    /// assert_eq!(wrote(95).beside(wrote(95)), wrote(95));
    /// assert_eq!(wrote(95).beside(wrote(0)), wrote(95));
    /// ```
    #[must_use]
    pub fn beside(self, other: Self) -> Self {
        let mut both = self.merge(other);
        let are_writes = self.own != other.own && self.own > 0 && other.own > 0;
        if are_writes && self.timeline == other.timeline {
            both.below = both.below.max(both.own.saturating_add(1));
        }
        both
    }
}
