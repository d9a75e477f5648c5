//! What the cache did for an answer, for the client (RFC 9211).

/// The `Cache-Status` of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CacheStatus {
    /// Answered from Redis.
    Hit,
    /// Answered by the instance, from what it got from Redis a moment ago ([`crate::read_lease`]).
    Lease,
    /// Read from PostgreSQL and stored.
    Stored,
    /// Read from PostgreSQL and not stored: a write was under way, or the answer is larger than the cache takes.
    Miss,
    /// Another request read it from PostgreSQL at the same moment.
    Collapsed,
    /// The cache was not asked: it is out of order, or does not hold such answers.
    Bypass,
}

impl CacheStatus {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Hit, Self::Lease, Self::Stored, Self::Miss, Self::Collapsed, Self::Bypass];

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Lease => "lease",
            Self::Stored => "stored",
            Self::Miss => "miss",
            Self::Collapsed => "collapsed",
            Self::Bypass => "bypass",
        }
    }
}
