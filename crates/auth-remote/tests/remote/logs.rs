//! What shows in the log at its most talkative: nothing of tokens, secrets or answers.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use esoz_auth::{AccessTokens, Secret};
use esoz_auth_remote::{EsozTokens, IntrospectedTokens, IntrospectionSettings};
use tracing::Level;

use crate::support::{Key, Reply, TestServer, at, find, jwt, keys::published};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn tokens_secrets_and_answers_are_not_logged() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(Level::TRACE).with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let key = Key::es256("canary-kid");
    let token = key.token();
    for reply in [
        published(&[&key]),
        published(&[]),
        Reply::ok(r#"{"active":true,"sub":"canary"}"#),
        Reply::ok("canary"),
        Reply::Json(503, "canary".to_owned()),
        Reply::Raw(b"canary".to_vec()),
    ] {
        let server = TestServer::start(reply).await;
        let introspection =
            IntrospectionSettings::new(at(&server, "/"), "canary-id", Secret::new("canary-secret"));
        let adapters: [Box<dyn AccessTokens>; 3] = [
            Box::new(jwt(&server).0),
            Box::new(IntrospectedTokens::try_new(&introspection).unwrap()),
            Box::new(EsozTokens::try_new(&at(&server, "/")).unwrap()),
        ];
        for tokens in &adapters {
            // Whatever comes of it.
            let _ = find(tokens.as_ref(), &token).await;
        }
    }
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("signing keys could not be fetched"), "{logged}");
    let (_, payload) = token.split_once('.').unwrap();
    for hidden in [token.as_str(), payload, "canary"] {
        assert!(!logged.contains(hidden), "{logged}");
    }
}
