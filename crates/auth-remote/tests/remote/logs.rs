//! What shows in the log at its most talkative: nothing of tokens, secrets or answers.

use esoz_auth::{AccessTokens, Secret};
use esoz_auth_remote::{EsozTokens, IntrospectedTokens, IntrospectionSettings};

use crate::support::{Key, Log, Reply, TestServer, at, find, jwt, keys::published};

#[tokio::test]
async fn tokens_secrets_and_answers_are_not_logged() {
    let (log, _guard) = Log::capture();

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
    let logged = log.text();
    assert!(logged.contains("signing keys could not be fetched"), "{logged}");
    let (_, payload) = token.split_once('.').unwrap();
    for hidden in [token.as_str(), payload, "canary"] {
        assert!(!logged.contains(hidden), "{logged}");
    }
}
