//! Loading on mocked stores: what goes to which store in which batches, what is reported, and what stops it.

mod bad_lines;
mod batches;
mod dry_run;
mod failures;

use std::collections::HashMap;
use std::io::{self, Cursor};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use esoz_contract_division::MockContractRegistry;
use esoz_device_dispense::{
    DeviceRequestRecord, Dispense, EncodedDispense, MockDispenseRegistry, MockPatientPseudonyms, Pseudonym,
};
use esoz_kernel::{Clock, Put, ScanCursor, ScanPage, StoreError, StoreErrorKind, Timestamp, Uuid};
use esoz_legal_entity::MockLegalEntityRegistry;
use esoz_pseudonym::HmacDrfoDigests;
use esoz_registries::{
    DeviceDefinitionRecord, EmployeeRecord, MedicalProgramRecord, PartyRecord, PersonRecord,
    ProgramDeviceRecord, Registry,
};
use pollster::block_on;
use serde_json::{Value, json};

use super::*;
use crate::{Counts, Record, RecordKind};

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        "2026-01-31T08:15:30.123456Z".parse().unwrap()
    }
}

/// What was stored, and the batches in which it came: kind and number of records.
#[derive(Default)]
struct Stored {
    records: HashMap<Uuid, Record>,
    batches: Vec<(RecordKind, usize)>,
    /// The ids, in the order in which they came.
    order: Vec<Uuid>,
}

impl Stored {
    /// Stores as the ports ask: dispenses and contract divisions that are there stay, others take the new content.
    fn put(&mut self, records: Vec<(Uuid, Record)>) -> Vec<Put> {
        self.order.extend(records.iter().map(|(id, _)| *id));
        self.batches.extend(records.first().map(|(_, first)| (first.kind(), records.len())));
        records.into_iter().map(|(id, record)| self.put_one(id, record)).collect()
    }

    fn put_one(&mut self, id: Uuid, record: Record) -> Put {
        let stays = matches!(record, Record::ContractDivision(_) | Record::DeviceDispense(_));
        match self.records.get(&id) {
            None if id == Uuid::from_u128(666) => Put::Refused("refers to what is not there".to_owned()),
            None => {
                self.records.insert(id, record);
                Put::Created
            }
            Some(known) if stays || *known == record => Put::Kept,
            Some(_) => {
                self.records.insert(id, record);
                Put::Updated
            }
        }
    }
}

/// Hands the records of every registry over as an import stores them.
struct Registries<P>(P);

macro_rules! registries {
    ($($Record:ty as $kind:ident, $id:expr;)+) => {$(
        #[async_trait]
        impl<P> Registry<$Record> for Registries<P>
        where
            P: Fn(Vec<(Uuid, Record)>) -> Result<Vec<Put>, StoreError> + Send + Sync,
        {
            async fn put(&self, records: &[$Record]) -> Result<Vec<Put>, StoreError> {
                let id: fn(&$Record) -> Uuid = $id;
                (self.0)(records.iter().map(|record| (id(record), Record::$kind(record.clone()))).collect())
            }

            async fn scan(&self, _: Option<ScanCursor>, _: u32) -> Result<ScanPage<$Record>, StoreError> {
                Ok(ScanPage { records: Vec::new(), next: None })
            }
        }
    )+};
}

registries! {
    // All persons here have the same pseudonym.
    PersonRecord as Person, |_| Uuid::max();
    PartyRecord as Party, |record| record.facts.id.uuid();
    EmployeeRecord as Employee, |record| record.facts.id.uuid();
    MedicalProgramRecord as MedicalProgram, |record| record.id.uuid();
    DeviceDefinitionRecord as DeviceDefinition, |record| record.facts.id.uuid();
    ProgramDeviceRecord as ProgramDevice, |record| record.facts.id.uuid();
    DeviceRequestRecord as DeviceRequest, |record| record.facts.id.uuid();
}

