//! The scope of a new credential.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use esoz_auth::{Allowance, CallerKind, OperationInfo, Scope};

/// The scopes that some operation of this server asks for.
pub(super) struct KnownScopes {
    credential: &'static str,
    scopes: BTreeSet<Allowance>,
}

impl KnownScopes {
    /// The scopes that an access token is asked for.
    pub(super) fn of_tokens() -> Self {
        Self::of("a token", |_| true)
    }

    /// The scopes that an api key is asked for.
    pub(super) fn of_api_keys() -> Self {
        Self::of("an api key", |operation| operation.caller == CallerKind::UserWithApiKey)
    }

    fn of(credential: &'static str, asks: fn(&OperationInfo) -> bool) -> Self {
        let operations = esoz_http::operations().into_iter().filter(asks);
        Self { credential, scopes: operations.map(|operation| operation.scope).collect() }
    }

    /// Parses the scope of a new credential. Other white space than a space between two scopes, or a comma, would make a credential that
    /// grants neither. Warns of scopes that no operation asks for: they may be misspelt, or meant for another server.
    ///
    /// # Errors
    /// When it is empty or malformed.
    pub(super) fn parse(&self, text: &str) -> Result<Scope> {
        let scope = Scope::parse(text);
        ensure!(
            scope != Scope::default() && Scope::is_well_formed(text) && !text.contains(','),
            "`--scope` must be one or more scopes, separated by a space (U+0020); this server asks {} for {}",
            self.credential,
            self.scopes.iter().copied().collect::<Vec<_>>().join(", ")
        );
        for (unknown, nearest) in self.unknown(&scope) {
            let credential = self.credential;
            tracing::warn!(
                "no operation of this server asks {credential} for the scope {unknown:?}; the nearest one is {nearest}"
            );
        }
        Ok(scope)
    }

    /// Lists the scopes that no operation asks for, each with the nearest one that some operation asks for.
    fn unknown<'a>(&self, scope: &'a Scope) -> Vec<(&'a str, Allowance)> {
        let nearest = |unknown: &'a str| {
            let distance = |known: &&Allowance| strsim::damerau_levenshtein(known, unknown);
            self.scopes.iter().min_by_key(distance).map(|known| (unknown, *known))
        };
        scope.allowances().filter(|allowance| !self.scopes.contains(*allowance)).filter_map(nearest).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_that_would_grant_less_than_it_seems_to_is_refused() {
        let known = KnownScopes::of_tokens();
        assert!(known.parse("a:read  b:write").unwrap().allows("b:write"));
        for text in [
            "a:read\tb:write",
            "a:read\nb:write",
            "a:read\n",
            "a:read\u{a0}b:write",
            "a:read\u{2003}b:write",
            "\u{85}a:read",
            "a:read,b:write",
            "",
            "  ",
        ] {
            let refusal = known.parse(text).unwrap_err().to_string();
            assert!(refusal.contains("device_dispense:read, device_dispense:stop"), "{text:?}: {refusal}");
        }
        let refusal = KnownScopes::of_api_keys().parse("").unwrap_err().to_string();
        assert!(refusal.contains("private_contracts:write") && !refusal.contains("dispense"), "{refusal}");
    }

    #[test]
    fn a_scope_that_no_operation_asks_for_has_a_nearest_one() {
        let (of_tokens, of_api_keys) = (KnownScopes::of_tokens(), KnownScopes::of_api_keys());
        for operation in esoz_http::operations() {
            assert_eq!(of_tokens.unknown(&Scope::parse(operation.scope)), [], "{}", operation.name);
        }
        for (known, scope, expected) in [
            (&of_tokens, "device_dispense:stpo", vec![("device_dispense:stpo", "device_dispense:stop")]),
            (
                &of_tokens,
                "DEVICE_DISPENSE:READ event:red",
                vec![("DEVICE_DISPENSE:READ", "device_dispense:read"), ("event:red", "event:read")],
            ),
            (&of_api_keys, "private_contracts:write", vec![]),
            (
                &of_api_keys,
                "private_contract:read",
                vec![("private_contract:read", "private_contracts:read")],
            ),
        ] {
            assert_eq!(known.unknown(&Scope::parse(scope)), expected, "{scope}");
        }
        // An api key is not asked for what its holder's token is asked for alone.
        assert_eq!(of_api_keys.unknown(&Scope::parse("device_dispense:stop")).len(), 1);
    }
}
