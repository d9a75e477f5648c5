//! The values of labels.

use crate::http::Route;
use cache::CacheStatus;
use http::Method;

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
    /// The route of a request: no path, which would hold ids.
    RouteLabel {
        /// All properties.
        Properties = "properties",
        /// One property.
        Property = "property",
        /// The payments for a property.
        Payments = "payments",
        /// One payment.
        Payment = "payment",
        /// The payment methods.
        PaymentMethods = "payment_methods",
        /// Health.
        Health = "health",
        /// What is for operators and generators.
        Ops = "ops",
        /// A path that is no route.
        Other = "other",
    }
}

impl RouteLabel {
    /// Of a request's route, if its path is one.
    pub fn of(route: Option<Route>) -> Self {
        match route {
            Some(Route::Properties) => Self::Properties,
            Some(Route::Property(_)) => Self::Property,
            Some(Route::Payments(_)) => Self::Payments,
            Some(Route::Payment(..)) => Self::Payment,
            Some(Route::PaymentMethods) => Self::PaymentMethods,
            Some(Route::Health) => Self::Health,
            Some(
                Route::Cache
                | Route::CacheDrain
                | Route::CacheBreaker
                | Route::CacheWarm
                | Route::CacheVerify
                | Route::OpenApi
                | Route::Metrics
                | Route::Live
                | Route::Ready,
            ) => Self::Ops,
            None => Self::Other,
        }
    }
}

label! {
    /// The method of a request.
    MethodLabel {
        /// `GET`.
        Get = "GET",
        /// `HEAD`.
        Head = "HEAD",
        /// `POST`.
        Post = "POST",
        /// `PUT`.
        Put = "PUT",
        /// `DELETE`.
        Delete = "DELETE",
        /// `OPTIONS`.
        Options = "OPTIONS",
        /// `PATCH`.
        Patch = "PATCH",
        /// Any other word: clients may send any, and each would be a series of its own.
        Other = "OTHER",
    }
}

impl MethodLabel {
    /// Of a request's method.
    pub fn of(method: &Method) -> Self {
        match *method {
            Method::GET => Self::Get,
            Method::HEAD => Self::Head,
            Method::POST => Self::Post,
            Method::PUT => Self::Put,
            Method::DELETE => Self::Delete,
            Method::OPTIONS => Self::Options,
            Method::PATCH => Self::Patch,
            _ => Self::Other,
        }
    }
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
