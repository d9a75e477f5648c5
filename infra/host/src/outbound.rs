//! `allowed_outbound_hosts`: what a component may connect to, parsed and matched as Spin does.

use std::ops::Range;

use anyhow::{Context, Result, bail, ensure};
use ip_network::IpNetwork;
use url::{Host, Url};

use crate::variables::{Values, is_template};

/// The suffix of the hosts that are components of the application.
const CHAINING_SUFFIX: &str = ".spin.internal";

/// A component's allow-list.
#[derive(Debug, Default)]
pub struct AllowList(Vec<Rule>);

impl AllowList {
    /// Renders and parses a component's `allowed_outbound_hosts`.
    pub fn parse(entries: &[String], values: &Values) -> Result<Self> {
        let mut rules = Vec::with_capacity(entries.len());
        for entry in entries {
            let rendered = values.render(entry)?;
            // An empty variable stands for an endpoint that is not in use; an empty literal is a mistake.
            if is_template(entry) && matches!(rendered.as_str(), "" | "http://" | "https://") {
                continue;
            }
            rules.push(Rule::parse(&rendered).with_context(|| format!("allowed_outbound_hosts entry {entry:?}"))?);
        }
        Ok(Self(rules))
    }

    /// Whether `address` may be reached. An address that is no URL is read again as `scheme://address`.
    pub fn allows(&self, address: &str, scheme: &str) -> bool {
        let target = match Target::parse(address, scheme) {
            Ok(target) => target,
            Err(error) => {
                tracing::warn!("a component gave an address that cannot be parsed: {error:#}");
                return false;
            }
        };
        let allowed = self.0.iter().any(|rule| rule.allows(&target));
        if !allowed {
            tracing::warn!("a component may not reach {target}: its allowed_outbound_hosts does not list it");
        }
        allowed
    }

    /// Whether requests to the application itself are allowed (`http://self`).
    pub fn allows_self(&self) -> bool {
        let http = |rule: &Rule| rule.scheme.as_deref().is_none_or(|scheme| matches!(scheme, "http" | "https"));
        self.0.iter().any(|rule| http(rule) && matches!(rule.host, HostRule::Any | HostRule::Itself))
    }
}

/// The component that a `NAME.spin.internal` host stands for.
pub fn chaining_target(host: &str) -> Option<&str> {
    let host = host.trim();
    let host = host.rsplit_once(':').map_or(host, |(host, _port)| host);
    let (name, _) = host.split_once('.')?;
    (host.strip_prefix(name) == Some(CHAINING_SUFFIX)).then_some(name)
}

/// One entry of the list. `None` is `*`.
#[derive(Debug, PartialEq)]
struct Rule {
    scheme: Option<String>,
    host: HostRule,
    ports: Option<Range<u32>>,
}

#[derive(Debug, PartialEq)]
enum HostRule {
    Any,
    /// `self`: the application's own address.
    Itself,
    /// `*.example.com`, kept as `.example.com`.
    Subdomains(String),
    Network(IpNetwork),
    Exactly(Host),
}

impl Rule {
    fn parse(entry: &str) -> Result<Self> {
        let entry = entry.trim();
        let (scheme, rest) = entry
            .split_once("://")
            .context("it must be <scheme>://<host>[:<port>], each with '*' for any ('*://*:*' allows everything)")?;
        ensure!(
            scheme == "*" || (!scheme.is_empty() && scheme.chars().all(char::is_alphabetic)),
            "{scheme:?} is not a scheme"
        );
        let (host, port) = match rest.rsplit_once(':') {
            None => (rest, ""),
            Some((host, "")) => (host, ""),
            // An IPv6 address or network without a port has colons of its own.
            Some(_) if HostRule::parse(rest).is_ok() => (rest, ""),
            Some((host, port)) => (host, port.strip_suffix('/').unwrap_or(port)),
        };
        ensure!(!port.contains('/'), "it has a path, and must not");
        Ok(Self {
            ports: parse_ports(port, scheme).with_context(|| format!("port {port:?}"))?,
            scheme: (scheme != "*").then(|| scheme.to_owned()),
            host: HostRule::parse(host).with_context(|| format!("host {host:?}"))?,
        })
    }

    fn allows(&self, target: &Target) -> bool {
        let port = target.port.or_else(|| default_port(&target.scheme));
        self.scheme.as_ref().is_none_or(|scheme| *scheme == target.scheme)
            && self.host.allows(&target.host)
            && self.ports.as_ref().is_none_or(|ports| port.is_some_and(|port| ports.contains(&port.into())))
    }
}

