//! The parts of a server's URL that the rules ask for.

use std::net::IpAddr;

use url::Url;

/// `scheme://user:password@host:port/…?options`
pub struct Address(Url);

impl Address {
    /// `None` for what is no URL with a host.
    pub fn parse(text: &str) -> Option<Address> {
        let url = Url::parse(text).ok()?;
        url.host_str()?;
        Some(Address(url))
    }

    pub fn scheme(&self) -> &str {
        self.0.scheme()
    }

    pub fn user(&self) -> &str {
        self.0.username()
    }

    pub fn password(&self) -> &str {
        self.0.password().unwrap_or_default()
    }

    /// What stands behind `#`.
    pub fn fragment(&self) -> Option<&str> {
        self.0.fragment()
    }

    /// The value of a query parameter.
    pub fn option(&self, name: &str) -> Option<String> {
        self.0.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// Whether what is sent there leaves this machine.
    pub fn is_off_host(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let is_loopback = host.parse().map_or(host == "localhost", |address: IpAddr| address.is_loopback());
        !is_loopback
    }

    /// Host and port, the port by `default` where there is none.
    pub fn endpoint(&self, default: u16) -> (String, u16) {
        (self.0.host_str().unwrap_or_default().to_owned(), self.0.port().unwrap_or(default))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_loopback_does_not_leave_the_machine() {
        let check = |url: &str, expected: bool| {
            assert_eq!(Address::parse(url).expect("a URL").is_off_host(), expected, "{url}")
        };
        check("redis://127.0.0.1:6379", false);
        check("redis://127.8.9.1", false);
        check("redis://[::1]:6379", false);
        check("postgres://localhost/x", false);
        check("postgres://localhost.example/x", true);
        check("redis://10.0.0.1", true);
        check("redis://cache.svc:6379", true);
    }

    #[test]
    fn what_has_no_host_is_no_address() {
        assert!(Address::parse("redis").is_none());
        assert!(Address::parse("").is_none());
        assert!(Address::parse("unix:/run/redis").is_none());
    }
}
