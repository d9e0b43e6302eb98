//! What proxies say of the client: `Forwarded` (RFC 7239) and `X-Forwarded-For`, `-Proto` and `-Host`.
//!
//! Each proxy appends what it saw, so both are read from the right, as far as the first address that is not trusted. What stands left of it was
//! written by a stranger, and changes nothing, however malformed it is.

use std::net::{IpAddr, SocketAddr};

use actix_web::http::header::HeaderMap;

use crate::url;

/// What a proxy says of the client that it served.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Hop {
    pub(crate) client: Option<IpAddr>,
    pub(crate) scheme: Option<&'static str>,
    pub(crate) host: Option<String>,
}

/// Reads `Forwarded`; `None` when there is none.
pub(crate) fn standard(headers: &HeaderMap, trusts: impl Fn(IpAddr) -> bool) -> Option<Hop> {
    let list = joined(headers, "forwarded")?;
    let elements = rsplit_unquoted(&list, ',').into_iter().filter(|element| !element.trim().is_empty());
    Some(hop_of_client(elements.map_while(element), trusts))
}

/// Reads `X-Forwarded-For`, `-Proto` and `-Host`; `None` when there is none. Values at the same distance from the right are one proxy's: the
/// only value of a list is that of the nearest proxy, and says nothing of a client further away.
pub(crate) fn de_facto(headers: &HeaderMap, trusts: impl Fn(IpAddr) -> bool) -> Option<Hop> {
    let lists =
        ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"].map(|name| joined(headers, name));
    if lists.iter().all(Option::is_none) {
        return None;
    }
    let [clients, schemes, hosts] = lists.map(Option::unwrap_or_default);
    let [mut schemes, mut hosts] = [&schemes, &hosts].map(|list| list.rsplit(',').map(str::trim));
    let hops = clients.rsplit(',').map(|client| Hop {
        client: address(client.trim()),
        scheme: schemes.next().and_then(scheme),
        host: hosts.next().filter(|host| url::is_host(host)).map(str::to_owned),
    });
    Some(hop_of_client(hops, trusts))
}

/// Returns the first hop from the right whose client is not trusted. One without an address ends the search: its client is told by the last
/// address that is known.
fn hop_of_client(hops: impl Iterator<Item = Hop>, trusts: impl Fn(IpAddr) -> bool) -> Hop {
    let mut found = Hop::default();
    for hop in hops {
        let client = hop.client;
        found = Hop { client: client.or(found.client), ..hop };
        if client.is_none_or(|client| !trusts(client)) {
            break;
        }
    }
    found
}

/// A scheme that a URL of ours can have.
pub(crate) fn scheme(text: &str) -> Option<&'static str> {
    ["http", "https"].into_iter().find(|scheme| text.eq_ignore_ascii_case(scheme))
}

/// The lines of a header as one list; `None` when there is none. Bytes that are no text are replaced: a stranger may have written them beside
/// what a proxy appended.
fn joined(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines: Vec<_> = headers.get_all(name).map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
    (!lines.is_empty()).then(|| lines.join(","))
}

/// Parses an address with or without a port, an IPv6 address in brackets or not.
fn address(text: &str) -> Option<IpAddr> {
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse().map(IpAddr::V6).ok();
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip()).ok();
    text.parse().ok().or_else(with_port).or_else(in_brackets).map(|address: IpAddr| address.to_canonical())
}

/// Parses an element of `Forwarded`; `None` when it is malformed.
fn element(text: &str) -> Option<Hop> {
    let (mut node, mut proto, mut host) = (None, None, None);
    for pair in rsplit_unquoted(text, ';').into_iter().filter(|pair| !pair.trim().is_empty()) {
        let (name, value) = pair.trim().split_once('=')?;
        let value = unquoted(value)?;
        let place = match name.to_ascii_lowercase().as_str() {
            "for" => &mut node,
            "proto" => &mut proto,
            "host" => &mut host,
            _ => continue,
        };
        if place.replace(value).is_some() {
            return None;
        }
    }
    Some(Hop {
        // `unknown` and names that hide an address are none.
        client: node.as_deref().and_then(address),
        scheme: proto.as_deref().and_then(scheme),
        host: host.filter(|host| url::is_host(host)),
    })
}

/// Splits at a separator outside quoted strings, from the right: a quoted string on the left that does not end leaves the parts on the right
/// as they are.
fn rsplit_unquoted(text: &str, separator: char) -> Vec<&str> {
    let (mut is_quoted, mut rest, mut parts) = (false, text, Vec::new());
    for (at, character) in text.char_indices().rev() {
        if character == '"' && !(is_quoted && is_escaped(text, at)) {
            is_quoted = !is_quoted;
        } else if character == separator
            && !is_quoted
            && let Some((left, part)) = rest.split_at_checked(at)
        {
            parts.extend(part.strip_prefix(separator));
            rest = left;
        }
    }
    parts.push(rest);
    parts
}

/// Whether an odd number of backslashes stands before that place.
fn is_escaped(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    !(before.len() - before.trim_end_matches('\\').len()).is_multiple_of(2)
}

/// The value of a token or a quoted string; `None` when it is neither.
fn unquoted(value: &str) -> Option<String> {
    let Some(quoted) = value.strip_prefix('"') else {
        let is_token = !value.is_empty()
            && !value.contains(|character: char| character == '"' || character.is_whitespace());
        return is_token.then(|| value.to_owned());
    };
    let mut characters = quoted.strip_suffix('"')?.chars();
    let mut text = String::new();
    while let Some(character) = characters.next() {
        match character {
            '"' => return None,
            '\\' => text.push(characters.next()?),
            character => text.push(character),
        }
    }
    Some(text)
}
