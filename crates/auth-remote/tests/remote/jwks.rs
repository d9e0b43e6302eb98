//! When the issuer's keys are fetched, and what they are good for when they cannot be.

use std::{sync::Arc, time::Duration};

use esoz_auth_remote::{JwtAccessTokens, JwtSettings};
use esoz_kernel::StoreErrorKind;
use esoz_testkit::wait::wait_for;
use tokio::sync::watch;

use crate::support::{
    DEADLINE, Key, Reply, TestServer, Token, clock, failure, find, is_refused, jwt, jwt_settings,
    keys::published,
};

const DOWN: u16 = 503;

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

fn down() -> Reply {
    Reply::Json(DOWN, "canary".to_owned())
}

/// A token that lives long enough for every clock here.
fn token(key: &Key) -> String {
    key.sign_token(&Token::new(key).claim("exp", 2_000_000_000))
}

async fn is_good(tokens: &JwtAccessTokens, key: &Key) -> bool {
    find(tokens, &token(key)).await.unwrap().is_some()
}

#[tokio::test]
async fn a_new_key_is_fetched_once_when_the_first_token_names_it() {
    let (old, new) = (Key::es256("old"), Key::es256("new"));
    let server = TestServer::start(published(&[&old])).await;
    let (tokens, clock) = jwt(&server);
    assert!(is_good(&tokens, &old).await);
    server.set(published(&[&old, &new]));
    clock.advance(seconds(10));
    assert!(is_good(&tokens, &new).await && is_good(&tokens, &old).await && is_good(&tokens, &new).await);
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn a_key_that_is_published_twice_is_used() {
    let key = Key::es256("a");
    let server = TestServer::start(published(&[&key, &key])).await;
    let (tokens, _) = jwt(&server);
    assert!(is_good(&tokens, &key).await);
    let nameless = key.sign_token(&Token::new(&key).header("kid", serde_json::Value::Null));
    assert!(find(&tokens, &nameless).await.unwrap().is_some());
}

#[tokio::test]
async fn a_withdrawn_key_is_refused_as_soon_as_the_keys_are_due() {
    let (old, new) = (Key::es256("old"), Key::es256("new"));
    let server = TestServer::start(published(&[&old, &new])).await;
    let (tokens, clock) = jwt(&server);
    assert!(is_good(&tokens, &old).await);
    server.set(published(&[&new]));
    clock.advance(seconds(99));
    assert!(is_good(&tokens, &old).await);
    assert_eq!(server.requests(), 1);
    clock.advance(seconds(1));
    assert!(!is_good(&tokens, &old).await && is_good(&tokens, &new).await);
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn an_issuer_that_withdraws_every_key_is_obeyed() {
    let key = Key::es256("a");
    let server = TestServer::start(published(&[&key])).await;
    let (tokens, clock) = jwt(&server);
    assert!(is_good(&tokens, &key).await);
    server.set(published(&[]));
    clock.advance(seconds(100));
    assert!(is_refused(&tokens, &token(&key)).await);
}

#[tokio::test]
async fn unknown_key_ids_do_not_make_a_storm() {
    let (key, thief) = (Key::es256("a"), Key::es256("thief"));
    let server = TestServer::start(published(&[&key])).await;
    let (tokens, clock) = jwt(&server);
    assert!(is_good(&tokens, &key).await);
    for round in 1..4 {
        clock.advance(seconds(10));
        for kid in 0..50 {
            let token = thief.sign_token(&Token::new(&thief).header("kid", format!("{round}-{kid}")));
            assert!(is_refused(&tokens, &token).await);
        }
        assert_eq!(server.requests(), 1 + round, "one fetch in each interval");
    }
    clock.advance(Duration::from_millis(9_999));
    assert!(is_refused(&tokens, &thief.token()).await);
    assert_eq!(server.requests(), 4);
}

#[tokio::test]
async fn callers_who_come_together_share_one_fetch() {
    let key = Key::es256("a");
    let (release, released) = watch::channel(false);
    let server = TestServer::start(Reply::Held(Box::new(published(&[&key])), released)).await;
    let tokens = Arc::new(jwt(&server).0);
    let callers: Vec<_> = (0..50)
        .map(|_| {
            let (tokens, token) = (Arc::clone(&tokens), token(&key));
            tokio::spawn(async move { find(tokens.as_ref(), &token).await.unwrap().is_some() })
        })
        .collect();
    wait_for("the fetch", DEADLINE, async || (server.requests() > 0).then_some(())).await;
    release.send(true).unwrap();
    for caller in callers {
        assert!(caller.await.unwrap());
    }
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn a_caller_who_hangs_up_does_not_break_the_fetch() {
    let key = Key::es256("a");
    let (release, released) = watch::channel(false);
    let server = TestServer::start(Reply::Held(Box::new(published(&[&key])), released)).await;
    let tokens = Arc::new(jwt(&server).0);
    let caller = tokio::spawn({
        let (tokens, token) = (Arc::clone(&tokens), token(&key));
        async move { find(tokens.as_ref(), &token).await.map(|_| ()) }
    });
    wait_for("the fetch", DEADLINE, async || (server.requests() > 0).then_some(())).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    release.send(true).unwrap();
    assert!(is_good(&tokens, &key).await);
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn during_an_outage_old_keys_are_good_for_a_while() {
    let key = Key::es256("a");
    let server = TestServer::start(published(&[&key])).await;
    let (tokens, clock) = jwt(&server);
    assert!(is_good(&tokens, &key).await);
    server.set(down());
    clock.advance(seconds(100));
    assert!(is_good(&tokens, &key).await && is_good(&tokens, &key).await);
    assert_eq!(server.requests(), 2, "asked again, once");
    clock.advance(Duration::from_millis(199_999));
    assert!(is_good(&tokens, &key).await);
    clock.advance(Duration::from_millis(1));
    assert_eq!(failure(&tokens, &token(&key)).await, StoreErrorKind::Unavailable);
    // It comes back; the next interval finds out.
    server.set(published(&[&key]));
    assert_eq!(failure(&tokens, &token(&key)).await, StoreErrorKind::Unavailable);
    clock.advance(seconds(10));
    assert!(is_good(&tokens, &key).await);
}

#[tokio::test]
async fn nobody_waits_for_an_issuer_that_was_down_and_hangs_while_old_keys_may_be_used() {
    let (key, new) = (Key::es256("a"), Key::es256("new"));
    let server = TestServer::start(published(&[&key])).await;
    let (tokens, clock) = jwt(&server);
    assert!(is_good(&tokens, &key).await);
    server.set(down());
    clock.advance(seconds(100));
    assert!(is_good(&tokens, &key).await);
    assert_eq!(server.requests(), 2);
    let (release, released) = watch::channel(false);
    server.set(Reply::Held(Box::new(published(&[&new])), released));
    clock.advance(seconds(10));
    // The answer is withheld until both have theirs.
    assert!(is_good(&tokens, &key).await && is_good(&tokens, &key).await);
    wait_for("the fetch", DEADLINE, async || (server.requests() > 2).then_some(())).await;
    release.send(true).unwrap();
    wait_for("the new keys", DEADLINE, async || (!is_good(&tokens, &key).await).then_some(())).await;
    assert!(is_good(&tokens, &new).await);
    assert_eq!(server.requests(), 3, "one fetch for all");
}

#[tokio::test]
async fn stale_keys_are_never_used_where_that_is_configured() {
    let key = Key::es256("a");
    let server = TestServer::start(published(&[&key])).await;
    let clock = clock();
    let settings = JwtSettings { max_stale_s: 0, ..jwt_settings(&server) };
    let tokens = JwtAccessTokens::try_new(&settings, clock.clone()).unwrap();
    assert!(is_good(&tokens, &key).await);
    server.set(down());
    clock.advance(seconds(99));
    assert!(is_good(&tokens, &key).await);
    clock.advance(seconds(1));
    assert_eq!(failure(&tokens, &token(&key)).await, StoreErrorKind::Unavailable);
}

#[tokio::test]
async fn a_clock_that_was_set_back_does_not_make_keys_young() {
    let key = Key::es256("a");
    let server = TestServer::start(published(&[&key])).await;
    let (tokens, clock) = jwt(&server);
    clock.advance(seconds(1_000));
    assert!(is_good(&tokens, &key).await);
    server.set(down());
    clock.set("2027-01-01T00:00:00Z".parse().unwrap());
    assert_eq!(failure(&tokens, &token(&key)).await, StoreErrorKind::Unavailable);
}

#[tokio::test]
async fn an_unknown_key_id_is_not_judged_by_old_keys_while_the_issuer_is_down() {
    let (old, new) = (Key::es256("old"), Key::es256("new"));
    let server = TestServer::start(published(&[&old])).await;
    let (tokens, clock) = jwt(&server);
    assert!(is_good(&tokens, &old).await);
    server.set(down());
    clock.advance(seconds(10));
    assert_eq!(failure(&tokens, &token(&new)).await, StoreErrorKind::Unavailable);
    assert_eq!(failure(&tokens, &token(&new)).await, StoreErrorKind::Unavailable);
    assert!(is_good(&tokens, &old).await);
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn an_issuer_that_is_down_at_the_start_is_asked_once_in_each_interval() {
    let key = Key::es256("a");
    let server = TestServer::start(down()).await;
    let (tokens, clock) = jwt(&server);
    for _ in 0..20 {
        assert_eq!(failure(&tokens, &token(&key)).await, StoreErrorKind::Unavailable);
    }
    assert_eq!(server.requests(), 1);
    server.set(published(&[&key]));
    clock.advance(seconds(10));
    assert!(is_good(&tokens, &key).await);
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn keys_that_are_nonsense_are_our_error_and_spoil_no_good_ones() {
    let key = Key::es256("a");
    let server = TestServer::start(Reply::ok("{}")).await;
    let (tokens, clock) = jwt(&server);
    for (nonsense, kind) in [
        ("<html>canary</html>", StoreErrorKind::Unavailable),
        ("", StoreErrorKind::Unavailable),
        ("{}", StoreErrorKind::Unexpected),
        ("[]", StoreErrorKind::Unexpected),
        (r#"{"keys":{}}"#, StoreErrorKind::Unexpected),
        (r#"{"keys":null}"#, StoreErrorKind::Unexpected),
    ] {
        server.set(Reply::ok(nonsense));
        clock.advance(seconds(10));
        assert_eq!(failure(&tokens, &token(&key)).await, kind, "{nonsense}");
    }
    server.set(published(&[&key]));
    clock.advance(seconds(10));
    assert!(is_good(&tokens, &key).await);
    server.set(Reply::ok("{}"));
    clock.advance(seconds(100));
    assert!(is_good(&tokens, &key).await, "within the time for stale keys");
}
