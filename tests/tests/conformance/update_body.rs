//! U04 to U09 and D02: the body of an update and of a create.

use esoz_tests::{
    Answer, Kind, Request, Setup, TestApp, UpdateFixture, active_contract_divisions, on_every_store,
};
use serde_json::{Value, json};

const MALFORMED: &str = "Malformed request. Probably, you have sent corrupted JSON.";

/// JSON is UTF-8, wherever the text stands.
const NO_UTF_8: [&[u8]; 2] = [b"\"\xff\"", b"{\"division_id\":\"\xff\"}"];

/// A method that takes such a body.
#[derive(Clone, Copy)]
enum Target {
    Create,
    Update,
}

impl Target {
    /// A request that lacks nothing but its body.
    fn request(self, fixture: &UpdateFixture, app: &TestApp) -> Request {
        match self {
            Self::Create => fixture.create_request(app),
            Self::Update => fixture.request(app),
        }
    }

    async fn send(self, fixture: &UpdateFixture, app: &TestApp, body: &Value) -> Answer {
        self.request(fixture, app).json(body).send().await
    }

    /// The status of its success.
    fn success(self) -> u16 {
        match self {
            Self::Create => 201,
            Self::Update => 200,
        }
    }
}

async fn assert_untouched(fixture: &UpdateFixture, app: &TestApp) {
    fixture.assert_untouched(app).await;
    assert_eq!(active_contract_divisions(app).await, [fixture.record]);
}

async fn content_type(kind: Kind, target: Target) {
    let app = TestApp::new(kind).await;
    let fixture = UpdateFixture::load(&app).await;
    let body = fixture.change().to_string();
    let message = "Content-Type must be application/json.";
    let answer =
        target.request(&fixture, &app).header("content-type", "text/plain").body(body.clone()).send().await;
    answer.assert_error(415, "content_type_invalid", message);
    target.request(&fixture, &app).body(body.clone()).send().await.assert_error(
        415,
        "content_type_invalid",
        message,
    );
    assert_untouched(&fixture, &app).await;

    let with_charset =
        target.request(&fixture, &app).header("content-type", "Application/JSON; charset=utf-8");
    assert_eq!(with_charset.body(body).send().await.status, target.success());
}

async fn no_object(kind: Kind, target: Target) {
    let app = TestApp::new(kind).await;
    let fixture = UpdateFixture::load(&app).await;
    let raw = |body: &'static [u8]| {
        target.request(&fixture, &app).header("content-type", "application/json").body(body)
    };
    for body in
        ["{", "", "{\"division_id\":}", "{} {}", "\u{feff}{}"].map(str::as_bytes).into_iter().chain(NO_UTF_8)
    {
        raw(body).send().await.assert_error(400, "request_malformed", MALFORMED);
    }
    for body in ["1", "[]", "null", "\"text\"", "[{}]"] {
        raw(body.as_bytes()).send().await.assert_faults(&[("$", "schema")]);
    }
    assert_untouched(&fixture, &app).await;
}

async fn absent_properties(kind: Kind, target: Target) {
    let app = TestApp::new(kind).await;
    let fixture = UpdateFixture::load(&app).await;
    let (division, contract) =
        (fixture.change()["division_id"].clone(), fixture.change()["contract_id"].clone());
    let no_division = target.send(&fixture, &app, &json!({"contract_id": contract})).await;
    no_division.assert_faults(&[("$.division_id", "required")]);
    let no_contract = target.send(&fixture, &app, &json!({"division_id": division})).await;
    no_contract.assert_faults(&[("$.contract_id", "required")]);
    let neither = target.send(&fixture, &app, &json!({})).await;
    neither.assert_faults(&[("$.contract_id", "required"), ("$.division_id", "required")]);
    assert_untouched(&fixture, &app).await;
}

