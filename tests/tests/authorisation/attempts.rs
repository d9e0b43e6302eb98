//! What somebody may present who must not get through.

use esoz_auth::{NewAccessToken, Scope, Secret, TokenKind};
use esoz_kernel::UserId;
use esoz_testkit::builders::{client, secret, user};
use esoz_tests::{Answer, Request, TestApp};
use serde_json::json;

/// One way of not being allowed, tried on a thing that is there and in the same way on one that is not.
pub(crate) struct Attempt {
    /// It in words.
    pub(crate) what: &'static str,
    /// What is presented.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// The path of the thing that is there.
    pub(crate) there: String,
    /// The path of one that is not.
    pub(crate) not_there: String,
    /// The answer that both get.
    pub(crate) refusal: Refusal,
    /// Whether it is refused whatever the body is.
    pub(crate) before_body: bool,
}

/// What somebody is answered who may not.
#[derive(Clone)]
pub(crate) enum Refusal {
    /// An error: its status, type and message.
    Error(u16, &'static str, String),
    /// The refusal of a rule: the entry of the body that it is about, and its text.
    Entry(&'static str, &'static str),
    /// A list without entries.
    EmptyList,
}

impl Refusal {
    /// Holds an answer against it.
    #[track_caller]
    pub(crate) fn assert_is(&self, answer: &Answer, what: &str) {
        match self {
            Self::Error(code, kind, message) => {
                assert_eq!(answer.status, *code, "{what}");
                answer.assert_error(*code, kind, message);
            }
            Self::Entry(entry, text) => {
                assert_eq!(answer.status, 422, "{what}");
                answer.assert_refused(&[(entry, text)]);
            }
            Self::EmptyList => {
                assert_eq!(answer.status, 200, "{what}");
                let paging = json!({"page": 1, "page_size": 50, "total_entries": 0, "total_pages": 1});
                answer.assert_list(&[], &paging);
            }
        }
    }
}

/// The refusal of a scope that lacks the allowance.
pub(crate) fn forbidden(allowance: &str) -> Refusal {
    let message = "Your scope does not allow to access this resource. Missing allowances:";
    Refusal::Error(403, "forbidden", format!("{message} {allowance}"))
}

/// The refusal of what proves nothing.
pub(crate) fn unauthenticated(message: &str) -> Refusal {
    Refusal::Error(401, "access_denied", message.to_owned())
}

impl Attempt {
    /// The request with what is presented.
    pub(crate) fn presented(&self, request: Request) -> Request {
        self.headers.iter().fold(request, |request, (name, value)| request.header(name, value))
    }
}

/// The value of the header `Authorization` that holds that token.
pub(crate) fn bearer(token: &Secret) -> String {
    format!("Bearer {}", token.expose())
}

const NO_TOKEN: &str = "Authorization header is not set or doesn't contain Bearer token";
const INVALID_TOKEN: &str = "Invalid access token";

/// Every `Authorization` that proves nothing: what it is, itself if it is there at all, and the message that refuses it. `like` is a token
/// with which nothing would be wrong; those that are stored are stored beside it.
pub(crate) async fn worthless_tokens(
    app: &TestApp,
    like: &NewAccessToken,
    api_key: &Secret,
) -> Vec<(&'static str, Option<String>, &'static str)> {
    let credentials = &app.stores.credentials;
    let add = async |change: &dyn Fn(&mut NewAccessToken)| {
        let token = secret();
        // A user of its own, so that blocking one blocks no other.
        let mut stored = NewAccessToken { digest: token.digest(), user_id: user(), ..like.clone() };
        change(&mut stored);
        credentials.add_token(&stored).await.unwrap();
        bearer(&token)
    };
    let expired = add(&|token| token.expires_at = app.in_seconds(0)).await;
    let long_expired = add(&|token| token.expires_at = app.in_seconds(-86_400)).await;
    let other_kind = add(&|token| token.kind = TokenKind::Other).await;
    let blocked_user: UserId = user();
    let of_blocked_user = add(&|token| token.user_id = blocked_user).await;
    credentials.set_user_blocked(blocked_user, true).await.unwrap();
    let blocked_client = client();
    let of_blocked_client = add(&|token| token.client_id = blocked_client).await;
    credentials.set_client_blocked(blocked_client, true).await.unwrap();
    let revoked = secret();
    credentials.add_token(&NewAccessToken { digest: revoked.digest(), ..like.clone() }).await.unwrap();
    assert!(credentials.revoke_token(&revoked.digest(), app.in_seconds(0)).await.unwrap());
    let valid = bearer(&{
        let token = secret();
        credentials.add_token(&NewAccessToken { digest: token.digest(), ..like.clone() }).await.unwrap();
        token
    });
    vec![
        ("no token", None, NO_TOKEN),
        ("nothing after the scheme", Some("Bearer ".to_owned()), NO_TOKEN),
        ("another scheme", Some(valid.replacen("Bearer", "Basic", 1)), NO_TOKEN),
        ("no scheme", Some(valid.replacen("Bearer ", "", 1)), NO_TOKEN),
        ("an unknown token", Some(bearer(&secret())), INVALID_TOKEN),
        ("a valid token and more", Some(format!("{valid}x")), INVALID_TOKEN),
        ("most of a valid token", Some(valid[..valid.len() - 1].to_owned()), INVALID_TOKEN),
        ("a valid token in upper case", Some(valid.to_uppercase()), INVALID_TOKEN),
        ("the digest of a token", Some(digest_of(&revoked)), INVALID_TOKEN),
        ("words", Some("Bearer mal formed, m\u{e4}lformed".to_owned()), INVALID_TOKEN),
        ("SQL", Some("Bearer ' OR '1'='1".to_owned()), INVALID_TOKEN),
        (
            "a JWT without signature",
            Some("Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.".to_owned()),
            INVALID_TOKEN,
        ),
        ("ten thousand characters", Some(format!("Bearer {}", "x".repeat(10_000))), INVALID_TOKEN),
        ("an api key", Some(bearer(api_key)), INVALID_TOKEN),
        ("a token expired this second", Some(expired), INVALID_TOKEN),
        ("a token expired yesterday", Some(long_expired), INVALID_TOKEN),
        ("a token of another kind", Some(other_kind), INVALID_TOKEN),
        ("a revoked token", Some(bearer(&revoked)), INVALID_TOKEN),
        ("a token of a blocked user", Some(of_blocked_user), INVALID_TOKEN),
        ("a token of a blocked client", Some(of_blocked_client), INVALID_TOKEN),
    ]
}

fn digest_of(token: &Secret) -> String {
    let digits: Vec<String> = token.digest().bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("Bearer {}", digits.concat())
}

/// Scopes that lack an allowance, whatever else they hold.
pub(crate) fn scopes_without(allowance: &str) -> Vec<(&'static str, Scope)> {
    let all = "device_dispense:stop device_dispense:write device_dispense:complete device_dispense:mark_in_error \
               private_contracts:write device_dispense:read private_contracts:read event:read";
    let others: Vec<&str> = all.split(' ').filter(|other| *other != allowance).collect();
    let (resource, action) = allowance.split_once(':').unwrap();
    vec![
        ("an empty scope", Scope::default()),
        ("the scope of every other method", Scope::parse(&others.join(" "))),
        ("a scope that begins like it", Scope::parse(&format!("{allowance}s {resource} {resource}:"))),
        ("a scope that ends like it", Scope::parse(&format!("x{allowance} {action} :{action}"))),
        ("a scope with wildcards", Scope::parse(&format!("* *:* {resource}:* *:{action}"))),
        ("a scope in upper case", Scope::parse(&allowance.to_uppercase())),
        ("a scope with commas", Scope::parse(&format!("{allowance},{allowance}"))),
    ]
}