impl HostRule {
    fn parse(host: &str) -> Result<Self> {
        let host = host.trim();
        if let Ok(network) = IpNetwork::from_str_truncate(host) {
            return Ok(Self::Network(network));
        }
        match host {
            "*" => return Ok(Self::Any),
            "self" | "self.alt" => return Ok(Self::Itself),
            _ => {}
        }
        let host = host.strip_suffix('/').unwrap_or(host);
        ensure!(!host.contains('/'), "it has a path, and must not");
        if let Some(domain) = host.strip_prefix("*.") {
            return match Host::parse(domain)? {
                Host::Domain(domain) => Ok(Self::Subdomains(format!(".{domain}"))),
                _ => bail!("'*.' must be followed by a domain"),
            };
        }
        ensure!(!host.contains(['{', '}']), "lists of hosts are not supported, by Spin neither");
        ensure!(!host.contains('*'), "'*' is a whole host, or the first label of one");
        Ok(Self::Exactly(Host::parse(host)?))
    }

    fn allows(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Any, _) => true,
            // Asked by `allows_self` alone.
            (Self::Itself, _) => false,
            (Self::Subdomains(suffix), Host::Domain(domain)) => domain.ends_with(suffix),
            (Self::Network(network), Host::Ipv4(address)) => network.contains(*address),
            (Self::Network(network), Host::Ipv6(address)) => network.contains(*address),
            (Self::Exactly(exactly), host) => exactly == host,
            (Self::Subdomains(_), _) | (Self::Network(_), Host::Domain(_)) => false,
        }
    }
}

/// `None` is any port. A range `a..b` leaves `b` out.
fn parse_ports(port: &str, scheme: &str) -> Result<Option<Range<u32>>> {
    let number = |text: &str| text.parse::<u16>().map(u32::from).context("it is not a port number");
    match port {
        "*" => Ok(None),
        "" => {
            let port = default_port(scheme)
                .with_context(|| format!("{scheme:?} has no default port, so one must be given"))?;
            Ok(Some(u32::from(port)..u32::from(port) + 1))
        }
        _ => match port.split_once("..") {
            Some((from, to)) => Ok(Some(number(from)?..number(to)?)),
            None => number(port).map(|port| Some(port..port + 1)),
        },
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        "redis" => Some(6379),
        "postgres" => Some(5432),
        "mysql" => Some(3306),
        "mqtt" => Some(1883),
        _ => None,
    }
}

/// What a component asks to reach.
struct Target {
    scheme: String,
    host: Host,
    port: Option<u16>,
}

impl Target {
    fn parse(address: &str, scheme: &str) -> Result<Self> {
        let address = without_credentials(address);
        let url = match Url::parse(&address) {
            Ok(url) if url.has_host() => url,
            _ => Url::parse(&format!("{scheme}://{address}")).context("not a URL")?,
        };
        let host = url.host_str().context("it has no host")?;
        // Parsed again because `url` leaves the host of a scheme that it does not know as it is.
        Ok(Self { scheme: url.scheme().to_owned(), host: Host::parse(host)?, port: url.port() })
    }
}