/// The id of a dispense that the store cannot hold.
const UNENCODABLE: u128 = 667;

/// Ports on one store, which fails from that call on.
fn ports_failing_at(stored: &Arc<Mutex<Stored>>, failing_call: usize) -> ImportPorts {
    let calls = Arc::new(Mutex::new(0));
    let put = {
        let stored = Arc::clone(stored);
        move |records: Vec<(Uuid, Record)>| {
            let mut calls = calls.lock().unwrap();
            *calls += 1;
            if *calls >= failing_call {
                return Err(StoreError::new(StoreErrorKind::Unavailable, "testing"));
            }
            Ok(stored.lock().unwrap().put(records))
        }
    };
    macro_rules! answer {
        ($($id:ident).+ => $kind:ident) => {{
            let put = put.clone();
            move |records| {
                put(records.iter().map(|record| (record.$($id).+.uuid(), Record::$kind(record.clone()))).collect())
            }
        }};
    }
    let mut legal_entities = MockLegalEntityRegistry::new();
    legal_entities.expect_put_legal_entities().returning(answer!(facts.id => LegalEntity));
    let mut contracts = MockContractRegistry::new();
    contracts.expect_put_divisions().returning(answer!(facts.id => Division));
    contracts.expect_put_contracts().returning(answer!(facts.id => Contract));
    contracts.expect_put_contract_divisions().returning(answer!(id => ContractDivision));
    let registries = Registries(put.clone());
    let device_requests = Registries(put.clone());
    let mut dispenses = MockDispenseRegistry::new();
    let encoded: Arc<Mutex<HashMap<Uuid, Dispense>>> = Arc::default();
    let known = Arc::clone(&encoded);
    dispenses.expect_encode().returning(move |dispense| {
        if dispense.id.uuid() == Uuid::from_u128(UNENCODABLE) {
            return Err("is too large for the store".to_owned());
        }
        known.lock().unwrap().insert(dispense.id.uuid(), dispense.clone());
        Ok(EncodedDispense { id: dispense.id, document: Vec::new() })
    });
    dispenses.expect_put_encoded().returning(move |dispenses| {
        let encoded = encoded.lock().unwrap();
        let ids = dispenses.iter().map(|dispense| dispense.id.uuid());
        put(ids.map(|id| (id, Record::DeviceDispense(encoded[&id].clone()))).collect())
    });
    let mut pseudonyms = MockPatientPseudonyms::new();
    pseudonyms.expect_of().return_const(Pseudonym::new("P"));
    ImportPorts {
        legal_entities: Arc::new(legal_entities),
        contracts: Arc::new(contracts),
        registries: Arc::new(registries),
        device_requests: Arc::new(device_requests),
        dispenses: Arc::new(dispenses),
        pseudonyms: Arc::new(pseudonyms),
        drfo_digests: Arc::new(HmacDrfoDigests::try_new("a secret of a test").unwrap()),
        clock: Arc::new(FixedClock),
    }
}

fn ports(stored: &Arc<Mutex<Stored>>) -> ImportPorts {
    ports_failing_at(stored, usize::MAX)
}

fn limits() -> ImportLimits {
    ImportLimits::default()
}

fn uuid(id: u128) -> String {
    Uuid::from_u128(id).to_string()
}

