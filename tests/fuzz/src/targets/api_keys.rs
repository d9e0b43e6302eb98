//! `Authorization` and `api-key`: what is presented to whoever tells callers apart.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::http::header::HeaderValue;
use actix_web::test::TestRequest;
use async_trait::async_trait;
use esoz_auth::{AccessTokens, ApiKeyFacts, ApiKeys, Scope, Secret, TokenFacts};
use esoz_kernel::{ClientId, StoreError, Uuid};

use super::{Target, seeds};
use crate::secrecy::assert_keeps_quiet;
use crate::service::Service;

/// See [`Target::about`].
pub(super) const CREDENTIALS: Target = Target {
    name: "credentials",
    about: "an `Authorization` header and, on the next line, an `api-key`: what is taken for a token and a key",
    run,
    seeds: || {
        seeds([
            "Bearer abc.def-ghi\nkey",
            "bearer   canary-7f3a  \n  canary-7f3a  ",
            "BEARER eyJ.eyJ.c2ln==\n",
            "Basic dXNlcjpwYXNz\nkey",
            "Bearer\nkey",
            "Bearer \t a b\nключ",
            "\n",
            " Bearer\u{a0}x\n\u{a0}",
        ])
    },
};

/// Remembers what was presented. Knows no token, and every key.
#[derive(Default)]
struct Presented {
    tokens: Mutex<Vec<Secret>>,
    keys: Mutex<Vec<Secret>>,
}

fn note(presented: &Mutex<Vec<Secret>>, secret: &Secret) {
    presented.lock().unwrap_or_else(PoisonError::into_inner).push(secret.clone());
}

fn taken(presented: &Mutex<Vec<Secret>>) -> Option<Secret> {
    let mut taken = std::mem::take(&mut *presented.lock().unwrap_or_else(PoisonError::into_inner));
    assert!(taken.len() <= 1, "asked once for each request");
    taken.pop()
}

#[async_trait]
impl AccessTokens for Presented {
    async fn find(&self, presented: &Secret) -> Result<Option<TokenFacts>, StoreError> {
        note(&self.tokens, presented);
        Ok(None)
    }
}

#[async_trait]
impl ApiKeys for Presented {
    async fn find(&self, presented: &Secret) -> Result<Option<ApiKeyFacts>, StoreError> {
        note(&self.keys, presented);
        Ok(Some(ApiKeyFacts {
            digest: presented.digest(),
            client_id: ClientId::new(Uuid::nil()),
            scope: Scope::default(),
            is_revoked: false,
            is_client_blocked: false,
        }))
    }
}

thread_local! {
    // Never dropped: what it is made of must not outlive what the framework keeps for the thread.
    static SERVICE: &'static RefCell<Option<(Service, Arc<Presented>)>> = Box::leak(Box::default());
}

fn run(data: &[u8]) {
    let mut lines = data.splitn(2, |byte| *byte == b'\n');
    let mut value = || lines.next().and_then(|line| HeaderValue::from_bytes(line).ok());
    let (Some(authorization), Some(api_key)) = (value(), value()) else { return };
    if authorization.len() + api_key.len() > 1_024 {
        return;
    }
    let request = TestRequest::put()
        .uri("/api/admin/contract_divisions/x")
        .insert_header(("authorization", authorization.clone()))
        .insert_header(("api-key", api_key.clone()));
    let (answer, token, key) = SERVICE.with(|service| {
        let mut service = service.borrow_mut();
        let (service, presented) = service.get_or_insert_with(|| {
            let presented = Arc::new(Presented::default());
            (Service::behind((presented.clone(), presented.clone())), presented)
        });
        (service.ask(request), taken(&presented.tokens), taken(&presented.keys))
    });
    assert_eq!(answer.status, 401);
    assert_keeps_quiet(&String::from_utf8_lossy(&answer.body));
    assert_keeps_quiet(&answer.log);
    for secret in [&token, &key].into_iter().flatten() {
        let text = secret.expose();
        assert!(!text.is_empty() && text.trim() == text, "{text:?} has space around it");
        assert_eq!(format!("{secret:?} {:?}", secret.digest()), "Secret(…) SecretDigest(…)");
    }

    // The key is the whole value.
    let whole = String::from_utf8_lossy(api_key.as_bytes()).trim().to_owned();
    assert_eq!(key.as_ref().map(Secret::expose), Some(whole.as_str()).filter(|whole| !whole.is_empty()));
    // Without a key nobody looks at the token.
    let expected = if key.is_some() { bearer(&authorization) } else { None };
    assert_eq!(token.as_ref().map(Secret::expose), expected.as_deref());
}

/// What is a token by RFC 6750 and RFC 9110, told in another way than the service tells it.
fn bearer(value: &HeaderValue) -> Option<String> {
    let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
    let mut chars = text.trim().chars();
    let is_bearer = "bearer"
        .chars()
        .all(|expected| chars.next().is_some_and(|found| found.to_ascii_lowercase() == expected));
    let is_apart = chars.next() == Some(' ');
    let token = chars.as_str().trim();
    (is_bearer && is_apart && !token.is_empty()).then(|| token.to_owned())
}