async fn ids_that_are_none(kind: Kind, target: Target) {
    let app = TestApp::new(kind).await;
    let fixture = UpdateFixture::load(&app).await;
    let division = fixture.change()["division_id"].to_string();
    for (value, rule) in [
        (json!(4_815_162_342_i64), "cast"),
        (Value::Null, "cast"),
        (json!(true), "cast"),
        (json!({"a": "canary"}), "cast"),
        // By these names serde_json hands over texts that it has not parsed: in a body they are names as any other.
        (json!({"$serde_json::private::RawValue": division}), "cast"),
        (json!({"$serde_json::private::RawValue": "canary"}), "cast"),
        (json!({"$serde_json::private::Number": "1"}), "cast"),
        (json!("canary"), "format"),
        (json!(""), "format"),
        (json!(fixture.divisions[1].facts.id.uuid().simple().to_string()), "format"),
    ] {
        for property in ["division_id", "contract_id"] {
            let mut body = fixture.change();
            body[property] = value.clone();
            let answer = target.send(&fixture, &app, &body).await;
            answer.assert_faults(&[(&format!("$.{property}"), rule)]);
            for sent in ["canary", "4815162342", "RawValue"] {
                assert!(!answer.body.to_string().contains(sent), "the value is echoed: {}", answer.body);
            }
        }
    }
    // A number all the same, if none that a double could hold.
    let body = fixture.change().to_string().replacen(&division, "1e999", 1);
    let request = target.request(&fixture, &app).header("content-type", "application/json");
    request.body(body).send().await.assert_faults(&[("$.division_id", "cast")]);
    assert_untouched(&fixture, &app).await;
}

async fn extra_and_double_properties(kind: Kind, target: Target) {
    let app = TestApp::new(kind).await;
    let fixture = UpdateFixture::load(&app).await;
    let mut body = fixture.change();
    body["extra"] = json!("canary");
    let answer = target.send(&fixture, &app, &body).await;
    answer.assert_faults(&[("$.extra", "schema")]);
    assert!(!answer.body.to_string().contains("canary"));

    let all_at_once =
        target.send(&fixture, &app, &json!({"division_id": 1, "a": 1, "b": 2, "no word": 3})).await;
    all_at_once.assert_faults(&[
        ("$", "schema"),
        ("$.a", "schema"),
        ("$.b", "schema"),
        ("$.contract_id", "required"),
        ("$.division_id", "cast"),
    ]);

    let id = fixture.divisions[1].facts.id.to_string();
    let double = format!("{{\"division_id\":\"{id}\",\"contract_id\":\"{id}\",\"division_id\":\"{id}\"}}");
    let answer =
        target.request(&fixture, &app).header("content-type", "application/json").body(double).send().await;
    answer.assert_error(400, "request_malformed", MALFORMED);
    assert_untouched(&fixture, &app).await;
}

async fn body_over_the_limit(kind: Kind, target: Target) {
    let app = Setup::new(kind).variable("ESOZ_HTTP__BODY_MAX_BYTES", "1000").start().await;
    let fixture = UpdateFixture::load(&app).await;
    let padded = |length: usize| {
        let body = fixture.change().to_string();
        format!("{body}{}", " ".repeat(length - body.len()))
    };
    let json = || target.request(&fixture, &app).header("content-type", "application/json");
    let message = "Request body is too large.";
    json().body(padded(1_001)).send().await.assert_error(413, "request_too_large", message);
    // Without a declared length it is noticed on the way.
    json().body(in_chunks(padded(1_001))).send().await.assert_error(413, "request_too_large", message);
    assert_untouched(&fixture, &app).await;
    assert_eq!(json().body(padded(1_000)).send().await.status, target.success());
}

on_every_store! {
    async fn u04_content_type(kind) {
        content_type(kind, Target::Update).await;
    }

    async fn d02_content_type(kind) {
        content_type(kind, Target::Create).await;
    }

    async fn u05_no_object(kind) {
        no_object(kind, Target::Update).await;
    }

    async fn d02_no_object(kind) {
        no_object(kind, Target::Create).await;
    }

    async fn u06_absent_properties(kind) {
        absent_properties(kind, Target::Update).await;
    }

    async fn d02_absent_properties(kind) {
        absent_properties(kind, Target::Create).await;
    }

    async fn u07_ids_that_are_none(kind) {
        ids_that_are_none(kind, Target::Update).await;
    }

    async fn d02_ids_that_are_none(kind) {
        ids_that_are_none(kind, Target::Create).await;
    }

    async fn u08_extra_and_double_properties(kind) {
        extra_and_double_properties(kind, Target::Update).await;
    }

    async fn d02_extra_and_double_properties(kind) {
        extra_and_double_properties(kind, Target::Create).await;
    }

    async fn u09_body_over_the_limit(kind) {
        body_over_the_limit(kind, Target::Update).await;
    }

    async fn d02_body_over_the_limit(kind) {
        body_over_the_limit(kind, Target::Create).await;
    }
}

fn in_chunks(text: String) -> reqwest::Body {
    let chunks: Vec<Result<Vec<u8>, std::io::Error>> =
        text.into_bytes().chunks(100).map(|chunk| Ok(chunk.to_vec())).collect();
    reqwest::Body::wrap_stream(futures_util::stream::iter(chunks))
}
