//! S01 to S05 and U02: the access token. Both methods ask for it in the same way.

use esoz_auth::{Secret, TokenKind};
use esoz_tests::{Request, StopFixture, TestApp, UpdateFixture, on_every_store};

/// What either fixture offers for trying tokens: a request that lacks nothing but its token.
trait Tokenless {
    fn without_token(&self, app: &TestApp) -> Request;
}

impl Tokenless for StopFixture {
    fn without_token(&self, app: &TestApp) -> Request {
        app.patch(&self.path())
    }
}

impl Tokenless for UpdateFixture {
    fn without_token(&self, app: &TestApp) -> Request {
        app.put(&self.path()).api_key(&self.api_key).json(&self.change())
    }
}

async fn no_bearer_token(app: &TestApp, fixture: &impl Tokenless) {
    let message = "Authorization header is not set or doesn't contain Bearer token";
    fixture.without_token(app).send().await.assert_error(401, "access_denied", message);
    for value in ["Basic dXNlcjpwYXNz", "Bearer", "Bearer ", "Bearer    "] {
        let answer = fixture.without_token(app).header("authorization", value).send().await;
        answer.assert_error(401, "access_denied", message);
    }
}

async fn unknown_tokens(app: &TestApp, fixture: &impl Tokenless) {
    for token in ["unknown", "mal formed", "m\u{e4}lformed", &"x".repeat(10_000)] {
        fixture.without_token(app).token(&Secret::new(token)).send().await.assert_invalid_token();
    }
}

on_every_store! {
    async fn s01_no_bearer_token(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        no_bearer_token(&app, &fixture).await;
        assert_untouched(&app, &fixture).await;
    }

    async fn s02_unknown_token(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        unknown_tokens(&app, &fixture).await;
        assert_untouched(&app, &fixture).await;
    }

    async fn s03_expired_token(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        for seconds in [-1, 0] {
            let token = fixture.issue(&app, |token| token.expires_at = app.in_seconds(seconds)).await;
            fixture.without_token(&app).token(&token).send().await.assert_invalid_token();
        }
        assert_untouched(&app, &fixture).await;
    }

    async fn s04_token_that_expires_in_a_second(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        let token = fixture.issue(&app, |token| token.expires_at = app.in_seconds(1)).await;
        let answer = fixture.without_token(&app).token(&token).send().await;
        answer.assert_data(&fixture.stopped(&fixture.dispense, crate::NOW_MILLIS));
    }

    async fn s05_revoked_blocked_or_other_token(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        let credentials = &app.stores.credentials;
        let (user, client) = (fixture.stored_token.user_id, fixture.stored_token.client_id);

        let refresh = fixture.issue(&app, |token| token.kind = TokenKind::Other).await;
        fixture.without_token(&app).token(&refresh).send().await.assert_invalid_token();

        credentials.set_user_blocked(user, true).await.unwrap();
        fixture.stop(&app).await.assert_invalid_token();
        credentials.set_user_blocked(user, false).await.unwrap();

        credentials.set_client_blocked(client, true).await.unwrap();
        fixture.stop(&app).await.assert_invalid_token();
        credentials.set_client_blocked(client, false).await.unwrap();

        let revoked = fixture.issue(&app, |_| {}).await;
        assert!(credentials.revoke_token(&revoked.digest(), app.in_seconds(0)).await.unwrap());
        fixture.without_token(&app).token(&revoked).send().await.assert_invalid_token();

        assert_untouched(&app, &fixture).await;
        // Nothing else was wrong with the request.
        assert_eq!(fixture.stop(&app).await.status, 200);
    }

    async fn u02_every_wrong_token(kind) {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await;
        let credentials = &app.stores.credentials;
        no_bearer_token(&app, &fixture).await;
        unknown_tokens(&app, &fixture).await;
        for seconds in [-1, 0] {
            let token = fixture.issue(&app, |token| token.expires_at = app.in_seconds(seconds)).await;
            fixture.without_token(&app).token(&token).send().await.assert_invalid_token();
        }
        let refresh = fixture.issue(&app, |token| token.kind = TokenKind::Other).await;
        fixture.without_token(&app).token(&refresh).send().await.assert_invalid_token();

        let revoked = fixture.issue(&app, |_| {}).await;
        assert!(credentials.revoke_token(&revoked.digest(), app.in_seconds(0)).await.unwrap());
        fixture.without_token(&app).token(&revoked).send().await.assert_invalid_token();

        credentials.set_user_blocked(fixture.stored_token.user_id, true).await.unwrap();
        fixture.update(&app).await.assert_invalid_token();
        credentials.set_user_blocked(fixture.stored_token.user_id, false).await.unwrap();

        credentials.set_client_blocked(fixture.stored_token.client_id, true).await.unwrap();
        fixture.update(&app).await.assert_invalid_token();
        credentials.set_client_blocked(fixture.stored_token.client_id, false).await.unwrap();

        fixture.assert_untouched(&app).await;
        assert_eq!(fixture.update(&app).await.status, 200);
    }
}

async fn assert_untouched(app: &TestApp, fixture: &StopFixture) {
    fixture.assert_untouched(app, &fixture.dispense).await;
}
