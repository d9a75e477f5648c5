//! The headers of a request that goes on to the origin, and of its answer (RFC 9110, section 7.6; RFC 7239).

/// A header line as the platform has it.
pub type Field = (String, Vec<u8>);

/// What we are called in `Via`.
const PSEUDONYM: &str = "1.1 renttracker-edge";
/// What concerns one connection alone (RFC 9110, section 7.6.1), besides what `Connection` names. `Host` is the origin's own, and the
/// platform writes it. The two about a proxy's own users and `HTTP2-Settings` a component must not send.
const HOP_BY_HOP: [&str; 10] = [
    CONNECTION,
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];
const CONNECTION: &str = "connection";
/// How the names begin of what Spin tells a component. It concerns nobody else, and a client has no business with it.
const SPIN: &str = "spin-";
/// Spin: who has connected, as `address:port`.
const CLIENT_ADDRESS: &str = "spin-client-addr";
/// Spin: the URL that was asked for, with the client's `Host`.
const FULL_URL: &str = "spin-full-url";
/// The address that Spin gives a request which another component has handed on.
const OF_A_COMPONENT: &str = "0.0.0.0:0";

/// The headers of a request for the origin: the client's, without those of one connection and Spin's own, then `Via` and `Forwarded`.
pub fn to_origin(fields: Vec<Field>) -> Vec<Field> {
    let forwarded = forwarded(&fields);
    let mut kept = end_to_end(fields);
    kept.retain(|(name, _)| !name.starts_with(SPIN));
    kept.push(via());
    kept.push(("forwarded".into(), forwarded.into_bytes()));
    kept
}

/// The headers of the origin's answer for the client.
pub fn to_client(fields: Vec<Field>) -> Vec<Field> {
    let mut kept = end_to_end(fields);
    kept.push(via());
    kept
}

/// Whether another component has handed the request on, and has checked it.
pub fn is_handed_on(fields: &[Field]) -> bool {
    values(fields, CLIENT_ADDRESS).last() == Some(OF_A_COMPONENT)
}

fn via() -> Field {
    ("via".into(), PSEUDONYM.into())
}

/// All but what concerns one connection.
fn end_to_end(mut fields: Vec<Field>) -> Vec<Field> {
    let named: Vec<String> = values(&fields, CONNECTION)
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    fields.retain(|(name, _)| !HOP_BY_HOP.contains(&name.as_str()) && !named.contains(name));
    fields
}

/// The values of a header that are text, in their order.
fn values<'a>(fields: &'a [Field], name: &'a str) -> impl Iterator<Item = &'a str> {
    let of_name = fields.iter().filter(move |(its, _)| its == name);
    of_name.filter_map(|(_, value)| std::str::from_utf8(value).ok())
}

/// The value of `Forwarded`. Spin adds its headers behind a client's of the same name, and once more where a component hands on.
fn forwarded(fields: &[Field]) -> String {
    let handed_on = usize::from(is_handed_on(fields));
    let of_spin = |name| {
        let values: Vec<&str> = values(fields, name).collect();
        values.into_iter().rev().nth(handed_on)
    };
    let address = of_spin(CLIENT_ADDRESS).filter(|it| is_quotable(it));
    let mut value = address.map_or_else(|| "for=unknown".to_owned(), |address| format!("for=\"{address}\""));
    if let Some((scheme, rest)) = of_spin(FULL_URL).and_then(|url| url.split_once("://")) {
        let host = rest.split('/').next().unwrap_or_default();
        if is_quotable(host) && ["http", "https"].contains(&scheme) {
            value.push_str(&format!(";host=\"{host}\";proto={scheme}"));
        }
    }
    value
}

