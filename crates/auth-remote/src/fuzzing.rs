//! Ways in for fuzz targets: what reads the bytes of tokens and of issuers' answers, without the server that they come from. The public
//! way in goes over a socket, which a fuzzer cannot afford.

use esoz_auth::{Secret, TokenFacts};
use esoz_kernel::{StoreError, Timestamp};

use crate::{IntrospectedTokens, JwtSettings, esoz, jwt};

/// The facts of a token as [`crate::JwtAccessTokens`] would find them if the issuer had published those keys.
pub fn jwt_facts(
    settings: &JwtSettings,
    published: &[u8],
    token: &str,
    now: Timestamp,
) -> Option<TokenFacts> {
    jwt::facts_by(settings, published, token, now)
}

/// Of published keys, how many can be used and how many cannot; `None` when it is no JWKS.
pub fn usable_keys(published: &[u8]) -> Option<(usize, usize)> {
    jwt::usable_keys(published)
}

/// What an introspection endpoint says about a token when it answers 200 with that body.
///
/// # Errors
/// When the answer cannot be read.
pub fn introspected(
    tokens: &IntrospectedTokens,
    presented: &Secret,
    body: &[u8],
) -> Result<Option<TokenFacts>, StoreError> {
    tokens.interpret_body(presented, body)
}

/// What the authorisation service of ESOZ says about a token when it answers 200 with that body.
///
/// # Errors
/// When the answer cannot be read.
pub fn esoz_verified(presented: &Secret, body: &[u8]) -> Result<Option<TokenFacts>, StoreError> {
    esoz::interpret_body(presented, body)
}