fn line(kind: RecordKind, id: u128) -> String {
    let mut data = match kind {
        RecordKind::LegalEntity => {
            json!({"name": "n", "edrpou": "1", "type": "MSP", "status": "ACTIVE", "is_active": true})
        }
        RecordKind::Division => {
            json!({"legal_entity_id": uuid(1), "name": "n", "type": "t", "status": "ACTIVE", "is_active": true})
        }
        RecordKind::Contract => json!({
            "type": "GB_CBP", "status": "VERIFIED", "contract_number": "1", "contractor_legal_entity_id": uuid(1),
            "start_date": "2026-01-01", "end_date": "2026-12-31", "is_active": true, "is_suspended": false,
        }),
        RecordKind::ContractDivision => {
            json!({"contract_id": uuid(3), "division_id": uuid(2), "is_active": true})
        }
        RecordKind::Person => json!({"status": "active", "verification_status": "VERIFIED"}),
        RecordKind::Party => json!({"users": []}),
        RecordKind::Employee => json!({
            "party_id": uuid(6), "legal_entity_id": uuid(1), "type": "t", "status": "APPROVED", "is_active": true, "name": "n",
        }),
        RecordKind::MedicalProgram => json!({"name": "n", "type": "t", "is_active": true}),
        RecordKind::DeviceDefinition => json!({
            "name": "n", "is_active": true, "classification_type": "t", "packaging_unit": "u", "packaging_count": 1,
        }),
        RecordKind::ProgramDevice => json!({
            "program_id": uuid(8), "device_definition_id": uuid(9), "is_active": true, "start_date": "2026-01-01",
            "reimbursement": {"type": "FIXED", "amount": 1},
        }),
        RecordKind::DeviceRequest => json!({
            "patient_id": uuid(9), "status": "active", "intent": "order", "code": "30221", "dispense_valid_to": "2026-12-31",
        }),
        RecordKind::DeviceDispense => {
            let reference = |code: &str| {
                let coding = json!([{"system": "eHealth/resources", "code": code}]);
                json!({"identifier": {"type": {"coding": coding}, "value": uuid(1)}})
            };
            json!({
                "patient_id": uuid(9), "status": "in_progress", "based_on": reference("device_request"),
                "performer": reference("employee"), "location": reference("division"),
                "performer_legal_entity": reference("legal_entity"), "details": [],
            })
        }
    };
    data["id"] = json!(uuid(id));
    json!({"kind": kind.as_str(), "data": data}).to_string()
}

fn lines(kind: RecordKind, ids: impl IntoIterator<Item = u128>) -> Vec<String> {
    ids.into_iter().map(|id| line(kind, id)).collect()
}

/// The reported progress: lines, records stored, bad lines.
type Reported = (u64, u64, Vec<BadLine>);

/// Loads the lines; gives what the run gives, and the progress reported.
fn load(
    ports: ImportPorts,
    limits: ImportLimits,
    lines: &[String],
) -> (Result<Report, ImportError>, Vec<Reported>) {
    let mut reported = Vec::new();
    let input = lines.join("\n");
    let importer = Importer::new(ports, limits);
    let result = block_on(importer.run(Cursor::new(input), |progress| {
        let all = |counts: Counts| counts.created + counts.updated + counts.kept;
        let stored = progress.totals.values().copied().map(all).sum();
        reported.push((progress.lines, stored, progress.bad_lines.to_vec()));
    }));
    (result, reported)
}

fn bad(line: u64, reason: &str) -> BadLine {
    BadLine { line, reason: reason.to_owned() }
}

fn counts(created: u64, updated: u64, kept: u64) -> Counts {
    Counts { created, updated, kept, valid: 0 }
}

#[test]
fn a_patient_id_reaches_no_store() {
    let stored: Arc<Mutex<Stored>> = Arc::default();
    load(ports(&stored), limits(), &lines(RecordKind::DeviceDispense, [10])).0.unwrap();
    let stored = stored.lock().unwrap();
    let Some(Record::DeviceDispense(dispense)) = stored.records.get(&Uuid::from_u128(10)) else {
        panic!("not stored")
    };
    assert_eq!(dispense.subject, Pseudonym::new("P"));
    assert!(!Value::Object(dispense.record.clone()).to_string().contains(&uuid(9)));
}

/// Compiles only while a run can move between the threads of a runtime.
#[test]
fn a_run_can_be_spawned() {
    fn spawnable<T: Send>(run: T) -> T {
        run
    }
    let importer = Importer::new(ports(&Arc::default()), limits());
    assert!(block_on(spawnable(importer.run(io::empty(), |_| {}))).is_ok());
}
