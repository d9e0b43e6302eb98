use actix_web::http::header::{HeaderName, HeaderValue};

use super::*;

const OWN: &str = "http://127.0.0.1:8080/x";
const PROXY: &str = "10.0.0.1";

fn addressing() -> Addressing {
    let networks = ["10.0.0.0/8", "192.0.2.7/32", "2001:db8:1::/48"].map(|network| network.parse().unwrap());
    Addressing::direct(SocketAddr::from(([127, 0, 0, 1], 8080)), false).behind(networks.to_vec(), None)
}

fn origin(addressing: &Addressing, peer: &str, lines: &[(&str, &str)]) -> (String, String) {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers
            .append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    let origin = addressing.origin(Some(peer.parse().unwrap()), &headers, "/x");
    assert_eq!(origin.is_secure, origin.url.starts_with("https"));
    (origin.client.unwrap().to_string(), origin.url)
}

fn assert_client(peer: &str, lines: &[(&str, &str)], client: &str) {
    assert_eq!(origin(&addressing(), peer, lines).0, client, "{lines:?}");
}

#[test]
fn nobody_but_a_trusted_proxy_is_believed() {
    let lines = [
        ("x-forwarded-for", "203.0.113.9"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "other.example"),
    ];
    for stranger in ["203.0.113.1", "192.0.2.8", "::1", "2001:db8:2::1"] {
        assert_eq!(origin(&addressing(), stranger, &lines), (stranger.to_owned(), OWN.to_owned()));
        let standard = [("forwarded", "for=203.0.113.9;proto=https;host=other.example")];
        assert_eq!(origin(&addressing(), stranger, &standard), (stranger.to_owned(), OWN.to_owned()));
    }
    for proxy in [PROXY, "192.0.2.7", "2001:db8:1:2::3", "::ffff:10.1.2.3"] {
        let believed = ("203.0.113.9".to_owned(), "https://other.example/x".to_owned());
        assert_eq!(origin(&addressing(), proxy, &lines), believed);
    }
}

