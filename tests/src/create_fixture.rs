//! What a create of a device dispense needs so that nothing is wrong with it. A test changes the one thing that it is about.

use std::fmt::Display;

use esoz_auth::{NewAccessToken, Scope, Secret};
use esoz_device_dispense::{
    DeviceRequestRecord, Dispense, DispenseStatus, RequestedDevice, RequestedQuantity,
};
use esoz_kernel::PatientId;
use esoz_legal_entity::LegalEntityRecord;
use esoz_registries::{DeviceDefinitionRecord, MedicalProgramRecord, ProgramDeviceRecord};
use esoz_testkit::builders::{
    access_token, device_request, dispense_of, fresh, legal_entity, medical_program, reference, secret,
};
use esoz_testkit::registries::RegistryFixture;
use reqwest::Method;
use serde_json::{Value, json};

use crate::tokens::{client_of, issue};
use crate::{Answer, Request, TestApp};

/// A pharmacist of a pharmacy, and a request for two packages of fifty pieces of a device, for which a program pays 100 hryvnias a package.
#[derive(Clone)]
pub struct CreateFixture {
    /// The patient.
    pub patient: PatientId,
    /// The administrative records.
    pub records: RegistryFixture,
    /// The request.
    pub request: DeviceRequestRecord,
    /// Another pharmacy.
    pub another: LegalEntityRecord,
    /// Another program, which pays for nothing.
    pub another_program: MedicalProgramRecord,
    /// Further devices.
    pub definitions: Vec<DeviceDefinitionRecord>,
    /// Further devices of programs.
    pub devices: Vec<ProgramDeviceRecord>,
    /// Dispenses that were recorded before.
    pub earlier: Vec<Dispense>,
    /// The pharmacist's token, as its holder has it.
    pub token: Secret,
    /// The token, as it is stored.
    pub stored_token: NewAccessToken,
}

impl CreateFixture {
    /// Makes it, and loads it into the app's stores.
    pub async fn load(app: &TestApp) -> Self {
        let fixture = Self::new(app);
        fixture.store(app).await;
        fixture
    }

    /// Makes it, loading nothing.
    pub fn new(app: &TestApp) -> Self {
        let patient = PatientId::new(fresh());
        let mut records = RegistryFixture::build();
        records.person.subject = app.pseudonym_of(patient);
        let mut request = device_request();
        request.facts.subject = records.person.subject.clone();
        request.facts.program = Some(records.program.id);
        request.facts.device = RequestedDevice::Type(records.definition.facts.classification_type.clone());
        let code = records.definition.facts.packaging_unit.clone();
        request.facts.quantity = Some(RequestedQuantity { value: 100.into(), code });
        let token = secret();
        let stored_token = NewAccessToken {
            user_id: records.user,
            client_id: client_of(records.legal_entity.facts.id),
            scope: Scope::parse("device_dispense:write device_dispense:read device_dispense:stop"),
            expires_at: app.in_seconds(86_400),
            ..access_token(&token)
        };
        Self {
            patient,
            records,
            request,
            another: legal_entity(),
            another_program: medical_program(),
            definitions: Vec::new(),
            devices: Vec::new(),
            earlier: Vec::new(),
            token,
            stored_token,
        }
    }

    /// Loads it into the app's stores.
    pub async fn store(&self, app: &TestApp) {
        let Self { records, .. } = self;
        for legal_entity in [&records.legal_entity, &self.another] {
            app.put_legal_entity(legal_entity).await;
        }
        app.put_division(&records.division).await;
        app.put_record(&records.person).await;
        app.put_record(&records.party).await;
        app.put_record(&records.employee).await;
        for program in [&records.program, &self.another_program] {
            app.put_record(program).await;
        }
        for definition in self.definitions.iter().chain([&records.definition]) {
            app.put_record(definition).await;
        }
        for device in self.devices.iter().chain([&records.device]) {
            app.put_record(device).await;
        }
        app.put_device_request(&self.request).await;
        for dispense in &self.earlier {
            app.put_dispense(dispense).await;
        }
        app.stores.credentials.add_token(&self.stored_token).await.unwrap();
    }

    /// Another request of the same patient for the same, loaded.
    pub async fn another_request(&self, app: &TestApp) -> DeviceRequestRecord {
        let mut request = self.request.clone();
        request.facts.id = device_request().facts.id;
        app.put_device_request(&request).await;
        request
    }

    /// A dispense of the request in that status, by the pharmacy, with nothing loaded.
    pub fn dispense(&self, status: DispenseStatus) -> Dispense {
        dispense_of(&self.request.facts).owner(self.records.legal_entity.facts.id).status(status).build()
    }

    /// A body of which nothing is wrong, with an id of its own: all that is requested, in one detail.
    pub fn body(&self) -> Value {
        let Self { records, request, .. } = self;
        let mut body = json!({
            "id": fresh().to_string(),
            "status": "in_progress",
            "performer": given("employee", records.employee.facts.id),
            "location": given("division", records.division.facts.id),
            "based_on": given("device_request", request.facts.id),
            "details": [self.detail(100)],
        });
        if let Some(program) = request.facts.program {
            body["program"] = given("medical_program", program);
        }
        body
    }

    /// A detail of which nothing is wrong: that many pieces of the device.
    pub fn detail(&self, pieces: u32) -> Value {
        let mut detail = json!({
            "device": given("device_definition", self.records.definition.facts.id),
            "quantity": {"value": pieces, "system": "device_unit", "code": "piece"},
            "sell_price": 150.5,
        });
        if self.request.facts.program.is_some() {
            detail["discount_amount"] = json!(2 * pieces);
        }
        detail
    }

    /// The path of all dispenses of the patient.
    pub fn path(&self) -> String {
        dispenses_path(&self.patient.uuid().to_string())
    }

    /// The path of the dispense that the body names.
    pub fn path_of(&self, body: &Value) -> String {
        format!("{}/{}", self.path(), body["id"].as_str().unwrap())
    }

    /// The request that creates the dispense.
    pub fn request(&self, app: &TestApp, body: &Value) -> Request {
        self.request_at(app, app.base(), body)
    }

    /// The same to another server on the same stores.
    pub fn request_at(&self, app: &TestApp, base: &str, body: &Value) -> Request {
        app.request_at(base, Method::POST, &self.path()).token(&self.token).json(body)
    }

    /// Creates the dispense.
    pub async fn create(&self, app: &TestApp, body: &Value) -> Answer {
        self.request(app, body).send().await
    }

    /// Shows the dispense that the body names.
    pub async fn show(&self, app: &TestApp, body: &Value) -> Answer {
        app.request(Method::GET, &self.path_of(body)).token(&self.token).send().await
    }

    /// Stops the dispense that the body names.
    pub async fn stop(&self, app: &TestApp, body: &Value) -> Answer {
        let path = format!("{}/actions/stop", self.path_of(body));
        app.patch(&path).token(&self.token).send().await
    }

    /// The token, changed, as a second one for the same user and client.
    pub async fn issue(&self, app: &TestApp, change: impl FnOnce(&mut NewAccessToken)) -> Secret {
        issue(app, &self.stored_token, change).await
    }
}

/// The path of all dispenses of a patient.
pub fn dispenses_path(patient: &str) -> String {
    format!("/api/patients/{patient}/device_dispenses")
}

/// A FHIR Reference as a client gives it: without what the service adds.
pub fn given(code: &str, id: impl Display) -> Value {
    json!({"identifier": reference(code, id)["identifier"]})
}
