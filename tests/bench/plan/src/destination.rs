//! Whose host it is.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use url::Url;

/// Where a load goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Destination {
    /// Whether it is `https`.
    pub is_tls: bool,
    /// The name or address that its certificate must be for.
    pub host: String,
    /// The value of `Host`.
    pub authority: String,
    /// What the name meant when it was judged. Nothing else is connected to: a name can mean another host a moment later.
    pub addresses: Vec<SocketAddr>,
}

impl Destination {
    /// The host in `base_url`, if a load may go there.
    pub(crate) fn of(base_url: &str, is_owned: bool) -> Result<Destination> {
        let url = Url::parse(base_url).context("--base-url is no URL")?;
        ensure!(["http", "https"].contains(&url.scheme()), "--base-url must begin with https:// or http://");
        ensure!(url.username().is_empty() && url.password().is_none(), "--base-url must not name a user");
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        ensure!(is_bare, "--base-url must end behind the host: the paths are the API's");
        let host = url.host_str().context("--base-url names no host")?;
        let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let addresses = url.socket_addrs(|| None).with_context(|| format!("{host} is not known"))?;
        admit(host, &addresses, is_owned)?;
        let host = host.trim_matches(['[', ']']).to_owned();
        Ok(Destination { is_tls: url.scheme() == "https", host, authority, addresses })
    }
}

/// An error unless every address is this machine's own, or whoever asks says that the host is theirs.
fn admit(host: &str, addresses: &[SocketAddr], is_owned: bool) -> Result<()> {
    ensure!(!addresses.is_empty(), "{host} has no address");
    // An IPv4 address may be written as an IPv6 one.
    let elsewhere = addresses.iter().map(|address| address.ip().to_canonical()).find(|address| !address.is_loopback());
    if let Some(address) = elsewhere
        && !is_owned
    {
        let means = if host.contains(&address.to_string()) { String::new() } else { format!(" ({address})") };
        bail!(
            "{host}{means} is not this machine: a load on a host of others is an attack on them, and on a \
             production host it takes answers from landlords. If it is yours and meant for this, add --i-own-this-host"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(base_url: &str) -> String {
        Destination::of(base_url, false).map_or_else(|error| format!("{error:#}"), |_| "admitted".into())
    }

    #[test]
    fn without_a_word_only_this_machine_is_loaded() {
        for own in ["http://127.0.0.1:3000", "http://127.9.9.9", "https://[::1]:8443", "http://[::ffff:127.0.0.1]/"] {
            assert_eq!(refusal(own), "admitted", "{own}");
        }
        for other in ["http://192.0.2.1", "http://10.0.0.1:3000", "http://0.0.0.0", "https://[2001:db8::1]"] {
            let refusal = refusal(other);
            assert!(
                refusal.contains("--i-own-this-host") && refusal.contains("not this machine"),
                "{other}: {refusal}"
            );
            assert!(Destination::of(other, true).is_ok(), "{other}");
        }
    }

    #[test]
    fn a_name_that_means_another_host_too_is_not_this_machine() {
        let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().expect(text)).collect::<Vec<_>>();
        let check = |texts: &[&str], expected: bool| {
            assert_eq!(admit("name", &addresses(texts), false).is_ok(), expected, "{texts:?}");
        };
        check(&["127.0.0.1:80", "[::1]:80"], true);
        check(&["127.0.0.1:80", "192.0.2.1:80"], false);
        check(&[], false);
        assert!(admit("name", &addresses(&["192.0.2.1:80"]), true).is_ok());
    }

    #[test]
    fn a_url_is_a_scheme_and_a_host() {
        for wrong in
            ["127.0.0.1", "ftp://127.0.0.1", "http://u:p@127.0.0.1", "http://127.0.0.1/api", "http://127.0.0.1?x"]
        {
            assert!(refusal(wrong).contains("--base-url"), "{wrong}: {}", refusal(wrong));
        }
        let found = Destination::of("https://[::1]", false).expect("it is this machine");
        assert_eq!((found.host.as_str(), found.authority.as_str(), found.is_tls), ("::1", "[::1]", true));
        assert_eq!(found.addresses, ["[::1]:443".parse().expect("an address")]);
    }
}
