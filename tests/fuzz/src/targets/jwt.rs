//! Tokens that carry their facts, and the keys that sign them.

use std::sync::LazyLock;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use esoz_auth::TokenFacts;
use esoz_auth_remote::{Algorithm, JwtSettings, RemoteServer, fuzzing};
use esoz_kernel::Timestamp;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::Target;
use crate::json::{Members, is_uuid};

/// See [`Target::about`].
pub(super) const JWT: Target = Target {
    name: "jwt",
    about: "a token as it comes, and a header and a payload that are signed with the right key: who gets in, by a model",
    run,
    seeds,
};

/// See [`Target::about`].
pub(super) const JWKS: Target = Target {
    name: "jwks",
    about: "published signing keys: those that can be used, and no token is good that none of them has signed",
    run: jwks,
    seeds: || {
        vec![
            KEYS.published.to_string().into_bytes(),
            OTHER_KEYS.as_bytes().to_vec(),
            b"{\"keys\":[]}".to_vec(),
        ]
    },
};

/// Keys of other kinds, from the examples of RFC 7517 and RFC 8037.
const OTHER_KEYS: &str = r#"{"keys":[
{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"enc","kid":"1"},
{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","key_ops":["verify"],"kid":"2"},
{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}]}"#;

const NOW: i64 = 1_800_000_000;

/// An issuer's key, and how it is published.
struct Keys {
    pair: Ed25519KeyPair,
    published: Value,
    settings: JwtSettings,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a seed of 32 bytes");
    let x = BASE64_URL_SAFE_NO_PAD.encode(pair.public_key());
    let published = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "a", "use": "sig", "x": x}]});
    let server = RemoteServer::new("https://issuer.example/keys");
    let settings = JwtSettings {
        algorithms: Algorithm::ALL.to_vec(),
        ..JwtSettings::new(server, "https://issuer.example", "esoz")
    };
    Keys { pair, published, settings }
});

impl Keys {
    fn token(&self, header: &[u8], payload: &[u8]) -> String {
        let encoded = |part: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(part);
        let signed = format!("{}.{}", encoded(header), encoded(payload));
        let signature = encoded(self.pair.sign(signed.as_bytes()).as_ref());
        format!("{signed}.{signature}")
    }

    fn facts(&self, token: &str) -> Option<TokenFacts> {
        let now = Timestamp::from_second(NOW).expect("a time");
        fuzzing::jwt_facts(&self.settings, self.published.to_string().as_bytes(), token, now)
    }
}

/// Written out: the order in which a JSON value is rendered depends on what else is built, and what was signed is kept with the inputs.
const HEADER: &str = r#"{"alg":"EdDSA","kid":"a","typ":"at+jwt"}"#;
const CLAIMS: &str = r#"{"aud":"esoz","client_id":"22222222-2222-4222-8222-222222222222","exp":1800000060,"iat":1800000000,"iss":"https://issuer.example","nbf":1799999998.5,"scope":"device_dispense:stop","sub":"11111111-1111-4111-8111-111111111111"}"#;

/// The one token that may be good as it comes: a fuzzer cannot sign another.
fn good() -> String {
    KEYS.token(HEADER.as_bytes(), CLAIMS.as_bytes())
}

fn claims() -> Value {
    serde_json::from_str(CLAIMS).expect("JSON")
}

fn run(data: &[u8]) {
    // The first byte says which of the two.
    let Some((kind, data)) = data.split_first() else { return };
    if *kind == b't' {
        let Ok(token) = str::from_utf8(data) else { return };
        let is_signed =
            || token.rsplit_once('.').is_some_and(|(signed, _)| good().starts_with(&format!("{signed}.")));
        assert!(KEYS.facts(token).is_none() || is_signed(), "taken, but never signed: {token}");
    } else {
        let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
        let (header, payload) = (&data[..end], data.get(end + 1..).unwrap_or_default());
        let token = KEYS.token(header, payload);
        let expected = if may_open(header) { stated(payload) } else { None };
        let facts = KEYS.facts(&token).filter(|_| token.len() <= 8_192);
        let found = facts.map(|facts| (facts.user_id.to_string(), facts.client_id.to_string()));
        assert_eq!(found, expected);
    }
}

