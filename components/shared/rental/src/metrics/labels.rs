//! The values of labels that say how something ended.

use cache::CacheStatus;

/// An enum whose variants are the values of one label.
macro_rules! label {
    ($(#[$doc:meta])* $label:ident { $($(#[$variant_doc:meta])* $variant:ident = $name:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $label {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $label {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its name in metrics.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

label! {
    /// How a leader's attempt to store what it had read ended.
    FillResult {
        /// It is stored.
        Stored = "stored",
        /// A write came between, or the lock ran out.
        Refused = "refused",
        /// The list has as many pages as are kept.
        Full = "full",
        /// The answer is larger than the cache takes.
        TooLarge = "too_large",
        /// PostgreSQL does not vouch for the tenant.
        InDoubt = "in_doubt",
        /// PostgreSQL or Redis did not answer.
        Failed = "failed",
    }
}

label! {
    /// How a write's fence ended.
    FenceResult {
        /// It stands.
        Raised = "raised",
        /// Redis did not take it.
        Failed = "failed",
        /// The cache is out of use until after the statement.
        Skipped = "skipped",
    }
}

label! {
    /// What became of a token.
    TokenResult {
        /// Its signature and claims are good.
        Verified = "verified",
        /// It was verified for an earlier request.
        Remembered = "remembered",
        /// It is not good.
        Refused = "refused",
    }
}

label! {
    /// How asking for a set of keys ended.
    KeyFetchResult {
        /// There is a set.
        Fetched = "fetched",
        /// There is none, or none that is taken.
        Failed = "failed",
    }
}

/// What the cache did for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RequestResult {
    /// It was asked.
    Asked(CacheStatus),
    /// It was not: the request is a write.
    Write,
    /// It was not, and the request is no write.
    None,
}

impl RequestResult {
    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Asked(status) => status.name(),
            Self::Write => "write",
            Self::None => "none",
        }
    }
}
