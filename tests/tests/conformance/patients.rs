//! I02: no patient's id is stored, whatever happens to a dispense.

use esoz_tests::SignedAction::{Complete, MarkInError};
use esoz_tests::secret_scan::holds_patient_id;
use esoz_tests::{CreateFixture, Documents, SignedFixture, TestApp, on_every_store};
use serde_json::{Value, json};

use crate::idempotency::marked;

/// Everything that is stored or was delivered.
async fn stored(app: &TestApp) -> String {
    app.settled().await;
    app.test_stores.contents().await.join("\n")
}

on_every_store! {
    async fn i02_no_patient_in_stores_keys_and_events(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let creating = CreateFixture::load(&app).await;
        let create = async |body: &Value| marked(creating.request(&app, body), "one").send().await.status;
        let body = creating.body();
        let mut wrong = body.clone();
        wrong["note"] = creating.patient.uuid().to_string().into();
        assert_eq!(create(&wrong).await, 422);
        assert_eq!(create(&body).await, 201);
        assert_eq!(create(&body).await, 201);
        assert_eq!(creating.stop(&app, &body).await.status, 200);

        for action in [Complete, MarkInError] {
            let fixture = SignedFixture::load(&app, &documents).await;
            let change = async |content: &Value| marked(fixture.request(&app, action, content), "one").send().await.status;
            let mut content = fixture.content(action);
            content["more"] = json!(1);
            assert_eq!(change(&content).await, 422);
            assert_eq!(change(&fixture.content(action)).await, 200);
            // Signed anew it is another document.
            assert_eq!(change(&fixture.content(action)).await, 409);
        }
        assert_eq!(documents.kept().len(), 2);
        assert!(!holds_patient_id(&stored(&app).await), "a patient is stored");

        // In whatever form it were stored, it would have been found.
        let id = body["id"].as_str().unwrap().parse().unwrap();
        let patient = creating.patient.uuid().to_string();
        for form in [json!(patient), json!({"text": patient.to_uppercase()}), json!({"$uuid": patient})] {
            app.raw().set_field(id, "planted", form.clone()).await;
            assert!(holds_patient_id(&stored(&app).await), "{form}");
            app.raw().set_field(id, "planted", Value::Null).await;
            assert!(!holds_patient_id(&stored(&app).await));
        }
    }
}