/// Whether a token with that header may be an access token of ours (RFC 9068, section 4).
fn may_open(header: &[u8]) -> bool {
    let Ok(header) = serde_json::from_slice::<Members>(header) else { return false };
    let only = |name: &str| match header.of(name).as_slice() {
        [Value::String(text)] => Some(text.clone()),
        _ => None,
    };
    let typ = only("typ").map(|typ| typ.to_ascii_lowercase());
    let kid = header.of("kid");
    typ.is_some_and(|typ| typ == "at+jwt" || typ == "application/at+jwt")
        && only("alg").as_deref() == Some("EdDSA")
        && (kid.is_empty() || kid == [&Value::Null] || only("kid").as_deref() == Some("a"))
        && header.of("crit").is_empty()
}

/// User and client of a payload that opens something.
fn stated(payload: &[u8]) -> Option<(String, String)> {
    let claims = serde_json::from_slice::<Members>(payload).ok()?;
    let once = |name: &str| match claims.of(name).as_slice() {
        [value] => Some((*value).clone()),
        _ => None,
    };
    let text = |name: &str| once(name).and_then(|value| value.as_str().map(str::to_owned));
    let is_for_us = match once("aud")? {
        Value::String(name) => name == "esoz",
        Value::Array(names) => names.iter().all(Value::is_string) && names.iter().any(|name| name == "esoz"),
        _ => false,
    };
    let optional = |name: &str, fits: &dyn Fn(&Value) -> bool| match claims.of(name).as_slice() {
        [] => true,
        [value] => value.is_null() || fits(value),
        _ => false,
    };
    let has_begun = |value: &Value| seconds(value).is_some_and(|at| at <= 1_800_000_005.0);
    let is_good = text("iss")? == "https://issuer.example"
        && is_for_us
        && once("exp").is_some_and(|exp| seconds(&exp).is_some())
        && optional("nbf", &has_begun)
        && optional("iat", &has_begun)
        && optional("scope", &Value::is_string)
        && claims.of("cnf").is_empty();
    let (user, client) = (text("sub")?, text("client_id")?);
    (is_good && is_uuid(&user) && is_uuid(&client))
        .then(|| (user.to_ascii_lowercase(), client.to_ascii_lowercase()))
}

/// Seconds since 1970 that are a time.
#[expect(
    clippy::cast_precision_loss,
    clippy::as_conversions,
    reason = "a bound is compared with, far from where it matters"
)]
fn seconds(value: &Value) -> Option<f64> {
    let seconds = value.as_f64()?;
    let (least, most) = (Timestamp::MIN.as_second() as f64, Timestamp::MAX.as_second() as f64 + 1.0);
    (least..most).contains(&seconds).then_some(seconds)
}

fn jwks(data: &[u8]) {
    let published = serde_json::from_slice::<Members>(data).ok();
    let listed = published.as_ref().and_then(|members| match members.of("keys").as_slice() {
        [Value::Array(keys)] => Some(keys.len()),
        _ => None,
    });
    let usable = fuzzing::usable_keys(data);
    assert_eq!(usable.map(|(usable, ignored)| usable + ignored), listed);
    // With a signature that no key of theirs made, and with a good one.
    let now = Timestamp::from_second(NOW).expect("a time");
    let good = good();
    let (signed, _) = good.rsplit_once('.').expect("a signature");
    let forged = format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode([7; 64]));
    assert!(fuzzing::jwt_facts(&KEYS.settings, data, &forged, now).is_none());
    if fuzzing::jwt_facts(&KEYS.settings, data, &good, now).is_some() {
        let x = BASE64_URL_SAFE_NO_PAD.encode(KEYS.pair.public_key());
        let keys = published.map(|members| members.of("keys").into_iter().cloned().collect::<Vec<_>>());
        let texts = keys.unwrap_or_default();
        assert!(texts.iter().flat_map(crate::json::texts).any(|text| text == x), "its key is not published");
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        claims
    };
    let signed = |header: &str, claims: &Value| format!("s{header}\n{claims}").into_bytes();
    vec![
        format!("t{}", good()).into_bytes(),
        b"te30.e30.c2ln".to_vec(),
        signed(HEADER, &claims()),
        signed(HEADER, &with("aud", json!(["other", "esoz"]))),
        signed(HEADER, &with("cnf", json!({"jkt": "canary-7f3a"}))),
        signed(HEADER, &with("exp", json!(1e300))),
        signed(HEADER, &with("sub", json!("canary-7f3a"))),
        signed(r#"{"alg":"EdDSA","typ":"application/AT+JWT"}"#, &with("nbf", json!(NOW + 5))),
        signed(r#"{"alg":"none","typ":"JWT","crit":["exp"],"kid":null}"#, &claims()),
    ]
}