#[test]
fn the_client_is_the_rightmost_address_that_is_not_trusted() {
    for (list, client) in [
        ("203.0.113.9", "203.0.113.9"),
        ("198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("198.51.100.1,203.0.113.9 , 10.0.0.2,192.0.2.7", "203.0.113.9"),
        ("nonsense, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("203.0.113.9, nonsense, 10.0.0.2", "10.0.0.2"),
        ("\u{457}, 203.0.113.9", "203.0.113.9"),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("2001:db8::9", "2001:db8::9"),
        ("[2001:db8::9]:4711", "2001:db8::9"),
        ("[2001:db8::9]", "2001:db8::9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        // What the nearest proxy wrote is no address: the client is nobody known.
        ("203.0.113.9, nonsense", PROXY),
        ("203.0.113.9,", PROXY),
        ("203.0.113.9:port", PROXY),
        ("", PROXY),
    ] {
        assert_client(PROXY, &[("x-forwarded-for", list)], client);
    }
    assert_client(
        PROXY,
        &[("x-forwarded-for", "198.51.100.1"), ("x-forwarded-for", "203.0.113.9")],
        "203.0.113.9",
    );
    for (list, client) in [
        ("for=203.0.113.9", "203.0.113.9"),
        ("For=\"203.0.113.9:4711\";By=10.0.0.1 ; proto=http", "203.0.113.9"),
        ("for=\"[2001:db8::9]:4711\"", "2001:db8::9"),
        ("for=198.51.100.1, for=203.0.113.9, for=10.0.0.2", "203.0.113.9"),
        ("for=\"a, for=b; \\\" c\", for=203.0.113.9", "203.0.113.9"),
        ("for=203.0.113.9;x=\"a,b;c\"", "203.0.113.9"),
        ("for=203.0.113.9;x=\"a\\\\\", for=10.0.0.2", "203.0.113.9"),
        // What a stranger wrote before the proxy's element does not spoil it.
        ("nonsense, for=203.0.113.9", "203.0.113.9"),
        ("for=\"unclosed, for=203.0.113.9", "203.0.113.9"),
        ("for=\"unclosed, for=\"[2001:db8::9]\";x=\"\\\",\"", "2001:db8::9"),
        ("for=1.1.1.1;for=2.2.2.2, for=203.0.113.9, for=10.0.0.2", "203.0.113.9"),
        ("\u{457}, for=203.0.113.9", "203.0.113.9"),
        // Behind the last proxy that is known nobody is.
        ("for=203.0.113.9, nonsense, for=10.0.0.2", "10.0.0.2"),
        ("for=203.0.113.9, for=_hidden, for=10.0.0.2", "10.0.0.2"),
        ("for=203.0.113.9, for=1.1.1.1;x=a\"b", PROXY),
        ("for=203.0.113.9, for=1.1.1.1;x=\"a\\\"", PROXY),
        ("for=203.0.113.9, for=unknown", PROXY),
        ("for=203.0.113.9, for=_hidden", PROXY),
        ("for=\"203.0.113.9", PROXY),
        ("for=203.0.113.9;for=203.0.113.9", PROXY),
        ("for", PROXY),
    ] {
        assert_client(PROXY, &[("forwarded", list)], client);
    }
    assert_client(
        PROXY,
        &[("forwarded", "for=198.51.100.1"), ("forwarded", "for=203.0.113.9")],
        "203.0.113.9",
    );
}

#[test]
fn scheme_and_host_are_those_that_the_client_used() {
    for (lines, url) in [
        (vec![("x-forwarded-proto", "HTTPS")], "https://own.example/x"),
        (vec![("x-forwarded-proto", "gopher")], "http://own.example/x"),
        (vec![("x-forwarded-host", "esoz.example:8443")], "http://esoz.example:8443/x"),
        (vec![("x-forwarded-host", "a b")], "http://own.example/x"),
        (
            vec![("x-forwarded-for", "1.1.1.1, 10.0.0.2"), ("x-forwarded-proto", "https, http")],
            "https://own.example/x",
        ),
        (vec![("x-forwarded-for", "1.1.1.1"), ("x-forwarded-proto", "https, http")], "http://own.example/x"),
        (
            vec![("x-forwarded-for", "1.1.1.1"), ("x-forwarded-host", "evil.example, esoz.example")],
            "http://esoz.example/x",
        ),
        // The only value is the nearest proxy's, who served another proxy.
        (
            vec![
                ("x-forwarded-for", "1.1.1.1, 10.0.0.2"),
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "evil.example"),
            ],
            "http://own.example/x",
        ),
        (
            vec![("forwarded", "for=1.1.1.1;proto=https;host=\"esoz.example:8443\"")],
            "https://esoz.example:8443/x",
        ),
        (
            vec![("forwarded", "for=2.2.2.2;host=evil.example, for=1.1.1.1;host=esoz.example")],
            "http://esoz.example/x",
        ),
        (vec![("forwarded", "proto=https")], "https://own.example/x"),
        (vec![("forwarded", "proto=\"https, for=1.1.1.1;host=esoz.example")], "http://esoz.example/x"),
    ] {
        let lines = [lines, vec![("host", "own.example")]].concat();
        assert_eq!(origin(&addressing(), PROXY, &lines).1, url, "{lines:?}");
    }
}

#[test]
fn of_two_headers_that_contradict_each_other_neither_is_believed() {
    let both = |one, other| [("forwarded", one), ("x-forwarded-for", other)];
    assert_client(PROXY, &both("for=203.0.113.9", "203.0.113.9"), "203.0.113.9");
    assert_client(PROXY, &both("for=198.51.100.1", "203.0.113.9"), PROXY);
    assert_client(PROXY, &both("nonsense", "203.0.113.9"), PROXY);
    for (standard, scheme, host, url) in [
        ("for=1.1.1.1;proto=https;host=esoz.example", "https", "esoz.example", "https://esoz.example/x"),
        ("for=1.1.1.1;proto=https;host=evil.example", "https", "esoz.example", "https://own.example/x"),
        ("for=1.1.1.1;proto=http;host=esoz.example", "https", "esoz.example", "http://esoz.example/x"),
        ("for=1.1.1.1", "https", "evil.example", "http://own.example/x"),
        ("for=1.1.1.1;proto=https;host=evil.example", "", "", "http://own.example/x"),
        ("for=2.2.2.2;proto=https;host=esoz.example", "https", "esoz.example", "http://own.example/x"),
    ] {
        let lines = [
            ("host", "own.example"),
            ("forwarded", standard),
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-proto", scheme),
            ("x-forwarded-host", host),
        ];
        assert_eq!(origin(&addressing(), PROXY, &lines).1, url, "{lines:?}");
    }
}

#[test]
fn a_fixed_url_wins() {
    for (text, url) in [
        ("https://esoz.example", "https://esoz.example/x"),
        ("HTTPS://esoz.example/", "https://esoz.example/x"),
        ("http://esoz.example:8443/api/", "http://esoz.example:8443/api/x"),
    ] {
        let fixed = addressing().behind(vec!["10.0.0.0/8".parse().unwrap()], PublicUrl::parse(text));
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-host".parse().unwrap(), HeaderValue::from_static("other.example"));
        for peer in [PROXY, "203.0.113.1"] {
            let origin = fixed.origin(Some(peer.parse().unwrap()), &headers, "/x");
            assert_eq!((origin.url.as_str(), origin.is_secure), (url, url.starts_with("https")));
        }
    }
    for text in [
        "",
        "esoz.example",
        "ftp://esoz.example",
        "https://",
        "https://a b",
        "https://u@h",
        "https://h?q",
        "https://h/#f",
    ] {
        assert_eq!(PublicUrl::parse(text), None, "{text}");
    }
}

#[test]
fn a_host_is_its_own_unless_a_strangers_dns_can_lead_here() {
    let fixed = addressing().behind(Vec::new(), PublicUrl::parse("https://Esoz.example:8443/api"));
    for (host, is_own) in [
        ("127.0.0.1", true),
        ("192.0.2.1:8080", true),
        ("[::1]:8080", true),
        ("localhost", true),
        ("LocalHost:8080", true),
        ("esoz.example", true),
        ("esoz.example:1", true),
        ("evil.example", false),
        ("esoz.example.evil.example", false),
        ("127.0.0.1.evil.example", false),
        ("localhost.evil.example", false),
        ("127.0.0.1@evil.example", false),
        ("::1", false),
        ("", false),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static(host));
        headers.insert("x-forwarded-host".parse().unwrap(), HeaderValue::from_static("localhost"));
        assert_eq!(fixed.is_own_host(&headers), is_own, "{host}");
        assert_eq!(addressing().is_own_host(&headers), is_own && !host.starts_with("esoz"), "{host}");
    }
    assert!(!fixed.is_own_host(&HeaderMap::new()));
}
