//! The paths of the API, and what may be done with them.

use crate::domain::{PaymentId, PropertyId};
use http::Method;

/// A path of the API. One trailing slash is the same path. Where a path names an id, `None` stands for what is none: it has the
/// path's methods, and names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/api/properties`
    Properties,
    /// `/api/properties/{id}`
    Property(Option<PropertyId>),
    /// `/api/properties/{propertyId}/payments`
    Payments(Option<PropertyId>),
    /// `/api/properties/{propertyId}/payments/{paymentId}`
    Payment(Option<PropertyId>, Option<PaymentId>),
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

impl Route {
    /// The route of a path, or `None` when the API has no such path.
    pub fn of(path: &str) -> Option<Self> {
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
            (Some(property), None, ..) => Some(Self::Property(PropertyId::parse(property))),
            (Some(property), Some("payments"), None, _) => Some(Self::Payments(PropertyId::parse(property))),
            (Some(property), Some("payments"), Some(payment), None) => {
                Some(Self::Payment(PropertyId::parse(property), PaymentId::parse(payment)))
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0192f0c1-2345-7abc-8def-0123456789ab";

    fn check(path: &str, expected: Option<Route>) {
        assert_eq!(Route::of(path), expected, "{path}");
    }

    #[test]
    fn every_path_of_the_contract_has_its_route_and_one_trailing_slash_changes_nothing() {
        for slash in ["", "/"] {
            let path = |path: &str| format!("{path}{slash}");
            check(&path("/api/properties"), Some(Route::Properties));
            let (property, payment) = (PropertyId::parse(ID), PaymentId::parse(ID));
            check(&path(&format!("/api/properties/{ID}")), Some(Route::Property(property)));
            check(&path(&format!("/api/properties/{ID}/payments")), Some(Route::Payments(property)));
            check(&path(&format!("/api/properties/{ID}/payments/{ID}")), Some(Route::Payment(property, payment)));
            check(&path("/api/properties/a"), Some(Route::Property(None)));
            check(&path("/api/properties/a/payments"), Some(Route::Payments(None)));
            check(&path(&format!("/api/properties/a/payments/{ID}")), Some(Route::Payment(None, payment)));
            check(&path(&format!("/api/properties/{ID}/payments/b")), Some(Route::Payment(property, None)));
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
            assert!(matches!(Route::of(path), None | Some(Route::Property(None))), "{path}: {:?}", Route::of(path));
        }
    }

    #[test]
    fn a_path_has_the_methods_that_allow_lists() {
        for route in [
            Route::Properties,
            Route::Property(None),
            Route::Payments(None),
            Route::Payment(None, None),
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
