//! What a stop needs so that nothing is wrong with it. A test changes the one thing that it is about.

use esoz_auth::{NewAccessToken, Secret};
use esoz_device_dispense::Dispense;
use esoz_kernel::PatientId;
use esoz_legal_entity::LegalEntityRecord;
use esoz_testkit::builders::{DispenseBuilder, access_token, dispense, fresh, legal_entity, secret};
use serde_json::{Value, json};

use crate::tokens::{client_of, issue};
use crate::{Answer, Request, TestApp};

/// A pharmacy with a dispense in progress, and a token of its own that may stop it.
pub struct StopFixture {
    /// The pharmacy.
    pub pharmacy: LegalEntityRecord,
    /// The patient.
    pub patient: PatientId,
    /// The token, as its holder has it.
    pub token: Secret,
    /// The token, as it is stored.
    pub stored_token: NewAccessToken,
    /// The dispense.
    pub dispense: Dispense,
}

impl StopFixture {
    /// Makes it, and loads it into the app's stores.
    pub async fn load(app: &TestApp) -> Self {
        let fixture = Self::new(app);
        app.put_legal_entity(&fixture.pharmacy).await;
        app.stores.credentials.add_token(&fixture.stored_token).await.unwrap();
        app.put_dispense(&fixture.dispense).await;
        fixture
    }

    /// Makes it, loading nothing.
    pub fn new(app: &TestApp) -> Self {
        let pharmacy = legal_entity();
        let patient = PatientId::new(fresh());
        let token = secret();
        let stored_token =
            NewAccessToken { client_id: client_of(pharmacy.facts.id), ..app.lasting(access_token(&token)) };
        let dispense = dispense().owner(pharmacy.facts.id).subject(app.pseudonym_of(patient)).build();
        Self { pharmacy, patient, token, stored_token, dispense }
    }

    /// Begins another dispense of the same pharmacy and patient.
    pub fn another(&self, app: &TestApp) -> DispenseBuilder {
        dispense().owner(self.pharmacy.facts.id).subject(app.pseudonym_of(self.patient))
    }

    /// The path that stops the dispense.
    pub fn path(&self) -> String {
        self.path_of(&self.dispense)
    }

    /// The path that stops that dispense of the same patient.
    pub fn path_of(&self, dispense: &Dispense) -> String {
        stop_path(&self.patient.uuid().to_string(), &dispense.id.to_string())
    }

    /// The request that stops the dispense, with nothing wrong with it.
    pub fn request(&self, app: &TestApp) -> Request {
        app.patch(&self.path()).token(&self.token)
    }

    /// The same for that dispense of the same pharmacy and patient.
    pub fn request_for(&self, app: &TestApp, dispense: &Dispense) -> Request {
        app.patch(&self.path_of(dispense)).token(&self.token)
    }

    /// Stops the dispense.
    pub async fn stop(&self, app: &TestApp) -> Answer {
        self.request(app).send().await
    }

    /// The token, changed, as a second one for the same user and client.
    pub async fn issue(&self, app: &TestApp, change: impl FnOnce(&mut NewAccessToken)) -> Secret {
        issue(app, &self.stored_token, change).await
    }

    /// Nothing happened to that dispense: it is stored as it was loaded, and no event says otherwise.
    pub async fn assert_untouched(&self, app: &TestApp, dispense: &Dispense) {
        let stored = app.stores.dispenses.find(dispense.id).await.unwrap().unwrap().dispense.unwrap();
        assert_eq!(stored.record, dispense.record);
        assert_eq!(stored, *dispense);
        assert_eq!(app.events_of(dispense).await, []);
    }

    /// The data of an answer that shows the dispense.
    pub fn shown(&self, dispense: &Dispense) -> Value {
        let mut data = Value::Object(dispense.record.clone());
        data["id"] = json!(dispense.id.to_string());
        data["subject"] = esoz_testkit::builders::reference("patient", self.patient.uuid());
        data
    }

    /// The data of the answer when the dispense was stopped at that time (milliseconds).
    pub fn stopped(&self, dispense: &Dispense, at: &str) -> Value {
        let by = self.stored_token.user_id.to_string();
        let mut data = self.shown(dispense);
        data["status"] = json!("stopped");
        data["updated_at"] = json!(at);
        data["updated_by"] = json!(by);
        let history = data["status_history"].as_array_mut().unwrap();
        history.push(json!({"status": "stopped", "inserted_at": at, "inserted_by": by}));
        data
    }
}

/// The path of a stop.
pub fn stop_path(patient: &str, dispense: &str) -> String {
    format!("/api/patients/{patient}/device_dispenses/{dispense}/actions/stop")
}
