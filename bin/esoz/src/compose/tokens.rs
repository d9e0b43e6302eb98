//! Which access tokens are accepted.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use esoz_auth::{AccessTokens, ExternalAccessTokens, Secret};
use esoz_auth_remote::{
    EsozTokens, IntrospectedTokens, IntrospectionSettings, JwtAccessTokens, JwtSettings, RemoteServer,
};
use esoz_kernel::system::SystemClock;

use super::stores::Stores;
use crate::config::{Config, TokenSource, optional};

/// Builds the configured source of access tokens. Blocks of users and clients in our own store apply to tokens of a remote issuer too.
pub(super) fn access_tokens(config: &Config, stores: &Stores) -> Result<Arc<dyn AccessTokens>> {
    Ok(match issuer(config)? {
        None => stores.access_tokens.clone(),
        Some(issuer) => Arc::new(ExternalAccessTokens::new(issuer, stores.blocks.clone())),
    })
}

/// Builds the client of the configured issuer; none if tokens are in our own store. Opens no connection yet.
pub(super) fn issuer(config: &Config) -> Result<Option<Arc<dyn AccessTokens>>> {
    let auth = &config.sections.auth;
    let server = RemoteServer {
        timeout_ms: auth.timeout_ms,
        root_certificate_file: optional(&auth.root_certificate_file),
        ..RemoteServer::new(&auth.url)
    };
    Ok(Some(match config.token_source()? {
        TokenSource::Store => return Ok(None),
        TokenSource::Jwt => {
            let mut settings = JwtSettings::new(server, &auth.issuer, &auth.audience);
            if !auth.algorithms.is_empty() {
                let algorithms: Result<_, _> = auth.algorithms.iter().map(|name| name.parse()).collect();
                settings.algorithms = algorithms.context("`auth.algorithms`")?;
            }
            Arc::new(JwtAccessTokens::try_new(&settings, Arc::new(SystemClock)).context("section `auth`")?)
        }
        TokenSource::Introspection => {
            let secret = Secret::new(config.client_secret()?.expose());
            let mut settings = IntrospectionSettings::new(server, &auth.client_id, secret);
            settings.audience = optional(&auth.audience);
            Arc::new(IntrospectedTokens::try_new(&settings).context("section `auth`")?)
        }
        TokenSource::Esoz => Arc::new(EsozTokens::try_new(&server).context("section `auth`")?),
    }))
}
