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
use esoz_kernel::{Clock, StoreError, Timestamp};

use self::{jwk::KeySet, jwks::Jwks, jws::Jws, profile::Profile};
use crate::{SettingsError, bearer, http::Server};

pub use algorithm::Algorithm;
pub use settings::JwtSettings;

/// Verifies access tokens of the JWT profile (RFC 9068) against the signing keys that their issuer publishes (a JWKS, RFC
/// 7517).
///
/// No token is sent anywhere. A token does not show that its issuer has revoked it or blocked its user: it is accepted until it
/// expires, so the issuer's tokens should live for minutes. [`esoz_auth::ExternalAccessTokens`] adds the blocks of a local store.
pub struct JwtAccessTokens {
    profile: Profile,
    keys: Arc<Jwks>,
    clock: Arc<dyn Clock>,
}

impl JwtAccessTokens {
    /// Creates the adapter. The keys are fetched when the first token comes, or by [`JwtAccessTokens::ping`].
    pub fn try_new(settings: &JwtSettings, clock: Arc<dyn Clock>) -> Result<Self, SettingsError> {
        settings.check()?;
        let server = Server::try_new(&settings.server)?;
        Ok(Self {
            profile: Profile::new(settings),
            keys: Arc::new(Jwks::new(server, settings.key_ages(), Arc::clone(&clock))),
            clock,
        })
    }

    /// Checks that there are signing keys, and fetches them if that is due.
    ///
    /// # Errors
    /// [`StoreError`] when there are none, or only expired ones.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.keys.current(None).await.map(|_| ()).map_err(|error| error.store_error(self.keys.server_name()))
    }
}

#[async_trait]
impl AccessTokens for JwtAccessTokens {
    async fn find(&self, presented: &Secret) -> Result<Option<TokenFacts>, StoreError> {
        let token = presented.expose();
        let Some(jws) = bearer::is_well_formed(token).then(|| Jws::read(token)).flatten() else {
            return Ok(None);
        };
        let Some(algorithm) = self.profile.algorithm(&jws.header) else {
            return Ok(None);
        };
        let kid = jws.header.kid.as_deref();
        let keys = self.keys.current(kid).await;
        let keys = keys.map_err(|error| error.store_error(self.keys.server_name()))?;
        Ok(signed_facts(&self.profile, &keys, algorithm, presented, &jws, self.clock.now()))
    }
}

/// Returns the facts of a token that one of those keys has signed. An unsigned payload is not read.
fn signed_facts(
    profile: &Profile,
    keys: &KeySet,
    algorithm: Algorithm,
    presented: &Secret,
    jws: &Jws<'_>,
    now: Timestamp,
) -> Option<TokenFacts> {
    let key = keys.signer(jws.header.kid.as_deref(), algorithm)?;
    let signed = key.verifies(algorithm, jws.signed.as_bytes(), &jws.signature);
    if signed { profile.facts(presented, &jws.payload, now) } else { None }
}

/// For fuzz targets: the facts of a token as [`JwtAccessTokens`] would find them with those published keys, without a server.
#[cfg(feature = "fuzzing")]
pub(crate) fn facts_by(
    settings: &JwtSettings,
    published: &[u8],
    token: &str,
    now: Timestamp,
) -> Option<TokenFacts> {
    let presented = Secret::new(token);
    let jws = bearer::is_well_formed(token).then(|| Jws::read(token)).flatten()?;
    let profile = Profile::new(settings);
    let algorithm = profile.algorithm(&jws.header)?;
    let (keys, _) = crate::json::object::<jwk::Published>(published).ok()?.usable();
    signed_facts(&profile, &keys, algorithm, &presented, &jws, now)
}

/// For fuzz targets: of published keys, how many can be used and how many not; `None` when they are not published in this way.
#[cfg(feature = "fuzzing")]
pub(crate) fn usable_keys(published: &[u8]) -> Option<(usize, usize)> {
    let (keys, ignored) = crate::json::object::<jwk::Published>(published).ok()?.usable();
    Some((keys.len(), ignored))
}
