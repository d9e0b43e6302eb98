use async_trait::async_trait;
use esoz_auth::{AccessTokens, Scope, Secret, TokenFacts, TokenKind};
use esoz_https::json::Object;
use esoz_https::{Answer, RemoteClient, RemoteServer, RequestError, SettingsError};
use esoz_kernel::{StoreError, Timestamp};
use hyper::{Request, StatusCode};
use serde::Deserialize;

use crate::{bearer, claims::NumericDate, error::RemoteError};

/// Looks up access tokens at the authorisation service of ESOZ, by `GET {url}/admin/tokens/{token}/verify`.
///
/// The service answers 200 with the token, or 401 or 404 for one that is not valid. `broker_scope` is ignored: the scope of the calling
/// software comes from its api key.
pub struct EsozTokens {
    server: RemoteClient,
    base: String,
}

#[derive(Deserialize)]
struct Body {
    data: Object<Token>,
}

#[derive(Deserialize)]
struct Token {
    /// The kind of the token, if the service states it.
    name: Option<String>,
    user_id: String,
    expires_at: Expiry,
    details: Object<Details>,
}

#[derive(Deserialize)]
struct Details {
    client_id: String,
    scope: Option<String>,
}

/// Services send either seconds since 1970, or ISO 8601 with an offset or `Z`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Expiry {
    Seconds(NumericDate),
    Text(String),
}

impl Expiry {
    fn timestamp(self) -> Option<Timestamp> {
        match self {
            Self::Seconds(NumericDate(timestamp)) => Some(timestamp),
            Self::Text(text) => text.parse().ok(),
        }
    }
}

impl EsozTokens {
    /// Creates the adapter. The URL of the settings ends before `/admin/tokens`.
    pub fn try_new(settings: &RemoteServer) -> Result<Self, SettingsError> {
        let server = RemoteClient::try_new(settings)?;
        if server.uri().query().is_some() {
            return Err(SettingsError::new("url", "must have no query"));
        }
        let base = format!("{}{}", server.name(), server.uri().path().trim_end_matches('/'));
        Ok(Self { server, base })
    }

    async fn look_up(&self, presented: &Secret) -> Result<Option<TokenFacts>, RemoteError> {
        let token = presented.expose();
        // Encoding leaves dots alone, and a segment `.` or `..` would change the path.
        if !bearer::is_well_formed(token) || matches!(token, "." | "..") {
            return Ok(None);
        }
        let segment: String = form_urlencoded::byte_serialize(token.as_bytes()).collect();
        let verify = Request::get(format!("{}/admin/tokens/{segment}/verify", self.base));
        let answer = self.server.send(verify, String::new()).await?;
        interpret(presented, &answer)
    }
}

/// Interprets the response about a token.
fn interpret(presented: &Secret, answer: &Answer) -> Result<Option<TokenFacts>, RemoteError> {
    match answer.status() {
        StatusCode::OK => facts(presented, answer).map(Some),
        StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND => Ok(None),
        status => Err(RequestError::status(status).into()),
    }
}

/// Interprets a response of the authorisation service of ESOZ with status 200 and that body.
#[cfg(feature = "fuzzing")]
pub fn interpret_body(presented: &Secret, body: &[u8]) -> Result<Option<TokenFacts>, StoreError> {
    interpret(presented, &Answer::new(StatusCode::OK, body)).map_err(|error| error.store_error("the service"))
}

fn facts(presented: &Secret, answer: &Answer) -> Result<TokenFacts, RemoteError> {
    let Body { data: Object(data) } = answer.read()?;
    let Object(details) = data.details;
    let is_access = data.name.is_none_or(|name| name == "access_token");
    Ok(TokenFacts {
        digest: presented.digest(),
        kind: if is_access { TokenKind::Access } else { TokenKind::Other },
        user_id: data
            .user_id
            .parse()
            .map_err(|_| RequestError::InvalidAnswer("has a user_id that is not a UUID"))?,
        client_id: (details.client_id.parse())
            .map_err(|_| RequestError::InvalidAnswer("has a client_id that is not a UUID"))?,
        scope: Scope::parse(details.scope.as_deref().unwrap_or_default()),
        expires_at: (data.expires_at.timestamp())
            .ok_or(RequestError::InvalidAnswer("has an expires_at that is no time in UTC"))?,
        is_revoked: false,
        is_user_blocked: false,
        is_client_blocked: false,
    })
}

#[async_trait]
impl AccessTokens for EsozTokens {
    async fn find(&self, presented: &Secret) -> Result<Option<TokenFacts>, StoreError> {
        self.look_up(presented).await.map_err(|error| error.store_error(self.server.name()))
    }
}
