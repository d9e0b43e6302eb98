/// The maximum length of a token, in bytes: more than servers accept in a header.
const MAX_TOKEN_BYTES: usize = 8_192;

/// Whether the text has the syntax of a bearer token (RFC 6750, section 2.1). Other text is never sent to an issuer.
pub(crate) fn is_well_formed(token: &str) -> bool {
    let bare = token.trim_end_matches('=');
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    !bare.is_empty() && token.len() <= MAX_TOKEN_BYTES && bare.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_the_characters_of_a_bearer_token_alone() {
        for token in ["a", "AZaz09-._~+/", "a==", "eyJ.eyJ.c2ln"] {
            assert!(is_well_formed(token), "{token}");
        }
        for token in
            ["", "=", "==", "a=b", "a b", "a\r\nb", "a%2e", "a?b", "a#b", "a\u{0}", "токен", "a\u{fffd}"]
        {
            assert!(!is_well_formed(token), "{token}");
        }
        assert!(is_well_formed(&"a".repeat(MAX_TOKEN_BYTES)));
        assert!(!is_well_formed(&"a".repeat(MAX_TOKEN_BYTES + 1)));
    }
}
