use async_trait::async_trait;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use esoz_auth::{AccessTokens, Scope, Secret, TokenFacts, TokenKind};
use esoz_https::{Answer, RemoteClient, RemoteServer, RequestError, SettingsError, not_empty};
use esoz_kernel::StoreError;
use hyper::{
    Request, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::bearer;
use crate::claims::{Audience, NumericDate, is_present};
use crate::error::RemoteError;

/// Settings of the introspection endpoint and of this service's client there.
#[derive(Debug, Clone)]
pub struct IntrospectionSettings {
    /// The introspection endpoint.
    pub server: RemoteServer,
    /// The client id of this service at the server.
    pub client_id: String,
    /// The client secret.
    pub client_secret: Secret,
    /// The audience name of this service. If it is set, a token whose `aud` does not contain it is refused: it was issued for another
    /// service. If it is not, every active token of the server is accepted.
    pub audience: Option<String>,
}

impl IntrospectionSettings {
    /// Creates settings without an audience.
    pub fn new(server: RemoteServer, client_id: impl Into<String>, client_secret: Secret) -> Self {
        Self { server, client_id: client_id.into(), client_secret, audience: None }
    }
}

/// Looks up opaque access tokens at the introspection endpoint of their issuer (RFC 7662).
///
/// The response for an active token must hold `sub` and `client_id`, both UUIDs, and `exp`. A token without one is refused, since RFC 7662
/// leaves them to the server: it is good for other services, such as one of a machine without a user. A member of another type is an
/// error of the server. `token_type`, if present, must be `Bearer`.
pub struct IntrospectedTokens {
    server: RemoteClient,
    authorization: HeaderValue,
    audience: Option<String>,
}

#[derive(Deserialize)]
struct Activity {
    active: bool,
}

#[derive(Deserialize)]
struct ActiveToken {
    sub: Option<String>,
    client_id: Option<String>,
    exp: Option<NumericDate>,
    scope: Option<String>,
    token_type: Option<String>,
    token_use: Option<String>,
    aud: Option<Audience>,
    /// The token is bound to a key whose possession this service does not check.
    #[serde(default, deserialize_with = "is_present")]
    cnf: bool,
}

impl ActiveToken {
    /// The kind of the token. Servers mark a refresh token differently: in `token_type` or in `token_use`.
    fn kind(&self) -> TokenKind {
        let is_one_of = |text: &Option<String>, names: &[&str]| {
            text.as_ref().is_none_or(|text| names.iter().any(|name| text.eq_ignore_ascii_case(name)))
        };
        let is_bearer = is_one_of(&self.token_type, &["bearer", "access_token"]) && !self.cnf;
        let is_access = is_one_of(&self.token_use, &["access_token"]);
        if is_bearer && is_access { TokenKind::Access } else { TokenKind::Other }
    }
}

impl IntrospectedTokens {
    /// Creates the adapter without a request.
    pub fn try_new(settings: &IntrospectionSettings) -> Result<Self, SettingsError> {
        not_empty("client_id", &settings.client_id)?;
        not_empty("client_secret", settings.client_secret.expose())?;
        if let Some(audience) = &settings.audience {
            not_empty("audience", audience)?;
        }
        Ok(Self {
            server: RemoteClient::try_new(&settings.server)?,
            authorization: basic(&settings.client_id, &settings.client_secret)?,
            audience: settings.audience.clone(),
        })
    }

    async fn look_up(&self, presented: &Secret) -> Result<Option<TokenFacts>, RemoteError> {
        if !bearer::is_well_formed(presented.expose()) {
            return Ok(None);
        }
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("token", presented.expose())
            .append_pair("token_type_hint", "access_token")
            .finish();
        let request = Request::post(self.server.uri())
            .header(AUTHORIZATION, self.authorization.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answer = self.server.send(request, form).await?;
        self.interpret(presented, &answer)
    }

    /// Interprets the response about a token.
    fn interpret(&self, presented: &Secret, answer: &Answer) -> Result<Option<TokenFacts>, RemoteError> {
        if answer.status() != StatusCode::OK {
            return Err(RequestError::status(answer.status()).into());
        }
        if answer.read::<Activity>()?.active { self.facts(presented, answer) } else { Ok(None) }
    }

    /// Interprets a response with status 200 and that body, for fuzz targets.
    #[cfg(feature = "fuzzing")]
    pub fn interpret_body(&self, presented: &Secret, body: &[u8]) -> Result<Option<TokenFacts>, StoreError> {
        let outcome = self.interpret(presented, &Answer::new(StatusCode::OK, body));
        outcome.map_err(|error| error.store_error(self.server.name()))
    }

    fn facts(&self, presented: &Secret, answer: &Answer) -> Result<Option<TokenFacts>, RemoteError> {
        let token: ActiveToken = answer.read()?;
        if let Some(audience) = &self.audience
            && !token.aud.as_ref().is_some_and(|names| names.names(audience))
        {
            return Ok(None);
        }
        let user_id = token.sub.as_deref().and_then(|sub| sub.parse().ok());
        let client_id = token.client_id.as_deref().and_then(|id| id.parse().ok());
        let (Some(user_id), Some(client_id), Some(exp)) = (user_id, client_id, &token.exp) else {
            // The caller's fault or a server that is set up wrong: only an operator can tell.
            tracing::warn!(
                server = self.server.name(),
                "an active token was refused: the server must tell its `sub` and `client_id`, both UUIDs, and its `exp`"
            );
            return Ok(None);
        };
        Ok(Some(TokenFacts {
            digest: presented.digest(),
            kind: token.kind(),
            user_id,
            client_id,
            scope: Scope::parse(token.scope.as_deref().unwrap_or_default()),
            expires_at: exp.0,
            is_revoked: false,
            is_user_blocked: false,
            is_client_blocked: false,
        }))
    }
}

/// Renders the `Authorization` header; id and secret are form-encoded first (RFC 6749, section 2.3.1).
fn basic(client_id: &str, client_secret: &Secret) -> Result<HeaderValue, SettingsError> {
    let encoded =
        |text: &str| Zeroizing::new(form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>());
    let pair = Zeroizing::new(format!("{}:{}", *encoded(client_id), *encoded(client_secret.expose())));
    let text = Zeroizing::new(format!("Basic {}", *Zeroizing::new(BASE64_STANDARD.encode(&*pair))));
    let mut value = HeaderValue::try_from(text.as_str())
        .map_err(|_| SettingsError::new("client_secret", "cannot be sent in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[async_trait]
impl AccessTokens for IntrospectedTokens {
    async fn find(&self, presented: &Secret) -> Result<Option<TokenFacts>, StoreError> {
        self.look_up(presented).await.map_err(|error| error.store_error(self.server.name()))
    }
}
