//! J01: what is no container that one person has signed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use esoz_signature_cms::sign::{Person, SignOptions, TestAuthority, TestSigner, sign};
use esoz_tests::{
    Answer, CreateFixture, Documents, SignedAction, SignedFixture, TestApp, on_every_store, person,
    signed_data,
};
use serde_json::{Value, json};

use super::{INVALID_CONTENT, NO_BASE64, NO_CONTAINER, Told, assert_untouched};

fn signed(content: &[u8], signers: &[&TestSigner]) -> Vec<u8> {
    sign(content, signers, SignOptions::default()).unwrap()
}

async fn send(app: &TestApp, fixture: &SignedFixture, action: SignedAction, container: &[u8]) -> Answer {
    fixture.request_with(app, action, container).send().await
}

/// The container with one of the bytes of its content changed.
fn altered(container: &[u8]) -> Vec<u8> {
    let place = container.windows(8).position(|bytes| bytes == b"\"status\"").unwrap();
    let mut altered = container.to_vec();
    altered[place + 1] = b'S';
    altered
}

/// The taxpayer number of the user.
const DRFO: &str = "3141592653";

/// The user: only the certificate or the container is wrong.
fn user() -> Person {
    person(Some(DRFO))
}

/// A fixture of the user.
async fn fixture_of_user(app: &TestApp, documents: &Documents) -> SignedFixture {
    let mut fixture = SignedFixture::new(app, documents);
    fixture.party.facts.drfo = esoz_tests::digest_of(DRFO);
    fixture.signer = documents.signer(Some(DRFO));
    fixture.store(app).await;
    fixture
}

