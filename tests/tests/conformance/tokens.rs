//! S01 to S05 and U02: the access token. Every method asks for it in the same way.

use esoz_auth::{NewAccessToken, Secret, TokenKind};
use esoz_tests::{Request, StopFixture, TestApp, UpdateFixture, issue, on_every_store};

async fn no_bearer_token(without_token: impl Fn() -> Request) {
    let message = "Authorization header is not set or doesn't contain Bearer token";
    without_token().send().await.assert_error(401, "access_denied", message);
    for value in ["Basic dXNlcjpwYXNz", "Bearer", "Bearer ", "Bearer    "] {
        let answer = without_token().header("authorization", value).send().await;
        answer.assert_error(401, "access_denied", message);
    }
}

async fn unknown_tokens(without_token: impl Fn() -> Request) {
    for token in ["unknown", "mal formed", "m\u{e4}lformed", &"x".repeat(10_000)] {
        without_token().token(&Secret::new(token)).send().await.assert_invalid_token();
    }
}

/// S01, S02, S03 and S05 for another method: `without_token` begins a request that lacks nothing but its token, `token` is one that would do
/// and `like` what is stored of it.
pub(crate) async fn every_wrong_token(
    app: &TestApp,
    like: &NewAccessToken,
    token: &Secret,
    without_token: impl Fn() -> Request,
) {
    no_bearer_token(&without_token).await;
    unknown_tokens(&without_token).await;
    let credentials = &app.stores.credentials;
    let refused = async |token: &Secret| without_token().token(token).send().await.assert_invalid_token();
    for seconds in [-1, 0] {
        refused(&issue(app, like, |token| token.expires_at = app.in_seconds(seconds)).await).await;
    }
    refused(&issue(app, like, |token| token.kind = TokenKind::Other).await).await;

    let revoked = issue(app, like, |_| {}).await;
    assert!(credentials.revoke_token(&revoked.digest(), app.in_seconds(0)).await.unwrap());
    refused(&revoked).await;

    credentials.set_user_blocked(like.user_id, true).await.unwrap();
    refused(token).await;
    credentials.set_user_blocked(like.user_id, false).await.unwrap();

    credentials.set_client_blocked(like.client_id, true).await.unwrap();
    refused(token).await;
    credentials.set_client_blocked(like.client_id, false).await.unwrap();
}

on_every_store! {
    async fn s01_no_bearer_token(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        no_bearer_token(|| app.patch(&fixture.path())).await;
        assert_untouched(&app, &fixture).await;
    }

    async fn s02_unknown_token(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        unknown_tokens(|| app.patch(&fixture.path())).await;
        assert_untouched(&app, &fixture).await;
    }

    async fn s03_expired_token(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        for seconds in [-1, 0] {
            let token = fixture.issue(&app, |token| token.expires_at = app.in_seconds(seconds)).await;
            app.patch(&fixture.path()).token(&token).send().await.assert_invalid_token();
        }
        assert_untouched(&app, &fixture).await;
    }

    async fn s04_token_that_expires_in_a_second(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        let token = fixture.issue(&app, |token| token.expires_at = app.in_seconds(1)).await;
        let answer = app.patch(&fixture.path()).token(&token).send().await;
        answer.assert_data(&fixture.stopped(&fixture.dispense, crate::NOW_MILLIS));
    }

    async fn s05_revoked_blocked_or_other_token(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        let credentials = &app.stores.credentials;
        let (user, client) = (fixture.stored_token.user_id, fixture.stored_token.client_id);

        let refresh = fixture.issue(&app, |token| token.kind = TokenKind::Other).await;
        app.patch(&fixture.path()).token(&refresh).send().await.assert_invalid_token();

        credentials.set_user_blocked(user, true).await.unwrap();
        fixture.stop(&app).await.assert_invalid_token();
        credentials.set_user_blocked(user, false).await.unwrap();

        credentials.set_client_blocked(client, true).await.unwrap();
        fixture.stop(&app).await.assert_invalid_token();
        credentials.set_client_blocked(client, false).await.unwrap();

        let revoked = fixture.issue(&app, |_| {}).await;
        assert!(credentials.revoke_token(&revoked.digest(), app.in_seconds(0)).await.unwrap());
        app.patch(&fixture.path()).token(&revoked).send().await.assert_invalid_token();

        assert_untouched(&app, &fixture).await;
        // Nothing else was wrong with the request.
        assert_eq!(fixture.stop(&app).await.status, 200);
    }

    async fn u02_every_wrong_token(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let without_token = || app.put(&fixture.path()).api_key(&fixture.api_key).json(&fixture.change());
        every_wrong_token(&app, &fixture.stored_token, &fixture.token, without_token).await;
        fixture.assert_untouched(&app).await;
        assert_eq!(fixture.update(&app).await.status, 200);
    }
}

async fn assert_untouched(app: &TestApp, fixture: &StopFixture) {
    fixture.assert_untouched(app, &fixture.dispense).await;
}
