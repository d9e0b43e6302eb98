use std::sync::Arc;

use esoz_device_dispense::PatientPseudonyms;
use esoz_https::{Answer, RemoteClient, RemoteServer, RequestError, SettingsError, not_empty};
use esoz_import::{ImportContext, PseudonymousLines, UnknownFields};
use esoz_kernel::{SecretString, StoreError, Timestamp, Uuid};
use esoz_signed_content::DrfoDigests;
use hyper::Request;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::http::request::Builder;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::answer;
use crate::error::LookupError;
use crate::kind::RegistryKind;

/// Looks up what a dispense rests on in registries that are kept elsewhere.
pub struct RemoteRegistries {
    server: Server,
    pub(crate) pseudonyms: Arc<dyn PatientPseudonyms>,
    drfo_digests: Arc<dyn DrfoDigests>,
}

/// The server of the registries.
struct Server {
    client: RemoteClient,
    base: String,
    authorization: Option<HeaderValue>,
}

impl Server {
    fn try_new(settings: &RemoteServer, token: Option<&SecretString>) -> Result<Self, SettingsError> {
        let client = RemoteClient::try_new(settings)?;
        if client.uri().query().is_some() {
            return Err(SettingsError::new("url", "must have no query"));
        }
        let base = format!("{}{}", client.name(), client.uri().path().trim_end_matches('/'));
        let authorization = token.map(bearer).transpose()?;
        Ok(Self { client, base, authorization })
    }

    async fn send(&self, request: Builder, body: String) -> Result<Answer, RequestError> {
        let request = match &self.authorization {
            Some(authorization) => request.header(AUTHORIZATION, authorization),
            None => request,
        };
        self.client.send(request, body).await
    }
}

impl RemoteRegistries {
    /// Creates the adapter without a request. The URL ends before the name of a registry. The token, if there is one, is sent as a bearer token.
    ///
    /// # Errors
    /// [`SettingsError`]
    pub fn try_new(
        settings: &RemoteServer,
        token: Option<&SecretString>,
        pseudonyms: Arc<dyn PatientPseudonyms>,
        drfo_digests: Arc<dyn DrfoDigests>,
    ) -> Result<Self, SettingsError> {
        Ok(Self { server: Server::try_new(settings, token)?, pseudonyms, drfo_digests })
    }

    /// Checks the settings and the token as [`RemoteRegistries::try_new`] does.
    ///
    /// # Errors
    /// [`SettingsError`]
    pub fn check(settings: &RemoteServer, token: Option<&SecretString>) -> Result<(), SettingsError> {
        Server::try_new(settings, token).map(drop)
    }

    /// Creates settings with the defaults: 3 s a request, 1 MiB a response, 64 concurrent requests, https only, the platform's authorities.
    pub fn settings(url: impl Into<String>) -> RemoteServer {
        RemoteServer { max_answer_bytes: 1_024 * 1_024, ..RemoteServer::new(url) }
    }

    /// Asks for the record with that id.
    pub(crate) async fn get(
        &self,
        kind: RegistryKind,
        id: Uuid,
    ) -> Result<Option<Map<String, Value>>, LookupError> {
        let request = Request::get(format!("{}/{kind}/{id}", self.server.base));
        answer::data(&self.server.send(request, String::new()).await?)
    }

    /// Asks for what the body describes.
    pub(crate) async fn search(
        &self,
        kind: RegistryKind,
        body: Map<String, Value>,
    ) -> Result<Option<Map<String, Value>>, LookupError> {
        let request = Request::post(format!("{}/{kind}/search", self.server.base))
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        answer::data(&self.server.send(request, Value::Object(body).to_string()).await?)
    }

    /// How records are read: whom they are about as a pseudonym, taxpayer numbers as digests.
    pub(crate) fn context(&self) -> ImportContext<'_> {
        ImportContext {
            // Only who wrote a record and when is read with it, and no fact is made of that.
            now: Timestamp::MIN,
            pseudonyms: &*self.pseudonyms,
            drfo_digests: &*self.drfo_digests,
            unknown_fields: UnknownFields::Refuse,
            pseudonymous_lines: PseudonymousLines::Accept,
        }
    }

    pub(crate) fn store_error(&self, error: LookupError, kind: RegistryKind) -> StoreError {
        error.store_error(self.server.client.name(), kind)
    }
}

/// The value of the header `Authorization`.
fn bearer(token: &SecretString) -> Result<HeaderValue, SettingsError> {
    not_empty("token", token.expose())?;
    let text = Zeroizing::new(format!("Bearer {}", token.expose()));
    let mut value = HeaderValue::try_from(text.as_str())
        .map_err(|_| SettingsError::new("token", "cannot be sent in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}
