//! The rules for the header and the claims of a token (RFC 9068, section 4).

use std::time::Duration;

use esoz_auth::{Scope, Secret, TokenFacts, TokenKind};
use esoz_https::json;
use esoz_kernel::Timestamp;
use serde::Deserialize;

use super::{Algorithm, JwtSettings, jws::Header};
use crate::claims::{Audience, NumericDate, is_present};

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    exp: NumericDate,
    sub: String,
    client_id: String,
    nbf: Option<NumericDate>,
    iat: Option<NumericDate>,
    scope: Option<String>,
    /// The token is bound to a key whose possession this service does not check, so it must not pass for a bearer token.
    #[serde(default, deserialize_with = "is_present")]
    cnf: bool,
}

impl JwtSettings {
    /// The algorithm of a token with that header; `None` when it is not an access token that may be accepted. An id token,
    /// which the same keys sign, fails here by its type.
    pub(crate) fn algorithm(&self, header: &Header) -> Option<Algorithm> {
        let typ = header.typ.as_deref()?;
        let is_access_token =
            ["at+jwt", "application/at+jwt"].iter().any(|name| typ.eq_ignore_ascii_case(name));
        let algorithm = header.alg.parse().ok()?;
        (is_access_token && !header.crit && self.algorithms.contains(&algorithm)).then_some(algorithm)
    }

    /// The facts that a token's payload states, once its signature is known to be good. Whether it is expired is not
    /// decided here.
    pub(crate) fn facts(&self, presented: &Secret, payload: &[u8], now: Timestamp) -> Option<TokenFacts> {
        let claims: Claims = json::object(payload).ok()?;
        let latest = now.saturating_add(Duration::from_secs(self.leeway_s.into()));
        let has_begun = |date: Option<NumericDate>| date.is_none_or(|date| date.0 <= latest);
        let is_for_us = claims.iss == self.issuer
            && claims.aud.names(&self.audience)
            && has_begun(claims.nbf)
            && has_begun(claims.iat)
            && !claims.cnf;
        if !is_for_us {
            return None;
        }
        Some(TokenFacts {
            digest: presented.digest(),
            kind: TokenKind::Access,
            user_id: claims.sub.parse().ok()?,
            client_id: claims.client_id.parse().ok()?,
            scope: Scope::parse(claims.scope.as_deref().unwrap_or_default()),
            expires_at: claims.exp.0,
            is_revoked: false,
            is_user_blocked: false,
            is_client_blocked: false,
        })
    }
}
