//! The requested URL, as `meta.url` repeats it: always a URI, whatever was sent.

use std::fmt::Write as _;
use std::net::Ipv6Addr;

/// Builds the URL of scheme, host and path. Bytes that no URI may hold are percent-encoded in the path; an invalid host is replaced by the
/// server's own.
pub(crate) fn build(scheme: &str, host: Option<&str>, own_host: &str, path: &str) -> String {
    let host = host.filter(|host| is_host(host)).unwrap_or(own_host);
    append_path(format!("{scheme}://{host}"), path)
}

/// Appends a path. Bytes that no URI may hold are percent-encoded.
pub(crate) fn append_path(mut url: String, path: &str) -> String {
    let bytes = path.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        let is_encoded =
            || bytes.get(at + 1..at + 3).is_some_and(|code| code.iter().all(u8::is_ascii_hexdigit));
        if is_path(*byte) || (*byte == b'%' && is_encoded()) {
            url.push(char::from(*byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(url, "%{byte:02X}");
        }
    }
    url
}

/// Whether a path may hold the byte unencoded (RFC 3986, `pchar` and `/`).
pub(crate) const fn is_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/' | b':' | b'@')
        || matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=')
}

/// Whether the text is a name, an IPv4 address or an IPv6 address in brackets, with or without a port.
pub(crate) fn is_host(text: &str) -> bool {
    host_name(text).is_some()
}

/// The name or address of a [host](is_host), without brackets and port.
pub(crate) fn host_name(text: &str) -> Option<&str> {
    let in_brackets = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (name, port) = in_brackets.unwrap_or_else(|| text.split_at(text.find(':').unwrap_or(text.len())));
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    let is_name = match in_brackets {
        Some((address, _)) => address.parse::<Ipv6Addr>().is_ok(),
        None => !name.is_empty() && name.bytes().all(fits),
    };
    let is_port = port.is_empty()
        || port.strip_prefix(':').is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    (is_name && is_port).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_host(host: &str) -> String {
        build("http", Some(host), "own.example", "/")
    }

    #[test]
    fn what_is_a_uri_is_repeated_as_it_was_sent() {
        for path in ["/", "/api/patients/7c3d-x/y~z", "/..%2f..%2Fetc", "/a;b=c,d:e@f!$&'()*+"] {
            assert_eq!(
                build("https", Some("esoz.example"), "own", path),
                format!("https://esoz.example{path}")
            );
        }
        for host in ["esoz.example", "127.0.0.1:8080", "[::1]:8080", "[2001:db8::1]", "a_b-c.d:"] {
            assert_eq!(with_host(host), format!("http://{host}/"));
        }
    }

    #[test]
    fn what_stands_in_no_uri_is_encoded_or_left_out() {
        for (path, expected) in [
            ("/%", "/%25"),
            ("/%2", "/%252"),
            ("/%zz%41", "/%25zz%41"),
            ("/{a}|\"<>^`\\", "/%7Ba%7D%7C%22%3C%3E%5E%60%5C"),
            ("/ї", "/%D1%97"),
        ] {
            assert_eq!(build("https", None, "own", path), format!("https://own{expected}"));
        }
        for host in [
            "",
            ":80",
            "a b",
            "a/b",
            "user@host",
            "a:b",
            "a:1:2",
            "[::1",
            "[x]",
            "::1",
            "%41",
            "a?b",
            "a#b",
            "хост",
        ] {
            assert_eq!(with_host(host), "http://own.example/", "{host}");
        }
    }
}
