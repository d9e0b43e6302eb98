//! Dispenses that are completed and marked in error by signed documents: K, E, J, and I for these two.

mod complete;
mod complete_rules;
mod containers;
mod equality;
mod idempotency;
mod mark_in_error;
mod mark_rules;
mod outages;
mod races;
mod signers;

use esoz_auth::Scope;
use esoz_kernel::{ClientId, DispenseId, LegalEntityId, PatientId};
use esoz_legal_entity::LegalEntityStatus;
use esoz_testkit::builders::{fresh, reference};
use esoz_tests::{Answer, Documents, Kind, SignedAction, SignedFixture, TestApp, digest_of, signed_data};
use serde_json::{Value, json};

const ANOTHER_DRFO: &str = "0000000001";
const NOT_ACTIVE: &str = "client_id refers to legal entity that is not active";
const REQUEST_NOT_ACTIVE: &str = "Device request is not active";
const INVALID_CONTENT: &str = "Invalid signed content";
const NOT_ALLOWED: &str = "value is not allowed in enum";
const MISMATCH: (&str, &str) =
    ("$.signed_data", "Signed content doesn't match with previously created device dispense");
const WRONG_SIGNER: (&str, &str) = ("$.signed_data", "Does not match the signer drfo");
const NO_BASE64: (&str, &str) = ("$.signed_data", "format");

/// What the answer says.
#[derive(Debug, Clone, Copy)]
enum Told {
    /// An error of the whole request: its code, type and message.
    Error(u16, &'static str, &'static str),
    /// A 409 with that message.
    Conflict(&'static str),
    /// A 422 by a rule: entry and description.
    Invalid(&'static str, &'static str),
    /// A 422 by the shape of the body: entry and rule.
    Shape(&'static str, &'static str),
}

const NOT_FOUND: Told = Told::Error(404, "not_found", "not_found");
const NO_CONTAINER: Told = Told::Error(400, "request_malformed", INVALID_CONTENT);

impl Told {
    #[track_caller]
    fn assert_is(self, answer: &Answer) {
        match self {
            Self::Error(code, kind, message) => answer.assert_error(code, kind, message),
            Self::Conflict(message) => answer.assert_conflict(message),
            Self::Invalid(entry, description) => answer.assert_refused(&[(entry, description)]),
            Self::Shape(entry, rule) => answer.assert_faults(&[(entry, rule)]),
        }
    }
}

/// A change with nothing wrong, until something is broken.
struct Case {
    action: SignedAction,
    fixture: SignedFixture,
    content: Value,
    /// In the place of a container with the content.
    body: Option<Value>,
    /// In the place of the dispense and the patient of the fixture.
    id: Option<DispenseId>,
    patient: Option<PatientId>,
}

impl Case {
    fn new(app: &TestApp, documents: &Documents, action: SignedAction) -> Self {
        let fixture = SignedFixture::new(app, documents);
        let content = fixture.content(action);
        Self { action, fixture, content, body: None, id: None, patient: None }
    }

    /// Loads it and sends the request.
    async fn send(&self, app: &TestApp) -> Answer {
        self.fixture.store(app).await;
        let base = &self.fixture.base;
        let (patient, id) = (self.patient.unwrap_or(base.patient), self.id.unwrap_or(base.dispense.id));
        let path =
            format!("/api/patients/{}/device_dispenses/{id}/actions/{}", patient.uuid(), self.action.name());
        let body = self.body.clone().unwrap_or_else(|| signed_data(&self.fixture.container(&self.content)));
        app.patch(&path).token(&base.token).json(&body).send().await
    }

    fn set_stored(&mut self, name: &str, value: Value) {
        self.fixture.base.dispense.record.insert(name.to_owned(), value.clone());
        self.content[name] = value;
    }

    fn scope_of_another_method(&mut self) {
        self.fixture.base.stored_token.scope = Scope::parse("device_dispense:stop device_dispense:read");
    }

    fn no_base64(&mut self) {
        self.body = Some(json!({"signed_data": "no base64!"}));
    }

    fn no_container(&mut self) {
        self.body = Some(signed_data(b"no container"));
    }

    fn another_signer(&mut self) {
        self.fixture.party.facts.drfo = digest_of(ANOTHER_DRFO);
    }

    fn suspended(&mut self) {
        self.fixture.base.pharmacy.facts.status = LegalEntityStatus::Suspended;
    }

    fn unknown_legal_entity(&mut self) {
        self.fixture.base.stored_token.client_id = ClientId::new(fresh());
    }

    fn unknown_dispense(&mut self) {
        self.id = Some(DispenseId::new(fresh()));
    }

    fn of_another_legal_entity(&mut self) {
        let owner = LegalEntityId::new(fresh());
        self.fixture.base.dispense.owner = owner;
        self.set_stored("performer_legal_entity", reference("legal_entity", owner));
    }

    fn of_another_patient(&mut self) {
        self.patient = Some(PatientId::new(fresh()));
    }
}

/// A rule: its row, what breaks it, and what is told.
type Rule = (&'static str, fn(&mut Case), Told);

/// Breaks each rule of the row alone, and together with each of the row after it: the rule answers, and nothing is written.
async fn hold(kind: Kind, action: SignedAction, rules: &[Rule], row: &str) {
    let documents = Documents::new();
    let app = documents.start(kind).await;
    let last = rules.iter().rposition(|rule| rule.0 == row).unwrap();
    let next = rules.get(last + 1).map_or("", |rule| rule.0);
    let mut cases = Vec::new();
    for (_, first, told) in rules.iter().filter(|rule| rule.0 == row) {
        let alone = (None, first);
        let after = rules.iter().filter(|rule| rule.0 == next).map(|rule| (Some(rule.1), first));
        for (second, first) in std::iter::once(alone).chain(after) {
            let mut case = Case::new(&app, &documents, action);
            if let Some(second) = second {
                second(&mut case);
            }
            first(&mut case);
            told.assert_is(&case.send(&app).await);
            cases.push(case);
        }
    }
    assert_untouched(&app, &documents, cases.iter().map(|case| &case.fixture)).await;
}

/// Nothing happened: the dispenses and requests are stored as they were loaded, no container is kept and no event says otherwise.
async fn assert_untouched<'a>(
    app: &TestApp,
    documents: &Documents,
    fixtures: impl IntoIterator<Item = &'a SignedFixture>,
) {
    assert_eq!(documents.kept(), [""; 0]);
    for fixture in fixtures {
        let dispense = &fixture.base.dispense;
        let facts = app.stores.dispense_writes.facts(dispense.id).await.unwrap();
        assert_eq!(facts.stored.unwrap().dispense.unwrap(), *dispense);
        if let Some(request) = facts.request {
            assert_eq!(request.unwrap(), fixture.request.facts);
        }
    }
    app.settled().await;
    assert_eq!(app.delivered().messages().await, []);
}

/// A change of which nothing is wrong takes effect: the one container that is kept is what was sent.
async fn applied(app: &TestApp, documents: &Documents, case: &Case) -> Value {
    let answer = case.send(app).await;
    let key = documents.kept_one();
    let data = case.fixture.changed(case.action, &case.content, &key, crate::NOW_MILLIS);
    answer.assert_data(&data);
    data
}
