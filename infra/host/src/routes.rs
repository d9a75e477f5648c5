//! Which component answers a path. Precedence is routefinder's, as in Spin; methods play no part.

use std::sync::Arc;

use anyhow::{Result, anyhow};

use crate::manifest::Trigger;

/// The routes of an application.
pub struct Router {
    router: routefinder::Router<Target>,
    /// What is printed at the start, in the manifest's order.
    listing: Vec<(String, String)>,
}

/// Where a route leads, and the texts that the `spin-*` headers carry.
struct Target {
    component: Arc<str>,
    raw: Arc<str>,
    based: Arc<str>,
}

/// A route that matched, with all that the component is told about it.
#[derive(Debug, PartialEq)]
pub struct RouteMatch {
    /// The component that answers.
    pub component: Arc<str>,
    /// The route as the manifest writes it.
    pub raw: Arc<str>,
    /// The route with one trailing slash taken off.
    pub based: Arc<str>,
    /// What the trailing wildcard matched, with its leading slash.
    pub path_info: String,
    /// What each `:name` matched.
    pub named: Vec<(String, String)>,
}

impl RouteMatch {
    /// A request that another component sent: matched as if by `/...`.
    pub fn chained(component: &str, path: &str) -> Self {
        Self {
            component: component.into(),
            raw: "/...".into(),
            based: "/...".into(),
            path_info: path.into(),
            named: Vec::new(),
        }
    }

    /// The route as written, without its trailing wildcard.
    pub fn raw_prefix(&self) -> &str {
        self.raw.strip_suffix("/...").unwrap_or(&self.raw)
    }
}

impl Router {
    /// Builds the router; private routes are left out, and of two equal routes the later wins.
    pub fn new(triggers: &[Trigger]) -> Result<Self> {
        let public = |trigger: &Trigger| trigger.route.clone().map(|route| (route, trigger.component.clone()));
        let mut routes: Vec<(String, String)> = Vec::new();
        for (route, component) in triggers.iter().filter_map(public) {
            match routes.iter_mut().find(|(earlier, _)| *earlier == route) {
                Some(earlier) => {
                    tracing::error!("route {route} of {} is never used: {component} has it too", earlier.1);
                    earlier.1 = component;
                }
                None => routes.push((route, component)),
            }
        }
        let mut router = routefinder::Router::new();
        let mut listing = Vec::new();
        for (raw, component) in routes {
            let based = based(&raw);
            let (pattern, shown) = match based.strip_suffix("/...").or_else(|| based.strip_suffix("/*")) {
                Some(prefix) => (format!("{prefix}/*"), format!("{} (wildcard)", prefix)),
                None => (based.clone(), based.clone()),
            };
            listing.push((component.clone(), shown));
            let fail = |reason: String| anyhow!("the route {raw:?} of {component:?} is not valid: {reason}");
            let spec: routefinder::RouteSpec = pattern.as_str().try_into().map_err(fail)?;
            router
                .add(
                    spec,
                    Target { component: component.as_str().into(), raw: raw.as_str().into(), based: based.into() },
                )
                .map_err(|error| fail(error.to_string()))?;
        }
        Ok(Self { router, listing })
    }

    /// The best match for `path`: exact segments before named ones before a wildcard.
    pub fn route(&self, path: &str) -> Option<RouteMatch> {
        let best = self.router.best_match(path)?;
        let target = best.handler();
        let captures = best.captures();
        // routefinder drops a trailing slash of what a wildcard matched; Spin puts it back.
        let path_info =
            captures.wildcard().map_or(String::new(), |rest| match (rest.is_empty(), path.ends_with('/')) {
                (true, false) => String::new(),
                (true, true) => "/".into(),
                (false, false) => format!("/{rest}"),
                (false, true) => format!("/{rest}/"),
            });
        Some(RouteMatch {
            component: target.component.clone(),
            raw: target.raw.clone(),
            based: target.based.clone(),
            path_info,
            named: captures.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        })
    }

    /// Each public route with its component, to print.
    pub fn listing(&self) -> &[(String, String)] {
        &self.listing
    }
}

/// A leading slash is added, and one trailing slash taken off.
fn based(route: &str) -> String {
    let absolute = if route.starts_with('/') { route.to_owned() } else { format!("/{route}") };
    absolute.strip_suffix('/').map_or(absolute.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(routes: &[(&str, &str)]) -> Router {
        let trigger = |(component, route): &(&str, &str)| Trigger {
            component: component.to_string(),
            route: Some(route.to_string()),
        };
        Router::new(&routes.iter().map(trigger).collect::<Vec<_>>()).unwrap()
    }

    #[track_caller]
    fn check(router: &Router, path: &str, component: Option<&str>) {
        assert_eq!(router.route(path).map(|matched| matched.component).as_deref(), component, "{path}");
    }

    #[test]
    fn exact_beats_named_beats_wildcard_whatever_the_order() {
        let routes = [
            ("all", "/..."),
            ("one", "/api/:id"),
            ("list", "/api"),
            ("exact", "/api/special"),
            ("deep", "/api/:id/parts/..."),
        ];
        let mut reversed = routes;
        reversed.reverse();
        for routes in [routes, reversed] {
            let router = router(&routes);
            check(&router, "/api", Some("list"));
            check(&router, "/api/7", Some("one"));
            check(&router, "/api/special", Some("exact"));
            check(&router, "/api/7/parts/1/2", Some("deep"));
            check(&router, "/api/7/other", Some("all"));
            check(&router, "/", Some("all"));
        }
    }

    #[test]
    fn a_trailing_slash_in_the_path_or_the_route_makes_no_difference() {
        let router = router(&[("list", "/api"), ("slash", "/other/"), ("one", "/api/:id")]);
        check(&router, "/api/", Some("list"));
        check(&router, "/other", Some("slash"));
        check(&router, "/other/", Some("slash"));
        check(&router, "/api/7/", Some("one"));
        check(&router, "/elsewhere", None);
    }

    #[test]
    fn a_wildcard_keeps_what_it_matched() {
        let router = router(&[("a", "/test/...")]);
        let path_info = |path: &str| router.route(path).unwrap().path_info;
        assert_eq!(path_info("/test"), "");
        assert_eq!(path_info("/test/"), "/");
        assert_eq!(path_info("/test/hello"), "/hello");
        assert_eq!(path_info("/test/hello/"), "/hello/");
        assert_eq!(router.route("/test/x").unwrap().raw_prefix(), "/test");
    }

    #[test]
    fn a_named_segment_is_captured() {
        let router = router(&[("a", "/p/:propertyId/payments/:paymentId")]);
        let named = router.route("/p/1/payments/2").unwrap().named;
        assert_eq!(named, [("propertyId".to_string(), "1".to_string()), ("paymentId".to_string(), "2".to_string())]);
    }

    #[test]
    fn a_private_route_answers_nobody_and_a_duplicate_is_the_laters() {
        let private = Trigger { component: "private".into(), route: None };
        let of = |component: &str| Trigger { component: component.into(), route: Some("/a".into()) };
        let router = Router::new(&[private, of("first"), of("second")]).unwrap();
        check(&router, "/a", Some("second"));
        check(&router, "/private", None);
        assert_eq!(router.listing().len(), 1);
    }
}
