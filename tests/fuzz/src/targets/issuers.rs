//! What the servers answer that are asked about tokens.

use std::sync::LazyLock;

use esoz_auth::{Secret, TokenFacts};
use esoz_auth_remote::{IntrospectedTokens, IntrospectionSettings, RemoteServer, fuzzing};
use esoz_kernel::StoreError;
use serde_json::Value;

use super::{Target, seeds};
use crate::json::is_uuid;
use crate::secrecy::assert_keeps_quiet;

/// See [`Target::about`].
pub(super) const ANSWERS: Target = Target {
    name: "token_answers",
    about: "the answers of an introspection endpoint (RFC 7662) and of the authorisation service of ESOZ",
    run,
    seeds: || {
        seeds([
            r#"{"active":false}"#,
            r#"{"active":true,"sub":"11111111-1111-4111-8111-111111111111","client_id":"22222222-2222-4222-8222-222222222222","exp":1800000060,"scope":"device_dispense:stop","token_type":"Bearer","aud":["esoz"]}"#,
            r#"{"active":true,"sub":"canary-7f3a","client_id":"canary-7f3a","exp":1e300,"cnf":null,"token_use":"refresh_token"}"#,
            r#"{"data":{"name":"access_token","user_id":"11111111-1111-4111-8111-111111111111","expires_at":"2026-01-31T08:15:30+02:00","details":{"client_id":"22222222-2222-4222-8222-222222222222","scope":"a b"}}}"#,
            r#"{"data":{"user_id":"canary-7f3a","expires_at":1800000060.5,"details":{"client_id":"canary-7f3a"}}}"#,
            "canary-7f3a",
        ])
    },
};

static INTROSPECTED: LazyLock<IntrospectedTokens> = LazyLock::new(|| {
    let server = RemoteServer::new("https://issuer.example/introspect");
    let settings = IntrospectionSettings::new(server, "esoz", Secret::new("canary-7f3a"));
    IntrospectedTokens::try_new(&settings).expect("good settings")
});

fn run(data: &[u8]) {
    let presented = Secret::new("presented-canary-7f3a");
    let introspected = INTROSPECTED.interpret_body(&presented, data);
    let body: Option<Value> = serde_json::from_slice(data).ok();
    let active = body.as_ref().and_then(|body| body.get("active")?.as_bool());
    if let Ok(Some(_)) = &introspected {
        // Nothing but a plain `true` is a yes.
        assert_eq!(active, Some(true));
    }
    if active == Some(false) && body.as_ref().is_some_and(is_plain) {
        assert!(matches!(introspected, Ok(None)), "a no is a no");
    }
    let (sub, client) = (text(body.as_ref(), "/sub"), text(body.as_ref(), "/client_id"));
    hold(&presented, introspected, &sub, &client);
    let (user, client) =
        (text(body.as_ref(), "/data/user_id"), text(body.as_ref(), "/data/details/client_id"));
    hold(&presented, fuzzing::esoz_verified(&presented, data), &user, &client);
}

/// An object that says `active` alone: nothing in it can be said twice.
fn is_plain(body: &Value) -> bool {
    body.as_object().is_some_and(|members| members.len() == 1)
}

fn text(body: Option<&Value>, pointer: &str) -> String {
    body.and_then(|body| body.pointer(pointer)?.as_str()).unwrap_or_default().to_ascii_lowercase()
}

fn hold(presented: &Secret, told: Result<Option<TokenFacts>, StoreError>, user: &str, client: &str) {
    match told {
        Ok(None) => {}
        Ok(Some(facts)) => {
            assert_eq!(facts.digest, presented.digest(), "about the token that was asked about");
            assert!(is_uuid(user) && is_uuid(client), "{user:?} {client:?}");
            assert_eq!(
                (facts.user_id.to_string(), facts.client_id.to_string()),
                (user.to_owned(), client.to_owned())
            );
            assert_keeps_quiet(&format!("{:?}", facts.digest));
        }
        Err(error) => assert_keeps_quiet(&format!("{} {error:?}", error.with_causes())),
    }
}
