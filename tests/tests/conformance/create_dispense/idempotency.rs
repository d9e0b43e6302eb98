//! I01 of a create: it is sent again under its idempotency key.

use esoz_auth::{Scope, Secret};
use esoz_device_dispense::VerificationCode;
use esoz_tests::{Answer, CreateFixture, Request, TestApp, on_every_store};
use serde_json::{Value, json};

use super::cases::detail;
use super::{ID_TAKEN, OTHER_ACTIVE, WRONG_CODE, assert_nothing_happened};
use crate::idempotency::{AT_ONCE, REUSED, assert_conflict, marked};

fn request(app: &TestApp, fixture: &CreateFixture, body: &Value) -> Request {
    marked(fixture.request(app, body), "one")
}

#[track_caller]
fn assert_first(answer: &Answer, first: &Value) {
    assert_eq!((answer.status.as_u16(), &answer.body["data"]), (201, first), "{:#}", answer.body);
    assert_eq!(answer.body["meta"]["idempotency_key"], "one");
}

async fn events(app: &TestApp) -> usize {
    app.settled().await;
    app.delivered().messages().await.len()
}

on_every_store! {
    async fn i01_a_create_sent_again_gets_the_first_answer(kind) {
        let app = TestApp::new(kind).await;
        let mut fixture = CreateFixture::load(&app).await;
        let body = fixture.body();
        let first = request(&app, &fixture, &body).send().await;
        assert_eq!(first.status, 201, "{:#}", first.body);
        let first = &first.body["data"];
        app.clock.set(app.in_seconds(60));
        assert_first(&request(&app, &fixture, &body).send().await, first);
        assert_eq!(events(&app).await, 1);

        // Unmarked, or marked otherwise, it is a request of its own.
        ID_TAKEN.assert_is(&fixture.create(&app, &body).await);
        let other = marked(fixture.request(&app, &body), "two").send().await;
        assert_eq!((other.status.as_u16(), &other.body["error"]["invalid"][0]["entry"]), (409, &json!("$.id")));

        // The dispense moves on, and the request that it rests on is no more: its answer stays.
        assert_eq!(fixture.stop(&app, &body).await.status, 200);
        fixture.request.facts.status = esoz_device_dispense::DeviceRequestStatus::Revoked;
        app.put_device_request(&fixture.request).await;
        assert_first(&request(&app, &fixture, &body).send().await, first);
        assert_eq!(events(&app).await, 2);
    }

    async fn i01_one_create_sent_many_times_at_once_gets_one_answer(kind) {
        let app = TestApp::new(kind).await;
        let fixture = CreateFixture::load(&app).await;
        let body = fixture.body();
        let requests: Vec<_> = (0..AT_ONCE).map(|_| tokio::spawn(request(&app, &fixture, &body).send())).collect();
        let mut first: Option<Value> = None;
        for request in requests {
            let answer = request.await.unwrap();
            let first = first.get_or_insert_with(|| answer.body["data"].clone());
            assert_first(&answer, first);
        }
        assert_eq!(events(&app).await, 1);
        fixture.show(&app, &body).await.assert_data(&first.unwrap());
    }

    async fn i01_a_key_is_for_one_body(kind) {
        let app = TestApp::new(kind).await;
        let fixture = CreateFixture::load(&app).await;
        let body = fixture.body();
        let first = request(&app, &fixture, &body).send().await;
        assert_eq!(first.status, 201, "{:#}", first.body);
        let changes: [fn(&mut Value); 4] = [
            |body| body["id"] = json!(esoz_testkit::builders::fresh().to_string()),
            |body| body["note"] = json!("x"),
            |body| detail(body)["discount_amount"] = json!(0),
            |body| detail(body)["quantity"]["value"] = json!(50),
        ];
        for change in changes {
            let mut other = body.clone();
            change(&mut other);
            assert_conflict(&request(&app, &fixture, &other).send().await, REUSED);
        }
        assert_eq!(events(&app).await, 1);
        // What means the same is the same.
        let mut same = body.clone();
        same["id"] = json!(body["id"].as_str().unwrap().to_uppercase());
        same["primary_source"] = json!(true);
        same["details"][0]["sell_price"] = serde_json::from_str("150.50").unwrap();
        assert_first(&request(&app, &fixture, &same).send().await, &first.body["data"]);

        // Another client has keys of its own.
        let stranger = CreateFixture::load(&app).await;
        assert_eq!(request(&app, &stranger, &stranger.body()).send().await.status, 201);
    }

    async fn i01_the_code_is_no_part_of_what_a_key_is_for(kind) {
        let app = TestApp::new(kind).await;
        let mut fixture = CreateFixture::new(&app);
        fixture.request.facts.verification_code = VerificationCode::parse("0420");
        fixture.store(&app).await;
        let mut body = fixture.body();
        // A refused create leaves its key free.
        body["verification_code"] = json!("1111");
        let wrong = request(&app, &fixture, &body).send().await;
        assert_eq!((wrong.status.as_u16(), &wrong.body["error"]["message"]), (403, &json!("Incorrect code")));
        assert_nothing_happened(&app).await;
        body["verification_code"] = json!("0420");
        let first = request(&app, &fixture, &body).send().await;
        assert_eq!(first.status, 201, "{:#}", first.body);
        assert_first(&request(&app, &fixture, &body).send().await, &first.body["data"]);
        WRONG_CODE.assert_is(&{
            // The request is free again, and the code is asked for anew.
            assert_eq!(fixture.stop(&app, &body).await.status, 200);
            fixture.create(&app, &fixture.body()).await
        });
    }

    async fn i01_a_refused_create_leaves_its_key_free(kind) {
        let app = TestApp::new(kind).await;
        let fixture = CreateFixture::load(&app).await;
        let earlier = fixture.body();
        assert_eq!(fixture.create(&app, &earlier).await.status, 201);
        let body = fixture.body();
        let refused = request(&app, &fixture, &body).send().await;
        assert_eq!(refused.status, 422, "{:#}", refused.body);
        OTHER_ACTIVE.assert_is(&fixture.create(&app, &body).await);
        assert_eq!(fixture.stop(&app, &earlier).await.status, 200);
        assert_eq!(request(&app, &fixture, &body).send().await.status, 201);
    }

    async fn i01_who_repeats_a_create_is_checked_anew(kind) {
        let app = TestApp::new(kind).await;
        let fixture = CreateFixture::load(&app).await;
        let body = fixture.body();
        let first = request(&app, &fixture, &body).send().await;
        assert_eq!(first.status, 201, "{:#}", first.body);
        let with = async |token: &Secret| {
            let request = app.request(reqwest::Method::POST, &fixture.path()).token(token).json(&body);
            marked(request, "one").send().await
        };
        let without = fixture.issue(&app, |token| token.scope = Scope::parse("device_dispense:read")).await;
        assert_eq!(with(&without).await.status, 403);
        let unknown = Secret::new("unknown");
        assert_eq!(with(&unknown).await.status, 401);
        let mut suspended = fixture.records.legal_entity.clone();
        suspended.facts.status = esoz_legal_entity::LegalEntityStatus::Suspended;
        app.put_legal_entity(&suspended).await;
        assert_eq!(with(&fixture.token).await.status, 409);
        app.put_legal_entity(&fixture.records.legal_entity).await;
        assert_first(&with(&fixture.token).await, &first.body["data"]);
    }
}
