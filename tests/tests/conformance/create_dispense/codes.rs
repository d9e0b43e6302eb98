//! N33 and N37: the code of a request.

use std::time::Duration;

use esoz_device_dispense::VerificationCode;
use esoz_tests::{Answer, CreateFixture, Kind, Setup, TestApp, on_every_store};
use serde_json::{Value, json};

use super::{NOT_ACTIVE, WRONG_CODE, assert_nothing_happened};

const CODE: &str = "0420";

/// A request with a code, loaded.
async fn load(app: &TestApp) -> CreateFixture {
    let mut fixture = CreateFixture::new(app);
    fixture.request.facts.verification_code = VerificationCode::parse(CODE);
    fixture.store(app).await;
    fixture
}

fn with_code(fixture: &CreateFixture, code: &str) -> Value {
    let mut body = fixture.body();
    body["verification_code"] = json!(code);
    body
}

/// The answer is that too many codes were wrong, and that in so many seconds one may be tried again.
#[track_caller]
fn assert_too_many(answer: &Answer, seconds: u64) {
    let message = format!(
        "Too many incorrect codes were given for this device request. Please try again after {seconds} s."
    );
    answer.assert_error(429, "too_many_requests", &message);
    assert_eq!(answer.headers["retry-after"], seconds.to_string());
}

async fn replica(kind: Kind, app: &TestApp) -> String {
    Setup::new(kind).start_replica_of(app).await
}

on_every_store! {
    async fn n33_the_right_code(kind) {
        let app = TestApp::new(kind).await;
        let fixture = load(&app).await;
        for wrong in ["0421", "4200", "0000"] {
            WRONG_CODE.assert_is(&fixture.create(&app, &with_code(&fixture, wrong)).await);
        }
        WRONG_CODE.assert_is(&fixture.create(&app, &fixture.body()).await);
        assert_nothing_happened(&app).await;
        assert_eq!(fixture.create(&app, &with_code(&fixture, CODE)).await.status, 201);
    }

    async fn n33_a_code_that_nobody_asks_for(kind) {
        let app = TestApp::new(kind).await;
        let fixture = CreateFixture::load(&app).await;
        assert_eq!(fixture.create(&app, &with_code(&fixture, "1234")).await.status, 201);
    }

    async fn n37_too_many_wrong_codes(kind) {
        let app = TestApp::new(kind).await;
        let fixture = load(&app).await;
        let another_server = replica(kind, &app).await;
        for place in 0..5 {
            // Wherever they are tried.
            let base = if place % 2 == 0 { app.base() } else { &another_server };
            let answer = fixture.request_at(&app, base, &with_code(&fixture, "1111")).send().await;
            WRONG_CODE.assert_is(&answer);
            app.clock.advance(Duration::from_mins(1));
        }
        // The first of them was five minutes ago. Nothing is compared any more, and nothing is counted.
        for base in [app.base(), &another_server] {
            for code in ["1111", CODE] {
                let answer = fixture.request_at(&app, base, &with_code(&fixture, code)).send().await;
                assert_too_many(&answer, 3_301);
            }
        }
        assert_nothing_happened(&app).await;
        // Another request is not affected.
        let another = load(&app).await;
        assert_eq!(another.create(&app, &with_code(&another, CODE)).await.status, 201);

        app.clock.advance(Duration::from_secs(3_299));
        assert_too_many(&fixture.create(&app, &with_code(&fixture, CODE)).await, 2);
        // The first of them was an hour ago.
        app.clock.advance(Duration::from_secs(1));
        assert_eq!(fixture.create(&app, &with_code(&fixture, CODE)).await.status, 201);
    }

    async fn n37_of_sixteen_at_once_five_are_compared(kind) {
        let app = TestApp::new(kind).await;
        let fixture = load(&app).await;
        let bodies: Vec<Value> = (0..16).map(|_| with_code(&fixture, "1111")).collect();
        let requests: Vec<_> = bodies.iter().map(|body| tokio::spawn(fixture.request(&app, body).send())).collect();
        let mut compared = 0;
        for request in requests {
            let answer = request.await.unwrap();
            if answer.status == 403 {
                compared += 1;
                WRONG_CODE.assert_is(&answer);
            } else {
                assert_too_many(&answer, 3_601);
            }
        }
        assert_eq!(compared, 5);
    }

    async fn n37_the_operator_says_how_many(kind) {
        let app = Setup::new(kind).variable("ESOZ_DEVICE_DISPENSE__MAX_WRONG_CODES", "1").start().await;
        let fixture = load(&app).await;
        WRONG_CODE.assert_is(&fixture.create(&app, &fixture.body()).await);
        assert_too_many(&fixture.create(&app, &with_code(&fixture, CODE)).await, 3_601);
    }

    async fn n33_a_code_is_not_compared_when_another_rule_refuses(kind) {
        let app = Setup::new(kind).variable("ESOZ_DEVICE_DISPENSE__MAX_WRONG_CODES", "1").start().await;
        let mut fixture = load(&app).await;
        let active = fixture.request.clone();
        fixture.request.facts.status = esoz_device_dispense::DeviceRequestStatus::Revoked;
        app.put_device_request(&fixture.request).await;
        for _ in 0..2 {
            NOT_ACTIVE.assert_is(&fixture.create(&app, &with_code(&fixture, "1111")).await);
        }
        // So none of them counts.
        app.put_device_request(&active).await;
        assert_eq!(fixture.create(&app, &with_code(&fixture, CODE)).await.status, 201);
    }
}
