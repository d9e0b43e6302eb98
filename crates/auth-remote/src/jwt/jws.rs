//! Parses the compact form of a signed token (RFC 7515). Nothing in it is trusted before the signature is verified.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use esoz_https::json;
use serde::Deserialize;

use crate::claims::is_present;

/// A parsed token whose signature is not verified yet.
pub(crate) struct Jws<'token> {
    pub(crate) header: Header,
    /// The signing input: header and payload, encoded.
    pub(crate) signed: &'token str,
    pub(crate) payload: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

/// The header of a token. Keys that it carries or points to (`jwk`, `jku`, `x5c`, `x5u`) are not read: keys come from the configured
/// URL alone.
#[derive(Deserialize)]
pub(crate) struct Header {
    pub(crate) alg: String,
    pub(crate) typ: Option<String>,
    pub(crate) kid: Option<String>,
    /// There are extensions that must be understood. None is.
    #[serde(default, deserialize_with = "is_present")]
    pub(crate) crit: bool,
}

impl<'token> Jws<'token> {
    /// Parses a token; `None` when it has another form.
    pub(crate) fn read(token: &'token str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        // The alphabet has no dot: a fourth part ends here.
        let decoded = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).ok();
        Some(Self {
            header: json::object(&decoded(header)?).ok()?,
            signed,
            payload: decoded(payload)?,
            signature: decoded(signature)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str) -> String {
        format!("{}.e30.c2ln", BASE64_URL_SAFE_NO_PAD.encode(header))
    }

    #[test]
    fn a_token_has_three_parts_in_base64url() {
        let text = token(r#"{"alg":"ES256","kid":"a"}"#);
        let jws = Jws::read(&text).unwrap();
        assert_eq!((jws.header.alg.as_str(), jws.header.kid.as_deref()), ("ES256", Some("a")));
        assert_eq!((jws.payload.as_slice(), jws.signature.as_slice()), (b"{}".as_slice(), b"sig".as_slice()));
        assert_eq!(jws.signed, text.strip_suffix(".c2ln").unwrap());
        for other in ["", "a", "a.b", "e30.e30.c2ln", ".e30.c2ln", "a.b.c.d", &format!("{text}.e30")] {
            assert!(Jws::read(other).is_none(), "{other}");
        }
        for spoiled in ["=", "+", "/", "%"] {
            assert!(Jws::read(&format!("{text}{spoiled}")).is_none(), "{spoiled}");
        }
    }

    #[test]
    fn a_header_that_says_a_thing_twice_is_refused() {
        assert!(Jws::read(&token(r#"{"alg":"ES256","alg":"none"}"#)).is_none());
    }

    #[test]
    fn crit_counts_whatever_it_holds() {
        for crit in ["null", "[]", r#"["exp"]"#, "1"] {
            let text = token(&format!(r#"{{"alg":"ES256","crit":{crit}}}"#));
            assert!(Jws::read(&text).unwrap().header.crit, "{crit}");
        }
    }
}
