//! Which JWTs are access tokens: one that is, and everything that is not.

use esoz_auth_remote::{Algorithm, JwtAccessTokens, JwtSettings};
use esoz_kernel::Timestamp;
use ring::hmac;
use serde_json::{Value, json};

use crate::support::{
    AUDIENCE, CLIENT, ISSUER, Key, NOW, TestServer, Token, USER, assert_are_the_usual, clock, facts, find,
    is_refused, jwt, jwt_settings,
    keys::{base64, published, published_jwks},
};

#[tokio::test]
async fn a_token_by_each_algorithm_states_its_facts() {
    let keys = [
        Key::rsa("a", "RS256"),
        Key::rsa("a", "RS384"),
        Key::rsa("a", "RS512"),
        Key::rsa("b", "PS256"),
        Key::rsa("b", "PS384"),
        Key::rsa("b", "PS512"),
        Key::es256("c"),
        Key::es384("d"),
        Key::ed25519("e"),
    ];
    let server = TestServer::start(published(&[&keys[0], &keys[3], &keys[6], &keys[7], &keys[8]])).await;
    let settings = JwtSettings { algorithms: Algorithm::ALL.to_vec(), ..jwt_settings(&server) };
    let tokens = JwtAccessTokens::try_new(&settings, clock()).unwrap();
    for key in &keys {
        let token = key.token();
        assert_are_the_usual(&facts(&tokens, &token).await, &token, NOW + 60);
    }
    assert_eq!(server.requests(), 1);
    assert!(server.seen()[0].head.starts_with("GET /keys HTTP/1.1"));
}

#[tokio::test]
async fn what_is_not_on_the_list_of_algorithms_is_refused() {
    let (allowed, other) = (Key::ed25519("e"), Key::es384("d"));
    let server = TestServer::start(published(&[&allowed, &other])).await;
    let (tokens, _) = jwt(&server);
    assert!(find(&tokens, &allowed.token()).await.unwrap().is_some());
    assert!(is_refused(&tokens, &other.token()).await, "ES384 is not among the default algorithms");
}

#[tokio::test]
async fn a_wrong_header_is_refused_and_a_right_one_in_other_words_is_not() {
    let key = Key::es256("a");
    let server = TestServer::start(published(&[&key])).await;
    let (tokens, _) = jwt(&server);
    let header = |member: &str, value: Value| key.sign_token(&Token::new(&key).header(member, value));
    for typ in ["AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
        assert!(find(&tokens, &header("typ", json!(typ))).await.unwrap().is_some(), "{typ}");
    }
    for (member, value) in [
        ("typ", json!("JWT")),
        ("typ", json!("at+jwt ")),
        ("typ", json!("")),
        ("typ", Value::Null),
        ("typ", json!(["at+jwt"])),
        ("alg", Value::Null),
        ("alg", json!("none")),
        ("alg", json!("None")),
        ("alg", json!("HS256")),
        ("alg", json!("es256")),
        ("alg", json!("RS256")),
        ("alg", json!("EdDSA")),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("kid", json!("b")),
        ("kid", json!("")),
        ("kid", json!(1)),
    ] {
        assert!(is_refused(&tokens, &header(member, value.clone())).await, "{member}: {value}");
    }
    // A key that a token brings along is no key.
    let thief = Key::es256("a");
    for (member, value) in [("jwk", thief.jwk()), ("jku", json!(server.url("/thief"))), ("x5u", json!("x"))] {
        let token = thief.sign_token(&Token::new(&thief).header(member, value));
        assert!(is_refused(&tokens, &token).await, "{member}");
    }
}

#[tokio::test]
async fn each_wrong_claim_alone_is_refused() {
    let key = Key::es256("a");
    let server = TestServer::start(published(&[&key])).await;
    let (tokens, _) = jwt(&server);
    let claim = |member: &str, value: Value| key.sign_token(&Token::new(&key).claim(member, value));
    for (member, value) in [
        ("aud", json!(["other", AUDIENCE])),
        ("nbf", Value::Null),
        ("iat", Value::Null),
        ("scope", Value::Null),
        ("unknown", json!({"deep": [1, 2]})),
    ] {
        assert!(find(&tokens, &claim(member, value.clone())).await.unwrap().is_some(), "{member}: {value}");
    }
    let deep: Value = (0..100).fold(json!(1), |inner, _| json!([inner]));
    for (member, value) in [
        ("iss", json!(format!("{ISSUER}/"))),
        ("iss", json!("HTTPS://issuer.example")),
        ("iss", Value::Null),
        ("iss", json!([ISSUER])),
        ("aud", json!("other")),
        ("aud", json!(["other", "ESOZ"])),
        ("aud", json!([])),
        ("aud", Value::Null),
        ("aud", json!({"esoz": true})),
        ("aud", deep),
        ("exp", Value::Null),
        ("exp", json!("1900000000")),
        ("exp", json!(1e300)),
        ("exp", json!(u64::MAX)),
        ("exp", json!(i64::MIN)),
        ("nbf", json!(NOW + 1)),
        ("nbf", json!("soon")),
        ("nbf", json!(u64::MAX)),
        ("iat", json!(NOW + 1)),
        ("sub", Value::Null),
        ("sub", json!("someone")),
        ("sub", json!(USER.replace('-', ""))),
        ("client_id", Value::Null),
        ("client_id", json!("some-app")),
        ("client_id", json!([CLIENT])),
        ("scope", json!(["device_dispense:stop"])),
        ("cnf", json!({"jkt": "thumbprint"})),
    ] {
        assert!(is_refused(&tokens, &claim(member, value.clone())).await, "{member}: {value}");
    }
}

