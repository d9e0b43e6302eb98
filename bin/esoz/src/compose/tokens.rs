//! Which access tokens are accepted.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use esoz_auth::{AccessTokens, Blocks, ExternalAccessTokens, Secret};
use esoz_auth_remote::{
    Algorithm, EsozTokens, IntrospectedTokens, IntrospectionSettings, JwtAccessTokens, JwtSettings,
    RemoteServer,
};
use esoz_kernel::StoreError;
use esoz_kernel::system::SystemClock;

use crate::config::{Config, TokenSource, optional};

/// What health checks ask an issuer about; whoever reads the issuer's log finds it there.
const UNKNOWN_TOKEN: &str = "esoz-health-check";

/// The remote issuer of access tokens.
pub(crate) struct TokenIssuer {
    tokens: Arc<dyn AccessTokens>,
    /// A token that it has not issued.
    unknown: Secret,
}

impl TokenIssuer {
    /// Asks about a token that the issuer has not issued, as about any other: a key set that is still good is not fetched.
    ///
    /// # Errors
    /// When every request would fail, since the issuer cannot be asked.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        self.tokens.find(&self.unknown).await.map(drop)
    }

    /// Its tokens, to which our own blocks of users and clients apply too.
    pub(super) fn access_tokens(&self, blocks: Arc<dyn Blocks>) -> Arc<dyn AccessTokens> {
        Arc::new(ExternalAccessTokens::new(self.tokens.clone(), blocks))
    }
}

/// Builds the client of the configured issuer; none if tokens are in our own store. Opens no connection yet.
pub(crate) fn issuer(config: &Config) -> Result<Option<TokenIssuer>> {
    let auth = &config.sections.auth;
    let server = RemoteServer {
        timeout_ms: auth.timeout_ms,
        root_certificate_file: optional(&auth.root_certificate_file),
        proxies: config.proxies.clone(),
        ..RemoteServer::new(&auth.url)
    };
    let mut unknown = Secret::new(UNKNOWN_TOKEN);
    let tokens: Arc<dyn AccessTokens> = match config.token_source()? {
        TokenSource::Store => return Ok(None),
        TokenSource::Jwt => {
            let mut settings = JwtSettings::new(server, &auth.issuer, &auth.audience);
            if !auth.algorithms.is_empty() {
                let algorithms: Result<_, _> = auth.algorithms.iter().map(|name| name.parse()).collect();
                settings.algorithms = algorithms.context("`auth.algorithms`")?;
            }
            // Well-formed, or the keys would not be looked at.
            let algorithm = settings.algorithms.first().copied().unwrap_or(Algorithm::Rs256);
            let header = format!(r#"{{"typ":"at+jwt","alg":"{algorithm}"}}"#);
            unknown = Secret::new(format!("{}.e30.e30", BASE64_URL_SAFE_NO_PAD.encode(header)));
            Arc::new(JwtAccessTokens::try_new(&settings, Arc::new(SystemClock)).context("section `auth`")?)
        }
        TokenSource::Introspection => {
            let secret = Secret::new(config.client_secret()?.expose());
            let mut settings = IntrospectionSettings::new(server, &auth.client_id, secret);
            settings.audience = optional(&auth.audience);
            Arc::new(IntrospectedTokens::try_new(&settings).context("section `auth`")?)
        }
        TokenSource::Esoz => Arc::new(EsozTokens::try_new(&server).context("section `auth`")?),
    };
    Ok(Some(TokenIssuer { tokens, unknown }))
}
