//! I01 for complete and mark in error: sent again under one idempotency key.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use esoz::Parts;
use esoz_auth::Scope;
use esoz_kernel::{StoreError, UserId};
use esoz_legal_entity::LegalEntityStatus;
use esoz_signed_content::{Container, SignatureVerifier};
use esoz_testkit::builders::fresh;
use esoz_tests::{Answer, Documents, Request, SignedAction, SignedFixture, TestApp, on_every_store};
use serde_json::{Value, json};

use super::assert_untouched;
use crate::NOW_MILLIS;
use crate::idempotency::{AT_ONCE, REUSED, assert_conflict, assert_data, assert_error, marked};
use crate::stop::history;

/// The request by that container, under the key `one`.
fn one(app: &TestApp, fixture: &SignedFixture, action: SignedAction, container: &[u8]) -> Request {
    marked(fixture.request_with(app, action, container), "one")
}

/// A verifier that accepts no certificate once their time has ended.
struct Ending {
    inner: Arc<dyn SignatureVerifier>,
    has_ended: Arc<AtomicBool>,
}

#[async_trait]
impl SignatureVerifier for Ending {
    async fn verify(&self, container: &[u8]) -> Result<Result<Container, &'static str>, StoreError> {
        let mut judged = self.inner.verify(container).await?;
        if self.has_ended.load(Ordering::SeqCst)
            && let Ok(container) = &mut judged
        {
            container.signers.iter_mut().for_each(|signer| signer.verdict = Err("certificate_expired"));
        }
        Ok(judged)
    }
}

/// It happened once: one entry of the history, one event of the dispense, and one container, which is the one that was sent.
async fn assert_once(app: &TestApp, documents: &Documents, fixture: &SignedFixture, container: &[u8]) {
    assert_eq!(history(app, &fixture.base).await, 2);
    assert_eq!(app.events_of(&fixture.base.dispense).await.len(), 1);
    let of_dispense = format!("/{}/", fixture.base.dispense.id);
    let kept = documents.kept();
    let keys: Vec<&String> = kept.iter().filter(|key| key.contains(&of_dispense)).collect();
    let [key] = keys.as_slice() else { panic!("{keys:?}") };
    assert_eq!(documents.container(key).await, container);
}

fn expected(documents: &Documents, fixture: &SignedFixture, action: SignedAction) -> Value {
    let of_dispense = format!("/{}/", fixture.base.dispense.id);
    let key = documents.kept().into_iter().find(|key| key.contains(&of_dispense)).unwrap();
    fixture.changed(action, &fixture.content(action), &key, NOW_MILLIS)
}

