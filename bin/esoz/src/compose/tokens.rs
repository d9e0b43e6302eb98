//! Whose access tokens are accepted.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use esoz_auth::{AccessTokens, IssuedElsewhere, Secret};
use esoz_auth_remote::{
    EsozTokens, IntrospectedTokens, IntrospectionSettings, JwtAccessTokens, JwtSettings, RemoteServer,
};
use esoz_kernel::system::SystemClock;

use super::stores::Stores;
use crate::config::{Config, TokenSource};

/// The configured source of access tokens. Those of another issuer are joined with the blocks of our own store.
pub(crate) fn access_tokens(config: &Config, stores: &Stores) -> Result<Arc<dyn AccessTokens>> {
    let auth = &config.sections.auth;
    let issuer: Arc<dyn AccessTokens> = match config.token_source()? {
        TokenSource::Store => return Ok(stores.access_tokens.clone()),
        TokenSource::Jwt => {
            let mut settings = JwtSettings::new(server(config), &auth.issuer, &auth.audience);
            if !auth.algorithms.is_empty() {
                let algorithms: Result<_, _> = auth.algorithms.iter().map(|name| name.parse()).collect();
                settings.algorithms = algorithms.context("`auth.algorithms`")?;
            }
            Arc::new(JwtAccessTokens::try_new(&settings, Arc::new(SystemClock)).context("section `auth`")?)
        }
        TokenSource::Introspection => {
            let secret = Secret::new(config.client_secret()?.expose());
            let mut settings = IntrospectionSettings::new(server(config), &auth.client_id, secret);
            settings.audience = (!auth.audience.is_empty()).then(|| auth.audience.clone());
            Arc::new(IntrospectedTokens::try_new(&settings).context("section `auth`")?)
        }
        TokenSource::Esoz => Arc::new(EsozTokens::try_new(&server(config)).context("section `auth`")?),
    };
    Ok(Arc::new(IssuedElsewhere::new(issuer, stores.blocks.clone())))
}

fn server(config: &Config) -> RemoteServer {
    let auth = &config.sections.auth;
    let root_certificate_file =
        (!auth.root_certificate_file.is_empty()).then(|| (&auth.root_certificate_file).into());
    RemoteServer { timeout_ms: auth.timeout_ms, root_certificate_file, ..RemoteServer::new(&auth.url) }
}
