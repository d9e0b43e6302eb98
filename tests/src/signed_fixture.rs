//! What a complete or a mark in error needs so that nothing is wrong with it. A test changes the one thing that it is about.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use esoz_auth::{NewAccessToken, Scope};
use esoz_device_dispense::{DeviceRequestRecord, Dispense};
use esoz_pseudonym::HmacDrfoDigests;
use esoz_registries::{Party, PartyRecord};
use esoz_signature_cms::sign::{SignOptions, TestSigner, sign};
use esoz_signed_content::{Drfo, DrfoDigest, DrfoDigests as _};
use esoz_testkit::builders::{DispenseBuilder, concept, device_request, dispense_of, fresh, party_of};
use serde_json::{Value, json};

use crate::{Answer, Documents, PATIENT_KEY, Request, StopFixture, TestApp, secret_scan};

/// A change of a dispense by a signed document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignedAction {
    /// It is completed.
    Complete,
    /// It is marked in error.
    MarkInError,
}

impl SignedAction {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Complete, Self::MarkInError];

    /// The last part of its path.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::MarkInError => "mark_in_error",
        }
    }

    /// The status that it leads to.
    pub const fn status(self) -> &'static str {
        match self {
            Self::Complete => "completed",
            Self::MarkInError => "entered_in_error",
        }
    }

    /// The fields of the record that its client sets, beside the status.
    const fn free(self) -> &'static [&'static str] {
        match self {
            Self::Complete => &["when_handed_over", "payment_amount", "payment_id", "note"],
            Self::MarkInError => &["status_reason", "explanatory_letter"],
        }
    }
}

/// A pharmacy with a dispense in progress, the device request that it is based on, a signer who is the user that recorded it, and a token of that user.
pub struct SignedFixture {
    /// The pharmacy, the patient, the token and the dispense.
    pub base: StopFixture,
    /// The party of the user.
    pub party: PartyRecord,
    /// The device request, which has a quantity.
    pub request: DeviceRequestRecord,
    /// The user's key and certificate.
    pub signer: TestSigner,
}

impl SignedFixture {
    /// Makes it, and loads it into the app's stores.
    pub async fn load(app: &TestApp, documents: &Documents) -> Self {
        let fixture = Self::new(app, documents);
        fixture.store(app).await;
        fixture
    }

    /// Makes it, loading nothing.
    pub fn new(app: &TestApp, documents: &Documents) -> Self {
        let stop = StopFixture::new(app);
        let scope = "device_dispense:complete device_dispense:mark_in_error device_dispense:read device_dispense:stop";
        let stored_token = NewAccessToken { scope: Scope::parse(scope), ..stop.stored_token };
        let mut request = device_request();
        request.facts.subject = app.pseudonym_of(stop.patient);
        let drfo = format!("{:010}", fresh().as_u128() % 10_000_000_000);
        let party = party_of([stored_token.user_id]);
        let party = PartyRecord { facts: Party { drfo: digest_of(&drfo), ..party.facts }, ..party };
        let dispense = dispense_of(&request.facts)
            .owner(stop.pharmacy.facts.id)
            .field("inserted_by", json!(stored_token.user_id.to_string()))
            .build();
        let base = StopFixture { stored_token, dispense, ..stop };
        Self { base, party, request, signer: documents.signer(Some(&drfo)) }
    }

    /// Loads it into the app's stores.
    ///
    /// # Panics
    /// When it cannot be stored.
    pub async fn store(&self, app: &TestApp) {
        app.put_legal_entity(&self.base.pharmacy).await;
        app.stores.credentials.add_token(&self.base.stored_token).await.unwrap();
        app.put_record(&self.party).await;
        app.put_device_request(&self.request).await;
        app.put_dispense(&self.base.dispense).await;
    }

    /// Begins another dispense of the same request, by the same user.
    pub fn another(&self) -> DispenseBuilder {
        dispense_of(&self.request.facts)
            .owner(self.base.pharmacy.facts.id)
            .field("inserted_by", json!(self.base.stored_token.user_id.to_string()))
    }

    /// What is signed: the dispense as it is shown, with the change.
    pub fn content(&self, action: SignedAction) -> Value {
        self.content_of(action, &self.base.dispense)
    }