/// Whether a text is that of an address or a host, and can stand between quotes as it is.
fn is_quotable(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|it| it.is_ascii_alphanumeric() || b".:[]-_~".contains(&it))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(lines: &[(&str, &str)]) -> Vec<Field> {
        lines.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
    }

    fn shown(fields: &[Field]) -> Vec<String> {
        fields.iter().map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value))).collect()
    }

    /// As Spin hands a request to a component.
    const OF_SPIN: [(&str, &str); 3] = [
        ("spin-path-info", "/auth/login"),
        ("spin-full-url", "http://api.example:8080/api/auth/login?x=1"),
        ("spin-client-addr", "203.0.113.7:50000"),
    ];

    #[test]
    fn a_request_keeps_its_headers_in_their_order_and_their_number() {
        let of_client =
            [("accept", "a"), ("x-two", "1"), ("authorization", "Bearer x"), ("x-two", "2"), ("content-length", "3")];
        let sent = shown(&to_origin(fields(&[&of_client[..], &OF_SPIN].concat())));
        let expected = [
            "accept: a",
            "x-two: 1",
            "authorization: Bearer x",
            "x-two: 2",
            "content-length: 3",
            "via: 1.1 renttracker-edge",
            "forwarded: for=\"203.0.113.7:50000\";host=\"api.example:8080\";proto=http",
        ];
        assert_eq!(sent, expected);
    }

    #[test]
    fn what_concerns_one_connection_goes_neither_way() {
        let lines = [
            ("connection", "keep-alive, X-Named"),
            ("connection", "x-also"),
            ("keep-alive", "timeout=5"),
            ("x-named", "1"),
            ("x-also", "2"),
            ("x-stays", "3"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("proxy-connection", "keep-alive"),
            ("proxy-authenticate", "Basic"),
            ("proxy-authorization", "Basic x"),
            ("http2-settings", "x"),
            ("host", "api.example"),
        ];
        assert_eq!(shown(&to_client(fields(&lines))), ["x-stays: 3", "via: 1.1 renttracker-edge"]);
        let sent = shown(&to_origin(fields(&lines)));
        assert_eq!(sent[..2], ["x-stays: 3", "via: 1.1 renttracker-edge"]);
        assert_eq!(sent.len(), 3);
    }

    #[test]
    fn each_intermediary_adds_a_line_of_its_own() {
        let before = [("via", "2 front"), ("forwarded", "for=198.51.100.1")];
        let sent = shown(&to_origin(fields(&[&before[..], &OF_SPIN].concat())));
        assert_eq!(sent[..3], ["via: 2 front", "forwarded: for=198.51.100.1", "via: 1.1 renttracker-edge"]);
        let answered = shown(&to_client(fields(&[("via", "1.1 behind"), ("set-cookie", "a"), ("set-cookie", "b")])));
        assert_eq!(answered, ["via: 1.1 behind", "set-cookie: a", "set-cookie: b", "via: 1.1 renttracker-edge"]);
    }

    fn forwarded_of(lines: &[(&str, &str)]) -> String {
        forwarded(&fields(lines))
    }

    #[test]
    fn a_client_cannot_say_who_it_is_in_spins_name() {
        let forged = [("spin-client-addr", "192.0.2.1:1"), ("spin-full-url", "https://forged.example/")];
        assert_eq!(forwarded_of(&[&forged[..], &OF_SPIN].concat()), forwarded_of(&OF_SPIN));
        let forged = [("spin-client-addr", "0.0.0.0:0")];
        assert!(!is_handed_on(&fields(&[&forged[..], &OF_SPIN].concat())));
    }

    #[test]
    fn who_asked_is_known_also_where_a_component_has_handed_on() {
        let of_chaining = [("spin-full-url", "http://localhost/api/paymentmethods"), ("spin-client-addr", "0.0.0.0:0")];
        let handed_on = [&OF_SPIN[..], &of_chaining].concat();
        assert!(is_handed_on(&fields(&handed_on)) && !is_handed_on(&fields(&OF_SPIN)));
        assert_eq!(forwarded_of(&handed_on), forwarded_of(&OF_SPIN));
    }

    #[test]
    fn what_is_not_known_is_not_told() {
        assert_eq!(forwarded_of(&[]), "for=unknown");
        assert_eq!(forwarded_of(&[("spin-client-addr", "a\";b")]), "for=unknown");
        let v6 = [("spin-client-addr", "[2001:db8::1]:9"), ("spin-full-url", "https://a.example")];
        assert_eq!(forwarded_of(&v6), "for=\"[2001:db8::1]:9\";host=\"a.example\";proto=https");
        assert_eq!(forwarded_of(&[("spin-full-url", "http://a\"b/")]), "for=unknown");
    }
}