/// Without user and password: it goes into the log.
impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Cuts `user:password@` out: it does not matter here, and need not be encoded well enough for a URL parser.
fn without_credentials(address: &str) -> String {
    let start = address.find("://").map_or(0, |at| at + 3);
    let authority = address[start..].find('/').map_or(address.len(), |at| start + at);
    match address.find('@') {
        Some(at) if (start..authority).contains(&at) => format!("{}{}", &address[..start], &address[at + 1..]),
        _ => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[&str]) -> Result<AllowList> {
        let manifest = "spin_manifest_version = 2\n[application]\nname = \"a\"\n\
                        [variables]\naddress = { default = \"redis://db.local:7000\" }\nempty = { default = \"\" }";
        let manifest = crate::manifest::parse(manifest, std::path::Path::new("")).unwrap();
        let values = Values::resolve(&manifest.variables, &[], |_| None).unwrap();
        AllowList::parse(&entries.iter().map(|entry| entry.to_string()).collect::<Vec<_>>(), &values)
    }

    #[track_caller]
    fn check(entry: &str, scheme: &str, allowed: &[&str], denied: &[&str]) {
        let list = list(&[entry]).unwrap();
        for address in allowed {
            assert!(list.allows(address, scheme), "{entry} should allow {address}");
        }
        for address in denied {
            assert!(!list.allows(address, scheme), "{entry} should deny {address}");
        }
    }

    #[test]
    fn scheme_host_and_port_must_all_match() {
        check(
            "redis://127.0.0.1:6380",
            "redis",
            &[
                "redis://127.0.0.1:6380",
                "redis://:pass@127.0.0.1:6380/3",
                "redis://u:p%@127.0.0.1:6380/?x=1",
                "127.0.0.1:6380",
            ],
            &[
                "redis://127.0.0.1:6379",
                "redis://127.0.0.1",
                "rediss://127.0.0.1:6380",
                "redis://127.0.0.2:6380",
                "redis://localhost:6380",
            ],
        );
    }

    #[test]
    fn a_password_cannot_smuggle_another_host_in() {
        check(
            "redis://good:6379",
            "redis",
            &["redis://evil:6379@good:6379"],
            &["redis://good:6379@evil:6379", "redis://x/@good:6379"],
        );
    }

    #[test]
    fn a_port_that_is_left_out_is_the_schemes() {
        check("postgres://db", "postgres", &["db", "db:5432", "postgres://db"], &["db:5433", "postgresql://db:5432"]);
        check(
            "http://example.com",
            "https",
            &["http://example.com/x", "http://example.com:80"],
            &["https://example.com", "http://example.com:8080"],
        );
        assert!(list(&["ftp://example.com"]).is_err(), "no default port is known for it");
    }

    #[test]
    fn wildcards_and_ranges() {
        check("*://*:*", "https", &["redis://x:1", "http://a.b/"], &[]);
        check(
            "https://*.example.com",
            "https",
            &["https://a.b.Example.com/"],
            &["https://example.com", "https://badexample.com"],
        );
        check("http://h:8000..8002", "http", &["http://h:8000", "http://h:8001"], &["http://h:8002", "http://h:7999"]);
        check("http://10.0.0.0/8:*", "http", &["http://10.1.2.3:99"], &["http://11.0.0.1", "http://ten.example"]);
        check("http://[::1]", "http", &["http://[::1]/x", "http://[::1]:80"], &["http://[::2]", "http://[::1]:81"]);
    }

    #[test]
    fn a_template_is_rendered_and_an_empty_one_left_out() {
        check("{{ address }}", "redis", &["redis://db.local:7000/1"], &["redis://db.local:7001"]);
        assert!(!list(&["{{ empty }}"]).unwrap().allows("http://x", "http"));
        assert!(list(&[""]).is_err(), "an empty literal is a mistake");
    }

    #[test]
    fn what_is_not_a_host_is_refused() {
        for entry in [
            "example.com:80",
            "*",
            "?",
            "http://example.com/path",
            "http://example.com:80/path",
            "http://x:notaport",
            "http://x:99999",
            "http://a.*.com",
            "http://*.127.0.0.1",
            "http://[::1",
            "{a,b}://x",
            "://x:1",
            "http://{a,b}",
            "insecure:allow-all",
        ] {
            assert!(list(&[entry]).is_err(), "{entry} should be refused");
        }
    }

    #[test]
    fn a_chained_component_is_a_host_like_any_other() {
        check(
            "http://writes.spin.internal",
            "https",
            &["http://writes.spin.internal/api"],
            &["http://ops.spin.internal/", "https://writes.spin.internal/"],
        );
        check("http://*.spin.internal", "https", &["http://ops.spin.internal/"], &["http://spin.internal/"]);
    }

    #[test]
    fn a_chaining_target_is_one_label_before_spin_internal() {
        assert_eq!(chaining_target("writes.spin.internal"), Some("writes"));
        assert_eq!(chaining_target("writes.spin.internal:80"), Some("writes"));
        for host in ["spin.internal", "a.writes.spin.internal", "writes.spin.internal.example.com", "localhost"] {
            assert_eq!(chaining_target(host), None, "{host}");
        }
    }

    #[test]
    fn the_application_itself_must_be_named() {
        assert!(list(&["http://self"]).unwrap().allows_self());
        assert!(list(&["*://*:*"]).unwrap().allows_self());
        assert!(!list(&["http://example.com"]).unwrap().allows_self());
        assert!(!list(&["redis://*"]).unwrap().allows_self());
    }
}