    /// The same for that dispense of the same pharmacy and patient.
    pub fn content_of(&self, action: SignedAction, dispense: &Dispense) -> Value {
        let mut content = self.base.shown(dispense);
        content["status"] = json!(action.status());
        match action {
            SignedAction::Complete => {
                content["when_handed_over"] = json!("2026-01-31T08:10:00.000Z");
                content["payment_amount"] = json!(150.5);
            }
            SignedAction::MarkInError => {
                content["status_reason"] = concept("device_dispense_mark_in_error_reasons", "duplicate");
            }
        }
        content
    }

    /// The container of what the user has signed.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn container(&self, content: &Value) -> Vec<u8> {
        sign(content.to_string().as_bytes(), &[&self.signer], SignOptions::default()).unwrap()
    }

    /// The path of the change.
    pub fn path(&self, action: SignedAction) -> String {
        self.path_of(action, &self.base.dispense)
    }

    /// The same for that dispense of the same patient.
    pub fn path_of(&self, action: SignedAction, dispense: &Dispense) -> String {
        let path = self.base.path_of(dispense);
        format!("{}{}", path.strip_suffix("stop").unwrap_or_default(), action.name())
    }

    /// The request that changes the dispense by a document with that content.
    pub fn request(&self, app: &TestApp, action: SignedAction, content: &Value) -> Request {
        self.request_with(app, action, &self.container(content))
    }

    /// The same by that container.
    pub fn request_with(&self, app: &TestApp, action: SignedAction, container: &[u8]) -> Request {
        app.patch(&self.path(action)).token(&self.base.token).json(&signed_data(container))
    }

    /// The request that changes that dispense, with nothing wrong with it.
    pub fn request_for(&self, app: &TestApp, action: SignedAction, dispense: &Dispense) -> Request {
        let container = self.container(&self.content_of(action, dispense));
        let request = app.patch(&self.path_of(action, dispense)).token(&self.base.token);
        request.json(&signed_data(&container))
    }

    /// Changes the dispense by a document with that content.
    pub async fn send(&self, app: &TestApp, action: SignedAction, content: &Value) -> Answer {
        self.request(app, action, content).send().await
    }

    /// Changes the dispense, with nothing wrong.
    pub async fn change(&self, app: &TestApp, action: SignedAction) -> Answer {
        self.send(app, action, &self.content(action)).await
    }

    /// The data of the answer when the dispense was changed by a document with that content, whose times are as they are shown, that is kept under
    /// that key.
    pub fn changed(&self, action: SignedAction, content: &Value, key: &str, at: &str) -> Value {
        self.changed_of(action, &self.base.dispense, content, key, at)
    }

    /// The same for that dispense.
    ///
    /// # Panics
    /// When the dispense is none of the builders.
    pub fn changed_of(
        &self,
        action: SignedAction,
        dispense: &Dispense,
        content: &Value,
        key: &str,
        at: &str,
    ) -> Value {
        let by = self.base.stored_token.user_id.to_string();
        let mut data = self.base.shown(dispense);
        data["status"] = json!(action.status());
        data["updated_at"] = json!(at);
        data["updated_by"] = json!(by);
        let given = action.free().iter().filter(|name| !content[**name].is_null());
        for name in given {
            data[name] = content[name].clone();
        }
        let mut entry = json!({"status": action.status(), "inserted_at": at, "inserted_by": by});
        if action == SignedAction::MarkInError {
            entry["status_reason"] = content["status_reason"].clone();
        }
        data["status_history"].as_array_mut().unwrap().push(entry);
        // A list is started where there is none.
        let mut links = data["signed_content_links"].as_array().cloned().unwrap_or_default();
        links.push(json!(key));
        data["signed_content_links"] = json!(links);
        data
    }
}

/// The body of a change by a signed document.
pub fn signed_data(container: &[u8]) -> Value {
    json!({"signed_data": STANDARD.encode(container)})
}

/// What a register stores in the place of that taxpayer number.
///
/// # Panics
/// Never.
pub fn digest_of(drfo: &str) -> Option<DrfoDigest> {
    let digests = HmacDrfoDigests::try_new(PATIENT_KEY).unwrap();
    let digest = Drfo::parse(drfo).map(|drfo| digests.of(&drfo));
    if let Some(digest) = &digest {
        secret_scan::register_secret("a digest of a taxpayer number", digest.expose());
    }
    digest
}
