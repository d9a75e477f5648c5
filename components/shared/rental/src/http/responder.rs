//! Who answers a request: this application, or the origin behind it.

use super::route::{Action, Route};
use http::request::Parts;
use http::{Method, header};

/// Who answers a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Responder {
    /// This application, if only to say that it has no such path or method.
    Us,
    /// The origin.
    Origin,
}

impl Responder {
    /// Who answers a request for what its path names.
    pub fn of(parts: &Parts, route: Option<Route>, has_origin: bool) -> Self {
        // First what costs least: most requests are ours.
        if !has_origin || route.is_some_and(|route| is_ours(route, parts)) || !is_api(parts.uri.path()) {
            Self::Us
        } else {
            Self::Origin
        }
    }
}

/// Whether a path of ours has the method, or the one that a preflight asks for. Without that OPTIONS asks what a path has, which it
/// says itself.
fn is_ours(route: Route, parts: &Parts) -> bool {
    let has = |method: &Method| route.action(method) != Action::NotAllowed;
    if parts.method != Method::OPTIONS {
        return has(&parts.method);
    }
    let requested = parts.headers.get(header::ACCESS_CONTROL_REQUEST_METHOD);
    requested.and_then(|method| Method::from_bytes(method.as_bytes()).ok()).is_none_or(|method| has(&method))
}

/// The origin's are the paths below the client's base URL. With a dot segment one would lead out of there, to whatever else the origin
/// serves; clients resolve those before they send.
fn is_api(path: &str) -> bool {
    let is_below = path.strip_prefix("/api").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    is_below && !path.split('/').any(is_dots)
}

/// Whether a segment is `.` or `..`, in percent-encoding too (RFC 3986, section 6.2.2).
fn is_dots(segment: &str) -> bool {
    matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"];

    fn parts(method: &str, path: &str, requested: Option<&str>) -> Parts {
        let mut request = http::Request::builder().method(method).uri(path);
        if let Some(requested) = requested {
            request = request.header("access-control-request-method", requested);
        }
        request.body(()).expect("a request").into_parts().0
    }

    fn answers(method: &str, path: &str, requested: Option<&str>) -> Responder {
        Responder::of(&parts(method, path, requested), Route::of(path), true)
    }

    #[test]
    fn without_an_origin_everything_is_ours() {
        for path in ["/api/auth/login", "/api/paymentmethods", "/api", "/elsewhere"] {
            for method in METHODS {
                let request = parts(method, path, Some("POST"));
                assert_eq!(Responder::of(&request, Route::of(path), false), Responder::Us, "{method} {path}");
            }
        }
    }

    #[test]
    fn a_path_under_api_that_is_not_ours_is_the_origins_with_every_method() {
        let id = "0192f0c1-2345-7abc-8def-0123456789ab";
        for path in [
            "/api",
            "/api/",
            "/api/auth/login",
            "/api/paymentmethods/a",
            "/api/health/live",
            &format!("/api/properties/{id}/attachments"),
            &format!("/api/properties/{id}/payments/{id}/attachments/{id}"),
        ] {
            for method in METHODS {
                assert_eq!(answers(method, path, None), Responder::Origin, "{method} {path}");
                assert_eq!(answers(method, path, Some("GET")), Responder::Origin, "{method} {path}");
            }
        }
    }

    #[test]
    fn what_is_not_under_api_never_leaves() {
        for path in [
            "/",
            "/metrics",
            "/livez",
            "/readyz",
            "/apis",
            "/API/auth",
            "/other/api/auth",
            "/api/../metrics",
            "/api/a/%2E%2e/%2e./metrics",
            "/api/./auth",
        ] {
            for method in METHODS {
                assert_eq!(answers(method, path, Some("PATCH")), Responder::Us, "{method} {path}");
            }
        }
    }

    #[test]
    fn a_path_of_ours_has_the_methods_that_allow_lists_and_the_others_are_the_origins() {
        for path in [
            "/api/properties",
            "/api/properties/",
            "/api/properties/no-id",
            "/api/properties/a/payments",
            "/api/properties/a/payments/b",
            "/api/paymentmethods",
            "/api/health",
            "/api/openapi.json",
            "/api/cache",
            "/api/cache/drain",
            "/api/cache/breaker",
        ] {
            let allowed = Route::of(path).expect("a route").allowed();
            for method in METHODS {
                let is_ours = allowed.split(", ").any(|it| it == method);
                let expected = if is_ours { Responder::Us } else { Responder::Origin };
                assert_eq!(answers(method, path, None), expected, "{method} {path}");
                // A browser asks for the method first, and from the one who will answer it.
                assert_eq!(answers("OPTIONS", path, Some(method)), expected, "the preflight of {method} {path}");
            }
        }
    }

    #[test]
    fn the_header_of_a_preflight_says_nothing_on_another_method() {
        assert_eq!(answers("GET", "/api/paymentmethods", Some("POST")), Responder::Us);
        assert_eq!(answers("POST", "/api/paymentmethods", Some("GET")), Responder::Origin);
    }
}
