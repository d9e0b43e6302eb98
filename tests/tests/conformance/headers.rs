//! C02 and what else holds for the headers of every request.

use esoz_tests::{Setup, StopFixture, TestApp, UpdateFixture, on_every_store};

on_every_store! {
    async fn c02_request_id(kind) {
        let app = TestApp::new(kind).await;
        let ask = async |id: &str| app.patch("/nothing").header("x-request-id", id).send().await;
        for good in ["abcdefghij-0123456789", &"x".repeat(200)] {
            assert_eq!(ask(good).await.request_id(), good);
        }
        for bad in ["too-short", &"x".repeat(201), "twenty characters and spaces", "tab\tin-a-request-id-of-it"] {
            let answer = ask(bad).await;
            assert_ne!(answer.request_id(), bad);
        }
        assert_ne!(app.patch("/").send().await.request_id(), app.patch("/").send().await.request_id());
    }

    async fn a_refused_caller_is_told_what_to_present(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        let nothing = app.patch(&fixture.path()).send().await;
        assert_eq!(nothing.challenge(), "Bearer realm=\"esoz\"");
        let unknown = app.patch(&fixture.path()).token(&esoz_auth::Secret::new("unknown")).send().await;
        assert_eq!(unknown.challenge(), "Bearer realm=\"esoz\", error=\"invalid_token\"");
        let token = fixture.issue(&app, |token| token.scope = esoz_auth::Scope::parse("a:b")).await;
        let forbidden = app.patch(&fixture.path()).token(&token).send().await;
        let challenge = "Bearer realm=\"esoz\", error=\"insufficient_scope\", scope=\"device_dispense:stop\"";
        assert_eq!(forbidden.challenge(), challenge);
    }

    async fn an_idempotency_key_is_echoed(kind) {
        let app = TestApp::new(kind).await;
        let answer = app.patch("/nothing").header("x-idempotency-key", "key-of-a-client").send().await;
        assert_eq!(answer.body["meta"]["idempotency_key"], "key-of-a-client");
        let answer = app.patch("/nothing").header("x-idempotency-key", "no key").send().await;
        assert_eq!(answer.body["meta"].get("idempotency_key"), None);
    }

    async fn headers_over_the_limit(kind) {
        let app = Setup::new(kind).variable("ESOZ_HTTP__HEADERS_MAX_BYTES", "2000").start().await;
        let answer = app.patch("/nothing").header("x-large", &"x".repeat(2_000)).send().await;
        answer.assert_error(431, "request_too_large", "Request headers are too large.");
    }

    async fn more_headers_than_the_limit(kind) {
        let app = Setup::new(kind).variable("ESOZ_HTTP__HEADERS_MAX_COUNT", "16").start().await;
        let ask = async |count: usize| {
            let request = (0..count).fold(app.patch("/nothing"), |request, n| request.header(&format!("x-{n}"), "1"));
            request.send().await
        };
        ask(20).await.assert_error(431, "request_too_large", "Request has too many headers: at most 16 are read.");
        ask(8).await.assert_not_found();
    }

    async fn a_header_that_may_be_given_once_is_refused_when_it_is_repeated(kind) {
        let app = TestApp::new(kind).await;
        let (stop, update) = (StopFixture::load(&app).await, UpdateFixture::load(&app).await);
        let bearer = format!("Bearer {}", stop.token.expose());
        let refused = [
            ("Authorization", stop.request(&app).header("authorization", &bearer)),
            ("Authorization", update.request(&app).header("authorization", "Bearer another").json(&update.change())),
            ("api-key", update.request(&app).header("api-key", update.api_key.expose()).json(&update.change())),
            ("Content-Type", update.request(&app).header("content-type", "text/plain").header("content-type", "application/json")),
        ];
        for (name, request) in refused {
            let answer = request.send().await;
            let message = format!("Header {name} is given more than once.");
            assert_eq!((answer.status.as_u16(), &answer.body["error"]["message"]), (400, &message.into()), "{name}");
            assert_eq!(answer.body["error"]["type"], "request_malformed");
            assert_eq!(answer.body["error"]["invalid"][0]["entry"], name);
        }
        stop.assert_untouched(&app, &stop.dispense).await;
        update.assert_untouched(&app).await;
    }

    async fn a_compressed_body_is_not_supported(kind) {
        let app = TestApp::new(kind).await;
        let (stop, update) = (StopFixture::load(&app).await, UpdateFixture::load(&app).await);
        let message = "Content-Encoding is not supported: send the body uncompressed.";
        let plain = update.change().to_string();
        for encoding in ["gzip", "br", "identity, gzip"] {
            let ask = update.request(&app).header("content-type", "application/json").header("content-encoding", encoding);
            ask.body(plain.clone()).send().await.assert_error(415, "content_type_invalid", message);
            let ask = stop.request(&app).header("content-encoding", encoding);
            ask.body("{}").send().await.assert_error(415, "content_type_invalid", message);
        }
        let ask = stop.request(&app).header("content-encoding", "identity").body("{}");
        assert_eq!(ask.send().await.status, 200);
    }
}
