//! The paths of the API, and what may be done with them.

use crate::domain::{PaymentId, PropertyId};
use crate::error::Error;
use http::Method;

/// A path of the API. One trailing slash is the same path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route<'a> {
    /// `/api/properties`
    Properties,
    /// `/api/properties/{id}`
    Property(&'a str),
    /// `/api/properties/{propertyId}/payments`
    Payments(&'a str),
    /// `/api/properties/{propertyId}/payments/{paymentId}`
    Payment(&'a str, &'a str),
    /// `/api/paymentmethods`
    PaymentMethods,
    /// `/api/health`
    Health,
    /// `/api/cache`
    Cache,
    /// `/api/cache/drain`
    CacheDrain,
    /// `/api/cache/breaker`
    CacheBreaker,
    /// `/api/cache/warm`
    CacheWarm,
    /// `/api/cache/verify`
    CacheVerify,
    /// `/api/openapi.json`
    OpenApi,
    /// `/metrics`
    Metrics,
    /// `/livez`
    Live,
    /// `/readyz`
    Ready,
}

/// What a request asks a path to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// GET or HEAD.
    Read,
    /// POST, PUT or DELETE, where the path has it.
    Write,
    /// OPTIONS.
    Preflight,
    /// A method that the path does not have.
    NotAllowed,
}

impl<'a> Route<'a> {
    /// The route of a path, or `None` when the API has no such path.
    pub fn of(path: &'a str) -> Option<Self> {
        let path = path.strip_suffix('/').unwrap_or(path);
        match path {
            "/metrics" => return Some(Self::Metrics),
            "/livez" => return Some(Self::Live),
            "/readyz" => return Some(Self::Ready),
            _ => {}
        }
        let path = path.strip_prefix("/api/")?;
        let (head, rest) = match path.split_once('/') {
            Some((head, rest)) => (head, Some(rest)),
            None => (path, None),
        };
        match (head, rest) {
            ("paymentmethods", None) => return Some(Self::PaymentMethods),
            ("openapi.json", None) => return Some(Self::OpenApi),
            ("health", None) => return Some(Self::Health),
            ("cache", None) => return Some(Self::Cache),
            ("cache", Some("drain")) => return Some(Self::CacheDrain),
            ("cache", Some("breaker")) => return Some(Self::CacheBreaker),
            ("cache", Some("warm")) => return Some(Self::CacheWarm),
            ("cache", Some("verify")) => return Some(Self::CacheVerify),
            ("properties", None) => return Some(Self::Properties),
            ("properties", Some(_)) => {}
            _ => return None,
        }
        let mut segments = rest?.split('/');
        match (segments.next(), segments.next(), segments.next(), segments.next()) {
            (Some(property), None, ..) => Some(Self::Property(property)),
            (Some(property), Some("payments"), None, _) => Some(Self::Payments(property)),
            (Some(property), Some("payments"), Some(payment), None) => Some(Self::Payment(property, payment)),
            _ => None,
        }
    }

    /// The methods that the path has, as `Allow` lists them.
    pub fn allowed(self) -> &'static str {
        match self {
            Self::Properties | Self::Payments(_) => "GET, HEAD, POST, OPTIONS",
            Self::Property(_) | Self::Payment(..) => "GET, HEAD, PUT, DELETE, OPTIONS",
            Self::PaymentMethods | Self::Health | Self::OpenApi | Self::Metrics | Self::Live | Self::Ready => {
                "GET, HEAD, OPTIONS"
            }
            Self::Cache => "DELETE, OPTIONS",
            Self::CacheDrain | Self::CacheWarm | Self::CacheVerify => "POST, OPTIONS",
            Self::CacheBreaker => "GET, HEAD, PUT, OPTIONS",
        }
    }

    /// Its name in metrics: no path, which would hold ids.
    pub fn name(self) -> &'static str {
        match self {
            Self::Properties => "properties",
            Self::Property(_) => "property",
            Self::Payments(_) => "payments",
            Self::Payment(..) => "payment",
            Self::PaymentMethods => "payment_methods",
            Self::Health => "health",
            Self::Cache
            | Self::CacheDrain
            | Self::CacheBreaker
            | Self::CacheWarm
            | Self::CacheVerify
            | Self::OpenApi
            | Self::Metrics
            | Self::Live
            | Self::Ready => "ops",
        }
    }

    /// What `method` asks of the path.
    pub fn action(self, method: &Method) -> Action {
        match (self, method) {
            (_, &Method::OPTIONS) => Action::Preflight,
            (Self::Properties | Self::Payments(_), &Method::POST) => Action::Write,
            (Self::CacheDrain | Self::CacheWarm | Self::CacheVerify, &Method::POST) => Action::Write,
            (Self::Cache, &Method::DELETE) => Action::Write,
            (Self::Cache | Self::CacheDrain | Self::CacheWarm | Self::CacheVerify, _) => Action::NotAllowed,
            (_, &Method::GET | &Method::HEAD) => Action::Read,
            (Self::CacheBreaker, &Method::PUT) => Action::Write,
            (Self::Property(_) | Self::Payment(..), &Method::PUT | &Method::DELETE) => Action::Write,
            _ => Action::NotAllowed,
        }
    }
}

