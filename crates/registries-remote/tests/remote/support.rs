//! A registry of the tests' own, and the adapter on it.

use std::sync::Arc;
use std::time::Duration;

use esoz_device_dispense::PatientPseudonyms;
use esoz_https::RemoteServer;
use esoz_import::JsonRecord;
use esoz_kernel::{SecretString, StoreError, StoreErrorKind};
use esoz_legal_entity::{LegalEntities, LegalEntityRegistry as _};
use esoz_pseudonym::{HmacDrfoDigests, HmacSha256Pseudonyms};
use esoz_registries::{
    DeviceDefinitionRecord, DeviceDefinitions, EmployeeRecord, Employees, LegalEntityNames, Locations,
    MedicalProgramRecord, MedicalPrograms, Parties as _, PartyRecord, PersonRecord, Persons,
    ProgramDeviceRecord, ProgramDevices, Registry,
};
use esoz_registries_remote::{RegistryKind, RemoteRegistries};
use esoz_testkit::fakes::{FakeContracts, FakeRegistries};
use esoz_testkit::registries::RegistryFixture;
use pollster::block_on;
use serde_json::{Map, Value, json};

#[path = "../../../auth-remote/tests/remote/support/log.rs"]
mod log;
#[path = "../../../auth-remote/tests/remote/support/server.rs"]
#[expect(dead_code, reason = "other tests ask other things of it")]
mod server;

pub(crate) use self::log::Log;
pub(crate) use self::server::{Reply, Seen, TestServer};

/// Longer than anything takes that is going to happen.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) const TOKEN: &str = "a-token-that-only-tests-know";
const SECRET: &str = "a secret that only tests know";

pub(crate) fn pseudonyms() -> Arc<dyn PatientPseudonyms> {
    Arc::new(HmacSha256Pseudonyms::try_new(SECRET).unwrap())
}

pub(crate) fn settings(server: &TestServer) -> RemoteServer {
    RemoteRegistries::settings(server.url("/api"))
}

pub(crate) fn remote_with(settings: &RemoteServer) -> RemoteRegistries {
    remote_of(settings, pseudonyms())
}

pub(crate) fn remote_of(settings: &RemoteServer, pseudonyms: Arc<dyn PatientPseudonyms>) -> RemoteRegistries {
    let digests = Arc::new(HmacDrfoDigests::try_new(SECRET).unwrap());
    RemoteRegistries::try_new(settings, Some(&SecretString::new(TOKEN)), pseudonyms, digests).unwrap()
}

pub(crate) fn remote(server: &TestServer) -> RemoteRegistries {
    remote_with(&settings(server))
}

/// Looks up what a registry of that kind has of the fixture. Returns how much was found.
pub(crate) async fn look_up(
    remote: &RemoteRegistries,
    kind: RegistryKind,
    fixture: &RegistryFixture,
) -> Result<usize, StoreErrorKind> {
    let lookup = tokio::time::timeout(DEADLINE, found(remote, kind, fixture)).await.unwrap();
    lookup.map_err(|error| {
        let told = format!("{} {error:?}", error.with_causes());
        let personal = [
            fixture.person.subject.expose(),
            &fixture.user.to_string(),
            &fixture.party.facts.id.to_string(),
            TOKEN,
            "canary",
        ];
        assert!(!personal.iter().any(|text| told.contains(text)), "{told}");
        assert!(told.contains("asking http://127.0.0.1:") && told.contains(kind.as_str()), "{told}");
        error.kind()
    })
}

async fn found(
    remote: &RemoteRegistries,
    kind: RegistryKind,
    fixture: &RegistryFixture,
) -> Result<usize, StoreError> {
    let query = fixture.query();
    Ok(match kind {
        RegistryKind::LegalEntities => {
            let entity = LegalEntities::find(remote, query.legal_entity).await?;
            let name = LegalEntityNames::find(remote, query.legal_entity).await?;
            assert_eq!(entity.is_some(), name.is_some());
            entity.iter().count()
        }
        RegistryKind::Divisions => Locations::find(remote, query.location).await?.iter().count(),
        RegistryKind::Persons => Persons::find(remote, &query.subject).await?.iter().count(),
        RegistryKind::Parties => remote.of_user(query.user).await?.iter().count(),
        RegistryKind::Employees => Employees::find(remote, query.performer).await?.iter().count(),
        RegistryKind::MedicalPrograms => {
            MedicalPrograms::find(remote, fixture.program.id).await?.iter().count()
        }
        RegistryKind::DeviceDefinitions => {
            DeviceDefinitions::find_all(remote, &query.definitions).await?.len()
        }
        RegistryKind::ProgramDevices => ProgramDevices::find_all(remote, &query.program_devices).await?.len(),
    })
}

