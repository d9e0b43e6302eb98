//! JWT access tokens (RFC 9068).

mod algorithm;
mod jwk;
mod jwks;
mod jws;
mod profile;
mod settings;

use std::sync::Arc;

use async_trait::async_trait;
use esoz_auth::{AccessTokens, Secret, TokenFacts};
use esoz_https::{RemoteClient, SettingsError};
use esoz_kernel::{Clock, StoreError, Timestamp};

use self::{jwk::KeySet, jwks::Jwks, jws::Jws};
use crate::bearer;

pub use algorithm::Algorithm;
pub use settings::JwtSettings;

/// Verifies access tokens of the JWT profile (RFC 9068) against the signing keys that their issuer publishes (a JWKS, RFC
/// 7517).
///
/// No token is sent anywhere. A token does not show that its issuer has revoked it or blocked its user: it is accepted until it
/// expires, so the issuer's tokens should live for minutes. [`esoz_auth::ExternalAccessTokens`] adds the blocks of a local store.
pub struct JwtAccessTokens {
    settings: JwtSettings,
    keys: Arc<Jwks>,
    clock: Arc<dyn Clock>,
}

impl JwtAccessTokens {
    /// Creates the adapter. The keys are fetched when the first token comes.
    pub fn try_new(settings: &JwtSettings, clock: Arc<dyn Clock>) -> Result<Self, SettingsError> {
        settings.check()?;
        let server = RemoteClient::try_new(&settings.server)?;
        Ok(Self {
            settings: settings.clone(),
            keys: Arc::new(Jwks::new(server, settings.clone(), Arc::clone(&clock))),
            clock,
        })
    }
}

#[async_trait]
impl AccessTokens for JwtAccessTokens {
    async fn find(&self, presented: &Secret) -> Result<Option<TokenFacts>, StoreError> {
        let Some((jws, algorithm)) = unverified(&self.settings, presented.expose()) else { return Ok(None) };
        let keys = self.keys.current(jws.header.kid.as_deref()).await;
        let keys = keys.map_err(|error| error.store_error(self.keys.server.name()))?;
        Ok(signed_facts(&self.settings, &keys, algorithm, presented, &jws, self.clock.now()))
    }
}

/// Parses a token that is accepted if its signature is good; `None` for any other.
fn unverified<'token>(settings: &JwtSettings, token: &'token str) -> Option<(Jws<'token>, Algorithm)> {
    let jws = bearer::is_well_formed(token).then(|| Jws::read(token)).flatten()?;
    let algorithm = settings.algorithm(&jws.header)?;
    Some((jws, algorithm))
}

/// Returns the facts of a token that one of those keys has signed. An unsigned payload is not read.
fn signed_facts(
    settings: &JwtSettings,
    keys: &KeySet,
    algorithm: Algorithm,
    presented: &Secret,
    jws: &Jws<'_>,
    now: Timestamp,
) -> Option<TokenFacts> {
    let key = keys.signer(jws.header.kid.as_deref(), algorithm)?;
    let signed = key.verifies(algorithm, jws.signed.as_bytes(), &jws.signature);
    if signed { settings.facts(presented, &jws.payload, now) } else { None }
}

/// Finds the facts of a token as [`JwtAccessTokens`] does if the issuer has published those keys.
#[cfg(feature = "fuzzing")]
pub fn facts_by(settings: &JwtSettings, published: &[u8], token: &str, now: Timestamp) -> Option<TokenFacts> {
    let (jws, algorithm) = unverified(settings, token)?;
    let (keys, _) = esoz_https::json::object::<jwk::Published>(published).ok()?.usable();
    signed_facts(settings, &keys, algorithm, &Secret::new(token), &jws, now)
}

/// Counts the published keys that can be used and those that cannot; `None` when it is no JWKS.
#[cfg(feature = "fuzzing")]
pub fn usable_keys(published: &[u8]) -> Option<(usize, usize)> {
    let (keys, ignored) = esoz_https::json::object::<jwk::Published>(published).ok()?.usable();
    Some((keys.0.len(), ignored))
}