/// The property that a path names; what is no id names nothing.
///
/// # Errors
/// [`Error::NotFound`].
pub fn property_id(segment: &str) -> Result<PropertyId, Error> {
    PropertyId::parse(segment).ok_or(Error::NotFound)
}

/// The payment that a path names; what is no id names nothing.
///
/// # Errors
/// [`Error::NotFound`].
pub fn payment_id(segment: &str) -> Result<PaymentId, Error> {
    PaymentId::parse(segment).ok_or(Error::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: Option<Route<'_>>) {
        assert_eq!(Route::of(path), expected, "{path}");
    }

    #[test]
    fn every_path_of_the_contract_has_its_route_and_one_trailing_slash_changes_nothing() {
        for slash in ["", "/"] {
            let path = |path: &str| format!("{path}{slash}");
            check(&path("/api/properties"), Some(Route::Properties));
            check(&path("/api/properties/a"), Some(Route::Property("a")));
            check(&path("/api/properties/a/payments"), Some(Route::Payments("a")));
            check(&path("/api/properties/a/payments/b"), Some(Route::Payment("a", "b")));
            check(&path("/api/paymentmethods"), Some(Route::PaymentMethods));
            check(&path("/api/health"), Some(Route::Health));
            check(&path("/api/cache"), Some(Route::Cache));
            check(&path("/api/cache/drain"), Some(Route::CacheDrain));
            check(&path("/api/cache/breaker"), Some(Route::CacheBreaker));
            check(&path("/api/cache/warm"), Some(Route::CacheWarm));
            check(&path("/api/cache/verify"), Some(Route::CacheVerify));
            check(&path("/api/openapi.json"), Some(Route::OpenApi));
            check(&path("/metrics"), Some(Route::Metrics));
            check(&path("/livez"), Some(Route::Live));
            check(&path("/readyz"), Some(Route::Ready));
        }
    }

    #[test]
    fn other_paths_have_none() {
        for path in [
            "/",
            "",
            "/api",
            "/api/",
            "/API/properties",
            "/api/property",
            "/api/properties//",
            "/api/properties/a/other",
            "/api/properties/a/payments/b/c",
            "/api/paymentmethods/a",
            "/api/health/live",
            "/api/cache//",
            "/api/cache/*",
            "/api/cache/drain/x",
            "/api/metrics",
            "/livez/x",
            "/properties",
        ] {
            assert!(matches!(Route::of(path), None | Some(Route::Property(""))), "{path}: {:?}", Route::of(path));
        }
        assert_eq!(property_id(""), Err(Error::NotFound));
    }

    #[test]
    fn a_path_has_the_methods_that_allow_lists() {
        for route in [
            Route::Properties,
            Route::Property("a"),
            Route::Payments("a"),
            Route::Payment("a", "b"),
            Route::PaymentMethods,
            Route::Health,
            Route::Cache,
            Route::CacheDrain,
            Route::CacheBreaker,
            Route::CacheWarm,
            Route::CacheVerify,
            Route::OpenApi,
            Route::Metrics,
            Route::Live,
            Route::Ready,
        ] {
            for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
                let parsed = Method::from_bytes(method.as_bytes()).expect("a method");
                let listed = route.allowed().split(", ").any(|allowed| allowed == method);
                assert_eq!(route.action(&parsed) != Action::NotAllowed, listed, "{method} on {route:?}");
            }
        }
    }
}
