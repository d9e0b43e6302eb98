//! S01 to S05 and U02: the access token. Both methods ask for it in the same way.

use esoz_auth::{Secret, TokenKind};
use esoz_tests::{Request, StopScene, TestApp, UpdateScene, on_every_store};

/// What either scene offers for trying tokens: a request that lacks nothing but its token.
trait Tokenless {
    fn without_token(&self, app: &TestApp) -> Request;
}

impl Tokenless for StopScene {
    fn without_token(&self, app: &TestApp) -> Request {
        app.patch(&self.path())
    }
}

impl Tokenless for UpdateScene {
    fn without_token(&self, app: &TestApp) -> Request {
        app.put(&self.path()).api_key(&self.api_key).json(&self.change())
    }
}

async fn no_bearer_token(app: &TestApp, scene: &impl Tokenless) {
    let message = "Authorization header is not set or doesn't contain Bearer token";
    scene.without_token(app).send().await.assert_error(401, "access_denied", message);
    for value in ["Basic dXNlcjpwYXNz", "Bearer", "Bearer ", "Bearer    "] {
        let answer = scene.without_token(app).header("authorization", value).send().await;
        answer.assert_error(401, "access_denied", message);
    }
}

async fn unknown_tokens(app: &TestApp, scene: &impl Tokenless) {
    for token in ["unknown", "mal formed", "m\u{e4}lformed", &"x".repeat(10_000)] {
        scene.without_token(app).token(&Secret::new(token)).send().await.assert_invalid_token();
    }
}

on_every_store! {
    async fn s01_no_bearer_token(kind) {
        let app = TestApp::new(kind).await;
        let scene = StopScene::load(&app).await;
        no_bearer_token(&app, &scene).await;
        assert_untouched(&app, &scene).await;
    }

    async fn s02_unknown_token(kind) {
        let app = TestApp::new(kind).await;
        let scene = StopScene::load(&app).await;
        unknown_tokens(&app, &scene).await;
        assert_untouched(&app, &scene).await;
    }

    async fn s03_expired_token(kind) {
        let app = TestApp::new(kind).await;
        let scene = StopScene::load(&app).await;
        for seconds in [-1, 0] {
            let token = scene.issue(&app, |token| token.expires_at = app.in_seconds(seconds)).await;
            scene.without_token(&app).token(&token).send().await.assert_invalid_token();
        }
        assert_untouched(&app, &scene).await;
    }

    async fn s04_token_that_expires_in_a_second(kind) {
        let app = TestApp::new(kind).await;
        let scene = StopScene::load(&app).await;
        let token = scene.issue(&app, |token| token.expires_at = app.in_seconds(1)).await;
        let answer = scene.without_token(&app).token(&token).send().await;
        answer.assert_data(&scene.stopped(&scene.dispense, crate::NOW_MILLIS));
    }

    async fn s05_revoked_blocked_or_other_token(kind) {
        let app = TestApp::new(kind).await;
        let scene = StopScene::load(&app).await;
        let credentials = &app.stores.credentials;
        let (user, client) = (scene.stored_token.user_id, scene.stored_token.client_id);

        let refresh = scene.issue(&app, |token| token.kind = TokenKind::Other).await;
        scene.without_token(&app).token(&refresh).send().await.assert_invalid_token();

        credentials.set_user_blocked(user, true).await.unwrap();
        scene.stop(&app).await.assert_invalid_token();
        credentials.set_user_blocked(user, false).await.unwrap();

        credentials.set_client_blocked(client, true).await.unwrap();
        scene.stop(&app).await.assert_invalid_token();
        credentials.set_client_blocked(client, false).await.unwrap();

        let revoked = scene.issue(&app, |_| {}).await;
        assert!(credentials.revoke_token(&revoked.digest(), app.in_seconds(0)).await.unwrap());
        scene.without_token(&app).token(&revoked).send().await.assert_invalid_token();

        assert_untouched(&app, &scene).await;
        // Nothing else was wrong with the request.
        assert_eq!(scene.stop(&app).await.status, 200);
    }

    async fn u02_every_wrong_token(kind) {
        let app = TestApp::new(kind).await;
        let scene = UpdateScene::load(&app).await;
        let credentials = &app.stores.credentials;
        no_bearer_token(&app, &scene).await;
        unknown_tokens(&app, &scene).await;
        for seconds in [-1, 0] {
            let token = scene.issue(&app, |token| token.expires_at = app.in_seconds(seconds)).await;
            scene.without_token(&app).token(&token).send().await.assert_invalid_token();
        }
        let refresh = scene.issue(&app, |token| token.kind = TokenKind::Other).await;
        scene.without_token(&app).token(&refresh).send().await.assert_invalid_token();

        let revoked = scene.issue(&app, |_| {}).await;
        assert!(credentials.revoke_token(&revoked.digest(), app.in_seconds(0)).await.unwrap());
        scene.without_token(&app).token(&revoked).send().await.assert_invalid_token();

        credentials.set_user_blocked(scene.stored_token.user_id, true).await.unwrap();
        scene.update(&app).await.assert_invalid_token();
        credentials.set_user_blocked(scene.stored_token.user_id, false).await.unwrap();

        credentials.set_client_blocked(scene.stored_token.client_id, true).await.unwrap();
        scene.update(&app).await.assert_invalid_token();
        credentials.set_client_blocked(scene.stored_token.client_id, false).await.unwrap();

        scene.assert_untouched(&app).await;
        assert_eq!(scene.update(&app).await.status, 200);
    }
}

async fn assert_untouched(app: &TestApp, scene: &StopScene) {
    scene.assert_untouched(app, &scene.dispense).await;
}