#[tokio::test]
async fn the_leeway_is_for_the_beginning_and_never_for_the_end() {
    let key = Key::es256("a");
    let server = TestServer::start(published(&[&key])).await;
    let settings = JwtSettings { leeway_s: 5, ..jwt_settings(&server) };
    let tokens = JwtAccessTokens::try_new(&settings, clock()).unwrap();
    for member in ["nbf", "iat"] {
        let claim = |value: i64| key.sign_token(&Token::new(&key).claim(member, value));
        assert!(find(&tokens, &claim(NOW + 5)).await.unwrap().is_some(), "{member}");
        assert!(is_refused(&tokens, &claim(NOW + 6)).await, "{member}");
    }
    // The facts say when; the domain's rule says whether that is past.
    let token = key.sign_token(&Token::new(&key).claim("exp", NOW - 1_000));
    assert_eq!(facts(&tokens, &token).await.expires_at, Timestamp::from_second(NOW - 1_000).unwrap());
}

#[tokio::test]
async fn a_signature_that_is_not_the_keys_is_refused() {
    let (key, thief) = (Key::es256("a"), Key::es256("a"));
    let server = TestServer::start(published(&[&key])).await;
    let (tokens, _) = jwt(&server);
    let good = key.token();
    assert!(find(&tokens, &good).await.unwrap().is_some());
    assert!(is_refused(&tokens, &thief.token()).await, "another's");
    let unsigned = Token::new(&key).unsigned();
    let (_, signature) = good.rsplit_once('.').unwrap();
    assert!(is_refused(&tokens, &format!("{unsigned}.")).await, "none");
    let raised = Token::new(&key).claim("scope", "everything:do").unsigned();
    assert!(is_refused(&tokens, &format!("{raised}.{signature}")).await, "of another payload");
    let none = Token::new(&key).header("alg", "none").unsigned();
    assert!(is_refused(&tokens, &format!("{none}.")).await && is_refused(&tokens, &none).await);
    for spoiled in [format!("{good}="), format!("{good}.x"), good.replace('.', ".."), good.replace('.', "")] {
        assert!(is_refused(&tokens, &spoiled).await);
    }
}

#[tokio::test]
async fn a_public_key_is_not_taken_for_an_hmac_secret() {
    let key = Key::rsa("a", "RS256");
    let server = TestServer::start(published(&[&key])).await;
    let (tokens, _) = jwt(&server);
    let token = Token::new(&key).header("alg", "HS256").unsigned();
    let jwk = key.jwk().to_string();
    for secret in [jwk.as_str(), include_str!("fixtures/test-only-rsa-2048-a.pem"), ""] {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), token.as_bytes());
        assert!(is_refused(&tokens, &format!("{token}.{}", base64(tag))).await);
    }
    // The same with the key published as a secret.
    server
        .set(published_jwks(vec![json!({"kty": "oct", "kid": "a", "alg": "HS256", "k": base64("secret")})]));
    let (tokens, _) = jwt(&server);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"secret"), token.as_bytes());
    assert!(is_refused(&tokens, &format!("{token}.{}", base64(tag))).await);
}

#[tokio::test]
async fn a_key_is_used_as_its_issuer_says() {
    let key = Key::rsa("a", "RS256");
    let with = |member: &str, value: &str| {
        let mut jwk = key.jwk();
        jwk[member] = value.into();
        published_jwks(vec![jwk])
    };
    let server = TestServer::start(with("alg", "RS256")).await;
    assert!(find(&jwt(&server).0, &key.token()).await.unwrap().is_some());
    for (member, value) in
        [("alg", "PS256"), ("alg", "RSA-OAEP"), ("use", "enc"), ("kty", "EC"), ("kid", "b")]
    {
        server.set(with(member, value));
        assert!(is_refused(&jwt(&server).0, &key.token()).await, "{member}: {value}");
    }
}

#[tokio::test]
async fn a_token_that_names_no_key_is_taken_where_there_is_no_choice() {
    let (a, b) = (Key::es256("a"), Key::es256("b"));
    let token = a.sign_token(&Token::new(&a).header("kid", Value::Null));
    let server = TestServer::start(published(&[&a])).await;
    assert!(find(&jwt(&server).0, &token).await.unwrap().is_some());
    server.set(published(&[&a, &b]));
    assert!(is_refused(&jwt(&server).0, &token).await);
}

#[tokio::test]
async fn an_rsa_key_of_1024_bits_is_no_key() {
    let fixture: Value = serde_json::from_str(include_str!("fixtures/test-only-rsa-1024.json")).unwrap();
    let server = TestServer::start(published_jwks(vec![fixture["jwk"].clone()])).await;
    assert!(is_refused(&jwt(&server).0, fixture["token"].as_str().unwrap()).await);
}

#[tokio::test]
async fn what_cannot_be_a_token_is_refused_before_any_key_is_fetched() {
    let server = TestServer::start(published(&[])).await;
    let (tokens, _) = jwt(&server);
    let long = format!("{}.e30.e30", "a".repeat(9_000));
    for text in ["", " ", "opaque", "a.b", "a.b.c", "é.e30.e30", "e30.e30.e30", "a\nb", long.as_str()] {
        assert!(is_refused(&tokens, text).await, "{text}");
    }
    assert_eq!(server.requests(), 0);
}
