//! What creates rest on, the requests of clients, and what the stores hold in the end.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use esoz::Stores;
use esoz_auth::{NewAccessToken, Scope, Secret};
use esoz_device_dispense::{PatientPseudonyms as _, RequestedDevice, RequestedQuantity};
use esoz_kernel::system::SystemClock;
use esoz_kernel::time::rfc3339_millis;
use esoz_kernel::{Clock as _, DispenseId, PatientId, Put};
use esoz_pseudonym::HmacSha256Pseudonyms;
use esoz_signature_cms::sign::{SignOptions, TestSigner, sign};
use esoz_testkit::builders::{access_token, concept, device_request, fresh, secret};
use esoz_testkit::registries::RegistryFixture;
use esoz_tests::{Documents, PATIENT_KEY, client_of, digest_of, dispenses_path, given, signed_data};
use hyper::Method;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::check::Stored;
use crate::client::Ask;
use crate::fixtures::open;
use crate::state::State;

/// The taxpayer number of the pharmacist.
const DRFO: &str = "3141592653";
/// What is asked for, and dispensed.
const PIECES: u32 = 100;
const LAST_DAY: &str = "2099-12-31";
const SCOPE: &str = "device_dispense:write device_dispense:complete device_dispense:mark_in_error";

/// A pharmacy, a patient, a pharmacist, and a device without a medical program.
pub(super) struct Fixtures {
    pub(super) stores: Stores,
    pub(super) documents: Documents,
    records: RegistryFixture,
    patient: PatientId,
    token: Secret,
    signer: TestSigner,
}

impl Fixtures {
    pub(super) async fn load(variables: &[(String, String)]) -> Result<Self> {
        let stores = open(variables).await.context("opening the stores")?;
        let (documents, patient) = (Documents::new(), PatientId::new(fresh()));
        let mut records = RegistryFixture::build();
        records.person.subject = HmacSha256Pseudonyms::try_new(PATIENT_KEY)?.of(patient);
        records.party.facts.drfo = digest_of(DRFO);
        records
            .store(&*stores.registry_records, &*stores.contract_registry, &*stores.legal_entity_registry)
            .await;
        let (token, now) = (secret(), SystemClock.now());
        let stored_token = NewAccessToken {
            user_id: records.user,
            client_id: client_of(records.legal_entity.facts.id),
            scope: Scope::parse(SCOPE),
            issued_at: now,
            expires_at: now.saturating_add(SignedDuration::from_hours(6)),
            ..access_token(&token)
        };
        stores.credentials.add_token(&stored_token).await?;
        let signer = documents.signer(Some(DRFO));
        Ok(Self { stores, documents, records, patient, token, signer })
    }

    /// Loads another device request of the patient, which allows one dispense; gives its id.
    pub(super) async fn request(&self) -> Result<String> {
        let mut request = device_request();
        request.facts.subject = self.records.person.subject.clone();
        request.facts.dispense_valid_to = LAST_DAY.parse()?;
        request.facts.occurrence_period = None;
        request.facts.program = None;
        let definition = &self.records.definition.facts;
        request.facts.device = RequestedDevice::Type(definition.classification_type.clone());
        // With a quantity it allows one dispense.
        let code = definition.packaging_unit.clone();
        request.facts.quantity = Some(RequestedQuantity { value: PIECES.into(), code });
        let put = self.stores.device_requests.put(std::slice::from_ref(&request)).await?;
        ensure!(put == [Put::Created], "not loaded: {put:?}");
        Ok(request.facts.id.to_string())
    }

    fn ask(&self, method: Method, path: String, key: &str, body: &Value) -> Ask {
        let headers = vec![
            ("authorization", format!("Bearer {}", self.token.expose())),
            ("x-idempotency-key", key.to_owned()),
        ];
        Ask { method, path, headers, body: body.to_string() }
    }

    fn path(&self) -> String {
        dispenses_path(&self.patient.uuid().to_string())
    }

    /// The create of a dispense of that request.
    pub(super) fn create(&self, dispense: &str, request: &str, key: &str) -> Ask {
        let Self { records, .. } = self;
        let body = json!({
            "id": dispense,
            "status": "in_progress",
            "performer": given("employee", records.employee.facts.id),
            "location": given("division", records.division.facts.id),
            "based_on": given("device_request", request),
            "details": [{
                "device": given("device_definition", records.definition.facts.id),
                "quantity": {"value": PIECES, "system": "device_unit", "code": "piece"},
                "sell_price": 150.5,
            }],
        });
        self.ask(Method::POST, self.path(), key, &body)
    }

    /// The complete of a dispense that was answered so, by a document that is signed now.
    pub(super) fn complete(&self, dispense: &Value, key: &str) -> Result<Ask> {
        let mut content = dispense.clone();
        content["status"] = json!("completed");
        content["when_handed_over"] = json!(rfc3339_millis(SystemClock.now()));
        content["payment_amount"] = json!(150.5);
        self.signed(&content, "complete", key)
    }

    /// The same for a mark in error.
    pub(super) fn mark_in_error(&self, dispense: &Value, key: &str) -> Result<Ask> {
        let mut content = dispense.clone();
        content["status"] = json!("entered_in_error");
        content["status_reason"] = concept("device_dispense_mark_in_error_reasons", "duplicate");
        self.signed(&content, "mark_in_error", key)
    }

    fn signed(&self, content: &Value, action: &str, key: &str) -> Result<Ask> {
        let container = sign(content.to_string().as_bytes(), &[&self.signer], SignOptions::default())?;
        let id = content["id"].as_str().context("a dispense without an id")?;
        let path = format!("{}/{id}/actions/{action}", self.path());
        Ok(self.ask(Method::PATCH, path, key, &signed_data(&container)))
    }

    /// Everything that is stored of the dispenses.
    pub(super) async fn stored(&self, state: &State) -> Result<BTreeMap<String, Stored>> {
        let kept = self.documents.kept();
        let mut all = BTreeMap::new();
        for (id, dispense) in &state.dispenses {
            let facts = self.stores.dispense_writes.facts(id.parse::<DispenseId>()?).await?;
            let found = facts.stored.context("a dispense that is gone")?.dispense?;
            let links = found.record.get("signed_content_links").and_then(Value::as_array);
            let links: Vec<String> =
                links.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
            let without_document = links.iter().filter(|link| !kept.contains(link)).cloned().collect();
            let stored = Stored {
                dispense: dispense.clone(),
                links,
                without_document,
                request: facts.request.context("a dispense without a request")??.status.as_str().to_owned(),
            };
            all.insert(id.clone(), stored);
        }
        Ok(all)
    }
}
