//! Bare sockets: what of `wasi:sockets` the allow-list grants. Spin's rules.

use std::net::SocketAddr;

use wasmtime_wasi::sockets::SocketAddrUse;

use crate::outbound::AllowList;

/// Whether a component may use `address` so. It may connect, and listens to nobody.
pub fn may_use(allowed: &AllowList, address: SocketAddr, purpose: SocketAddrUse) -> bool {
    match purpose {
        // wasmtime 48 asks this before each connect too, with no address and no port, as the system chooses both.
        SocketAddrUse::TcpBind => address.ip().is_unspecified() && address.port() == 0,
        SocketAddrUse::TcpListen | SocketAddrUse::TcpAccept => false,
        SocketAddrUse::TcpConnect => allowed.allows(&address.to_string(), "tcp"),
        SocketAddrUse::UdpBind | SocketAddrUse::UdpSend => allowed.allows(&address.to_string(), "udp"),
        // wasmtime 47, and Spin on it, do not ask who sent what a socket receives.
        SocketAddrUse::UdpReceive => true,
    }
}

#[cfg(test)]
mod tests {
    use SocketAddrUse::{TcpAccept, TcpBind, TcpConnect, TcpListen, UdpBind, UdpReceive, UdpSend};

    use std::collections::BTreeMap;

    use super::*;
    use crate::variables::Values;

    #[test]
    fn a_component_connects_where_it_may_and_listens_nowhere() {
        let hosts = ["tcp://127.0.0.1:7".to_owned(), "udp://127.0.0.1:8".to_owned()];
        let values = Values::resolve(&BTreeMap::new(), &[], |_| None).expect("no variables");
        let allowed = AllowList::parse(&hosts, &values).expect("a list");
        let check = |purpose, address: &str, expected| {
            let address = address.parse().expect("an address");
            assert_eq!(may_use(&allowed, address, purpose), expected, "{purpose:?} {address}");
        };
        check(TcpConnect, "127.0.0.1:7", true);
        check(TcpConnect, "127.0.0.1:8", false);
        check(TcpBind, "0.0.0.0:0", true);
        check(TcpBind, "[::]:0", true);
        check(TcpBind, "0.0.0.0:80", false);
        check(TcpBind, "127.0.0.1:0", false);
        check(TcpListen, "0.0.0.0:0", false);
        check(TcpAccept, "127.0.0.1:7", false);
        check(UdpSend, "127.0.0.1:8", true);
        check(UdpSend, "127.0.0.1:7", false);
        check(UdpBind, "0.0.0.0:0", false);
        check(UdpReceive, "127.0.0.1:9", true);
    }
}