on_every_store! {
    async fn j01_not_signed_by_one(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let fixture = fixture_of_user(&app, &documents).await;
        let second = documents.signer(Some(DRFO));
        for action in SignedAction::ALL {
            let content = fixture.content(action).to_string();
            for (signers, count) in [(&[][..], 0), (&[&fixture.signer, &second], 2), (&[&fixture.signer, &fixture.signer], 2)] {
                let answer = send(&app, &fixture, action, &signed(content.as_bytes(), signers)).await;
                let message = format!("document must be signed by 1 signer but contains {count} signatures");
                answer.assert_error(400, "request_malformed", &message);
            }
        }
        assert_untouched(&app, &documents, [&fixture]).await;
    }

    async fn j01_certificates(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let fixture = fixture_of_user(&app, &documents).await;
        let person = user();
        let expired = documents.authority.signer(&person, Documents::PAST).unwrap();
        // The name of the authority is no proof of it.
        let unknown = TestAuthority::new("The authority of the tests", Documents::VALID).unwrap();
        let unknown = unknown.signer(&person, Documents::VALID).unwrap();
        for action in SignedAction::ALL {
            let content = fixture.content(action).to_string();
            for signer in [&expired, &unknown] {
                NO_CONTAINER.assert_is(&send(&app, &fixture, action, &signed(content.as_bytes(), &[signer])).await);
            }
        }
        assert_untouched(&app, &documents, [&fixture]).await;
    }

    async fn j01_no_container(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let fixture = fixture_of_user(&app, &documents).await;
        for action in SignedAction::ALL {
            let content = fixture.content(action).to_string();
            let container = signed(content.as_bytes(), &[&fixture.signer]);
            let detached = SignOptions { is_detached: true, ..SignOptions::default() };
            let detached = sign(content.as_bytes(), &[&fixture.signer], detached).unwrap();
            for (what, container) in [
                ("altered", altered(&container)),
                ("detached", detached),
                ("nothing", Vec::new()),
                ("garbage", b"garbage".to_vec()),
                ("half a container", container[..container.len() / 2].to_vec()),
                ("a container and more", [container.as_slice(), b"\0"].concat()),
                ("a container within another", signed(&container, &[&fixture.signer])),
                ("the content alone", content.clone().into_bytes()),
            ] {
                let answer = send(&app, &fixture, action, &container).await;
                assert_eq!(answer.status, 400, "{what}: {:#}", answer.body);
                answer.assert_error(400, "request_malformed", INVALID_CONTENT);
            }
        }
        assert_untouched(&app, &documents, [&fixture]).await;
    }

    async fn j01_content_that_is_no_object(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let fixture = fixture_of_user(&app, &documents).await;
        for action in SignedAction::ALL {
            let object = fixture.content(action).to_string();
            let twice = object.replacen('{', "{\"status\":\"completed\",", 1);
            for content in ["", "[]", "1", "null", "\"text\"", "{", "\u{feff}{}", &format!("[{object}]"), &twice] {
                NO_CONTAINER.assert_is(&send(&app, &fixture, action, &signed(content.as_bytes(), &[&fixture.signer])).await);
            }
            NO_CONTAINER.assert_is(&send(&app, &fixture, action, &signed(b"{\"a\":\"\xff\"}", &[&fixture.signer])).await);
        }
        assert_untouched(&app, &documents, [&fixture]).await;
    }

    async fn j01_wrong_types_within_are_told_together(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let fixture = fixture_of_user(&app, &documents).await;
        let wrong = json!({
            "status": 1, "status_reason": {"coding": []}, "payment_amount": "1", "payment_id": "p".repeat(256), "note": "n".repeat(3_001),
            "explanatory_letter": "e".repeat(256), "when_handed_over": "yesterday",
        });
        let short = "must be a string of at most 255 characters, without NUL";
        let status = ("$.status", "type mismatch. Expected a string");
        let amount = (
            "$.payment_amount",
            "must be a number, not negative, with at most 12 digits before and 2 after the point",
        );
        let time = ("$.when_handed_over", "string does not match the format of an ISO 8601 date and time");
        let note = ("$.note", "must be a string of at most 3000 characters, without NUL");
        let reason = ("$.status_reason", "type mismatch. Expected a CodeableConcept");
        // Limits are those of the fields that the method sets; a type is wrong in any field.
        let of_complete = [status, time, note, ("$.payment_id", short), amount];
        let no_number = ("$.payment_amount", "type mismatch. Expected a number");
        let of_mark = [status, reason, time, ("$.explanatory_letter", short), no_number];
        for action in SignedAction::ALL {
            let mut content = fixture.content(action);
            content.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
            let expected = if action == SignedAction::Complete { of_complete } else { of_mark };
            fixture.send(&app, action, &content).await.assert_refused(&expected);
            let mut compared = fixture.content(action);
            for (path, value) in [
                ("/id", json!(7)), ("/subject/identifier", json!([])), ("/performer", json!("me")), ("/primary_source", json!("true")),
                ("/details/0/quantity/value", json!("2")),
            ] {
                *compared.pointer_mut(path).unwrap() = value;
            }
            fixture.send(&app, action, &compared).await.assert_refused(&[
                ("$.id", "type mismatch. Expected a string"),
                ("$.subject.identifier", "type mismatch. Expected an object"),
                ("$.performer", "type mismatch. Expected an object"),
                ("$.primary_source", "type mismatch. Expected true or false"),
                ("$.details[0].quantity.value", "type mismatch. Expected a number"),
            ]);
            let mut digits = fixture.content(action);
            digits["primary_source"] = json!("true");
            let digits = digits.to_string().replacen("100.5", "100.5000000000000000000001", 1);
            let answer = send(&app, &fixture, action, &signed(digits.as_bytes(), &[&fixture.signer])).await;
            answer.assert_refused(&[
                ("$.details[0].sell_price", "is a number with more digits than can be kept"),
                ("$.primary_source", "type mismatch. Expected true or false"),
            ]);
        }
        assert_untouched(&app, &documents, [&fixture]).await;
    }

    async fn j01_bodies(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let fixture = fixture_of_user(&app, &documents).await;
        for action in SignedAction::ALL {
            let container = fixture.container(&fixture.content(action));
            let encoded = STANDARD.encode(&container);
            let request = || app.patch(&fixture.path(action)).token(&fixture.base.token);
            for (body, entry, rule) in [
                (json!({}), "$.signed_data", "required"),
                (json!({"signed_data": null}), "$.signed_data", "cast"),
                (json!({"signed_data": 1}), "$.signed_data", "cast"),
                (json!({"signed_data": [encoded]}), "$.signed_data", "cast"),
                (json!({"signed_data": "no base64!"}), NO_BASE64.0, NO_BASE64.1),
                (json!({"signed_data": format!("{encoded}=")}), NO_BASE64.0, NO_BASE64.1),
                (json!({"signed_data": format!(" {encoded}")}), NO_BASE64.0, NO_BASE64.1),
                (json!({"signed_data": encoded, "more": 1}), "$.more", "schema"),
                (json!([]), "$", "schema"),
                (Value::Null, "$", "schema"),
            ] {
                Told::Shape(entry, rule).assert_is(&request().json(&body).send().await);
            }
            let malformed = "Malformed request. Probably, you have sent corrupted JSON.";
            let answer = request().header("content-type", "application/json").body("{").send().await;
            answer.assert_error(400, "request_malformed", malformed);
            let answer = request().body(signed_data(&container).to_string()).send().await;
            assert_eq!(answer.status, 415, "{:#}", answer.body);
        }
        assert_untouched(&app, &documents, [&fixture]).await;
    }

    async fn j01_body_over_the_limit(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let setup = documents.setup(kind).variable("ESOZ_HTTP__SIGNED_BODY_MAX_BYTES", "20000");
        let small = setup.start().await;
        // So is a new dispense, which has as many details as one that is signed.
        let creating = CreateFixture::load(&small).await;
        let mut body = creating.body();
        body["note"] = json!("x".repeat(20_000));
        assert_eq!(creating.create(&small, &body).await.status, 413);
        for action in SignedAction::ALL {
            let fixture = fixture_of_user(&small, &documents).await;
            let mut content = fixture.content(action);
            content["supporting_info"] = json!(["x".repeat(20_000)]);
            let answer = fixture.send(&small, action, &content).await;
            assert_eq!(answer.status, 413, "{:#}", answer.body);
            assert_eq!(fixture.change(&small, action).await.status, 200);
            // The default holds what other methods would refuse.
            let fixture = fixture_of_user(&app, &documents).await;
            let mut content = fixture.content(action);
            content["performer"]["display_value"] = json!("x".repeat(700_000));
            assert_eq!(fixture.send(&app, action, &content).await.status, 200);
        }
    }

    async fn j01_an_authority_below_the_trusted_one(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let params = TestAuthority::params("An authority below", Documents::VALID).unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let below = documents.authority.intermediate(params, key).unwrap();
        for action in SignedAction::ALL {
            let fixture = fixture_of_user(&app, &documents).await;
            let signer = below.signer(&user(), Documents::VALID).unwrap();
            let container = signed(fixture.content(action).to_string().as_bytes(), &[&signer]);
            let answer = send(&app, &fixture, action, &container).await;
            assert_eq!(answer.status, 200, "{:#}", answer.body);
        }
    }
}