/// A registry over HTTP, as its keeper would write it.
#[derive(Clone)]
pub(crate) struct TestRegistry {
    pub(crate) contracts: Arc<FakeContracts>,
    pub(crate) records: Arc<FakeRegistries>,
}

impl TestRegistry {
    pub(crate) fn new() -> Self {
        let contracts = Arc::new(FakeContracts::default());
        Self { records: Arc::new(FakeRegistries::beside(contracts.clone())), contracts }
    }

    /// One that holds the fixture.
    pub(crate) async fn with(fixture: &RegistryFixture) -> Self {
        let registry = Self::new();
        fixture.store(&*registry.records, &*registry.contracts, &*registry.contracts).await;
        registry
    }

    /// How it answers every request.
    pub(crate) fn reply(&self) -> Reply {
        let registry = self.clone();
        Reply::By(Arc::new(move |seen| {
            if seen.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
                return Reply::Json(401, json!({"error": "canary"}).to_string());
            }
            match registry.data(seen) {
                Some(data) => Reply::ok(json!({"meta": {"code": 200}, "data": data})),
                None => Reply::Json(404, json!({"error": {"type": "not_found"}}).to_string()),
            }
        }))
    }

    fn data(&self, seen: &Seen) -> Option<Value> {
        let mut words = seen.head.split_whitespace();
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let (kind, last) = path.strip_prefix("/api/").unwrap().split_once('/').unwrap();
        let asked: Value = serde_json::from_str(&seen.body).unwrap_or_default();
        let by = |name: &'static str, value: &Value| {
            let value = value.clone();
            move |record: &Map<String, Value>| record.get(name) == Some(&value)
        };
        let by_id = by("id", &json!(last));
        match (method, kind) {
            ("GET", "legal_entities") => {
                let page = block_on(self.contracts.scan_legal_entities(None, 1_000)).unwrap();
                one(written(page.records.into_iter().map(Result::unwrap)), by_id)
            }
            ("GET", "divisions") => {
                use esoz_contract_division::ContractRegistry as _;
                let page = block_on(self.contracts.scan_divisions(None, 1_000)).unwrap();
                one(written(page.records.into_iter().map(Result::unwrap)), by_id)
            }
            ("GET", "employees") => one(self.all::<EmployeeRecord>(), by_id),
            ("GET", "medical_programs") => one(self.all::<MedicalProgramRecord>(), by_id),
            ("GET", "device_definitions") => one(self.all::<DeviceDefinitionRecord>(), by_id),
            ("POST", "persons") => one(self.all::<PersonRecord>(), by("subject", &asked["subject"])),
            ("POST", "parties") => one(self.all::<PartyRecord>(), |party| {
                party["users"].as_array().unwrap().contains(&asked["user_id"])
            }),
            ("POST", "program_devices") => Some(self.chosen(&asked)),
            _ => panic!("nothing is asked so: {method} {path}"),
        }
    }

    fn chosen(&self, asked: &Value) -> Value {
        let has = |list: &str, value: &Value| asked[list].as_array().unwrap().contains(value);
        let definitions = self.all::<DeviceDefinitionRecord>();
        let definition_of = |device: &Map<String, Value>| {
            definitions.iter().find(|definition| definition["id"] == device["device_definition_id"]).unwrap()
        };
        let mut devices = self.all::<ProgramDeviceRecord>();
        devices.retain(|device| {
            let definition = definition_of(device);
            let is_of_kind = has("device_definition_ids", &definition["id"])
                || has("classification_types", &definition["classification_type"]);
            has("ids", &device["id"])
                || (asked.get("program_id") == Some(&device["program_id"]) && is_of_kind)
        });
        let mut with: Vec<_> = devices.iter().map(definition_of).collect();
        with.sort_by_key(|definition| definition["id"].to_string());
        with.dedup();
        json!({"program_devices": devices, "device_definitions": with})
    }

    fn all<R: JsonRecord>(&self) -> Vec<Map<String, Value>>
    where
        FakeRegistries: Registry<R>,
    {
        let page = block_on(Registry::<R>::scan(&*self.records, None, 10_000)).unwrap();
        written(page.records.into_iter().map(Result::unwrap))
    }
}

fn written<R: JsonRecord>(records: impl Iterator<Item = R>) -> Vec<Map<String, Value>> {
    records.map(|record| record.to_json(&*pseudonyms()).unwrap()).collect()
}

fn one(records: Vec<Map<String, Value>>, is_it: impl Fn(&Map<String, Value>) -> bool) -> Option<Value> {
    records.into_iter().find(is_it).map(Value::Object)
}