on_every_store! {
    async fn i01_sent_again(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        for action in SignedAction::ALL {
            let fixture = SignedFixture::load(&app, &documents).await;
            let container = fixture.container(&fixture.content(action));
            let answer = one(&app, &fixture, action, &container).send().await;
            let data = expected(&documents, &fixture, action);
            assert_data(&answer, "one", &data);
            assert_data(&one(&app, &fixture, action, &container).send().await, "one", &data);
            app.clock.set(app.in_seconds(60));
            assert_data(&one(&app, &fixture, action, &container).send().await, "one", &data);
            app.clock.set(app.in_seconds(-60));
            assert_once(&app, &documents, &fixture, &container).await;
        }
    }

    async fn i01_sent_again_when_its_certificate_is_not_accepted_any_more(kind) {
        let documents = Documents::new();
        let has_ended = Arc::<AtomicBool>::default();
        let ended = Arc::clone(&has_ended);
        let replace = move |parts: &mut Parts| {
            parts.verifier = Arc::new(Ending { inner: Arc::clone(&parts.verifier), has_ended: ended });
        };
        let app = documents.setup(kind).replace(replace).start().await;
        for action in SignedAction::ALL {
            has_ended.store(false, Ordering::SeqCst);
            let fixture = SignedFixture::load(&app, &documents).await;
            let container = fixture.container(&fixture.content(action));
            let answer = one(&app, &fixture, action, &container).send().await;
            let data = expected(&documents, &fixture, action);
            assert_data(&answer, "one", &data);
            has_ended.store(true, Ordering::SeqCst);
            assert_data(&one(&app, &fixture, action, &container).send().await, "one", &data);
            // What was never accepted, or is no repetition, is judged by what holds now.
            let another = fixture.container(&fixture.content(action));
            for refused in [
                one(&app, &fixture, action, &another),
                marked(fixture.request_with(&app, action, &container), "two"),
                fixture.request_with(&app, action, &container),
            ] {
                let answer = refused.send().await;
                assert_eq!((answer.status.as_u16(), answer.body["error"]["message"].as_str()), (400, Some("Invalid signed content")));
            }
            assert_once(&app, &documents, &fixture, &container).await;
            // The standing of who repeats it is checked anew, and what is refused is the document: it comes first.
            let mut closed = fixture.base.pharmacy.clone();
            closed.facts.status = LegalEntityStatus::Closed;
            app.put_legal_entity(&closed).await;
            let expected = if action == SignedAction::Complete { 400 } else { 409 };
            assert_eq!(one(&app, &fixture, action, &container).send().await.status, expected);
        }
    }

    async fn i01_many_times_at_once(kind) {
        let documents = Documents::new();
        let app = documents.setup(kind).start().await;
        for action in SignedAction::ALL {
            let fixture = SignedFixture::load(&app, &documents).await;
            let container = fixture.container(&fixture.content(action));
            let requests = (0..AT_ONCE).map(|_| tokio::spawn(one(&app, &fixture, action, &container).send()));
            let mut answers: Vec<Answer> = Vec::new();
            for request in requests.collect::<Vec<_>>() {
                answers.push(request.await.unwrap());
            }
            let data = expected(&documents, &fixture, action);
            for answer in &answers {
                assert_data(answer, "one", &data);
            }
            assert_once(&app, &documents, &fixture, &container).await;
        }
    }

    async fn i01_another_document(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        for action in SignedAction::ALL {
            let fixture = SignedFixture::load(&app, &documents).await;
            let content = fixture.content(action);
            let container = fixture.container(&content);
            assert_eq!(one(&app, &fixture, action, &container).send().await.status, 200);
            // The same content, signed again, is another document.
            let again = fixture.container(&content);
            assert_ne!(container, again);
            assert_conflict(&one(&app, &fixture, action, &again).send().await, REUSED);
            let mut other = content.clone();
            other["performer"]["display_value"] = json!("another");
            assert_conflict(&one(&app, &fixture, action, &fixture.container(&other)).send().await, REUSED);
            assert_once(&app, &documents, &fixture, &container).await;
        }
    }

    async fn i01_another_dispense_or_method(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        for (action, other) in [(SignedAction::ALL[0], SignedAction::ALL[1]), (SignedAction::ALL[1], SignedAction::ALL[0])] {
            let fixture = SignedFixture::load(&app, &documents).await;
            let container = fixture.container(&fixture.content(action));
            assert_eq!(one(&app, &fixture, action, &container).send().await.status, 200);
            let another = fixture.another().build();
            app.put_dispense(&another).await;
            let reused = marked(fixture.request_for(&app, action, &another), "one").send().await;
            assert_conflict(&reused, REUSED);
            fixture.base.assert_untouched(&app, &another).await;
            // A key of another method is another key.
            assert_eq!(marked(fixture.request_for(&app, other, &another), "one").send().await.status, 200);
            assert_once(&app, &documents, &fixture, &container).await;
        }
    }

    async fn i01_a_refusal_leaves_the_key_free(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        for action in SignedAction::ALL {
            let fixture = SignedFixture::load(&app, &documents).await;
            let kept = documents.kept();
            let mut content = fixture.content(action);
            content["more"] = json!(1);
            let refused = one(&app, &fixture, action, &fixture.container(&content)).send().await;
            assert_eq!(refused.status, 422, "{:#}", refused.body);
            assert_eq!(documents.kept(), kept);
            let container = fixture.container(&fixture.content(action));
            let answer = one(&app, &fixture, action, &container).send().await;
            assert_data(&answer, "one", &expected(&documents, &fixture, action));
        }
    }

    async fn i01_who_repeats_is_checked_anew(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        for action in SignedAction::ALL {
            let fixture = SignedFixture::load(&app, &documents).await;
            let container = fixture.container(&fixture.content(action));
            assert_eq!(one(&app, &fixture, action, &container).send().await.status, 200);
            let data = expected(&documents, &fixture, action);
            let token = fixture.base.issue(&app, |token| token.scope = Scope::default()).await;
            let body = esoz_tests::signed_data(&container);
            let request = |token| marked(app.patch(&fixture.path(action)).token(token).json(&body), "one");
            assert_eq!(request(&token).send().await.status, 403);
            // A colleague has not signed it.
            let token = fixture.base.issue(&app, |token| token.user_id = UserId::new(fresh())).await;
            let invalid = json!([{
                "entry_type": "json_data_property",
                "entry": "$.signed_data",
                "rules": [{"rule": "invalid", "description": "Does not match the signer drfo", "params": []}],
            }]);
            let error = json!({"type": "validation_failed", "message": "Validation failed.", "invalid": invalid});
            assert_error(&request(&token).send().await, 422, &error);
            assert_data(&request(&fixture.base.token).send().await, "one", &data);
            assert_once(&app, &documents, &fixture, &container).await;
        }
    }

    async fn i01_a_header_that_is_no_key(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let fixture = SignedFixture::load(&app, &documents).await;
        for action in SignedAction::ALL {
            let request = marked(fixture.request(&app, action, &fixture.content(action)), "");
            assert_eq!(request.send().await.status, 422);
        }
        assert_untouched(&app, &documents, [&fixture]).await;
    }
}
