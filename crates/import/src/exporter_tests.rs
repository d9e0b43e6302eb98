//! Exporting from stores in memory: what is written, counted and told, and what ends it.

use std::io::Cursor;
use std::sync::Arc;

use esoz_device_dispense::{DeviceRequestRecord, PatientPseudonyms as _, Pseudonym};
use esoz_kernel::{LegalEntityId, PatientId, Timestamp, Uuid};
use esoz_pseudonym::{HmacDrfoDigests, HmacSha256Pseudonyms};
use esoz_testkit::builders::{
    contract_division, contract_of, device_request, dispense, division_of, fresh, legal_entity,
};
use esoz_testkit::clock::ManualClock;
use esoz_testkit::contract::{RawDeviceRequests as _, RawDispenses as _};
use esoz_testkit::fakes::{FakeContracts, FakeDispenses, FakeRegistries};
use esoz_testkit::registries::RegistryFixture;
use pollster::block_on;
use serde_json::json;

use super::*;
use crate::{ImportLimits, Importer, PseudonymousLines, UnknownFields};

struct Stores {
    contracts: Arc<FakeContracts>,
    registries: Arc<FakeRegistries>,
    dispenses: Arc<FakeDispenses>,
}

impl Default for Stores {
    fn default() -> Self {
        let contracts = Arc::new(FakeContracts::default());
        let registries = Arc::new(FakeRegistries::beside(contracts.clone()));
        Self { contracts, registries, dispenses: Arc::default() }
    }
}

impl Stores {
    fn ports(&self) -> ImportPorts {
        ImportPorts {
            legal_entities: self.contracts.clone(),
            contracts: self.contracts.clone(),
            registries: self.registries.clone(),
            device_requests: self.dispenses.clone(),
            dispenses: self.dispenses.clone(),
            pseudonyms: Arc::new(pseudonyms()),
            drfo_digests: Arc::new(HmacDrfoDigests::try_new("an hmac secret of 32 characters!").unwrap()),
            clock: Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH)),
        }
    }

    /// Legal entities, and of each other kind some; more dispenses than a page has.
    fn filled() -> Self {
        let stores = Self::default();
        let ports = stores.ports();
        let legal_entities = [legal_entity(), legal_entity()];
        let owner = legal_entities[0].facts.id;
        let (divisions, contracts) = ([division_of(owner), division_of(owner)], [contract_of(owner)]);
        let records =
            divisions.each_ref().map(|division| contract_division(contracts[0].facts.id, division.facts.id));
        let requests: Vec<_> = (0..3).map(|_| request_of_patient(PatientId::new(fresh()))).collect();
        let dispenses: Vec<_> = (0..1_201).map(|_| of_patient(PatientId::new(fresh()), owner)).collect();
        block_on(async {
            ports.legal_entities.put_legal_entities(&legal_entities).await.unwrap();
            ports.contracts.put_divisions(&divisions).await.unwrap();
            ports.contracts.put_contracts(&contracts).await.unwrap();
            ports.contracts.put_contract_divisions(&records).await.unwrap();
            ports.device_requests.put(&requests).await.unwrap();
            ports.dispenses.put_dispenses(&dispenses).await.unwrap();
            let mut registries = RegistryFixture::build();
            registries.person.subject = pseudonyms().of(PatientId::new(fresh()));
            registries.store(&*stores.registries, &*stores.contracts, &*stores.contracts).await;
        });
        stores
    }

    /// Exports these kinds, or all; gives the text, the totals and what was told.
    fn export(&self, kinds: &[RecordKind]) -> (String, ExportTotals, Vec<String>) {
        let kinds = if kinds.is_empty() { RecordKind::ALL.into() } else { kinds.iter().copied().collect() };
        let (mut output, mut told) = (Vec::new(), Vec::new());
        let progress = |progress: &ExportProgress<'_>| told.extend_from_slice(progress.problems);
        let totals = block_on(Exporter::new(self.ports()).run(&kinds, &mut output, progress)).unwrap();
        (String::from_utf8(output).unwrap(), totals, told)
    }
}

fn pseudonyms() -> HmacSha256Pseudonyms {
    HmacSha256Pseudonyms::try_new("an hmac secret of 32 characters!").unwrap()
}

fn of_patient(patient: PatientId, owner: LegalEntityId) -> esoz_device_dispense::Dispense {
    dispense().owner(owner).subject(pseudonyms().of(patient)).build()
}

fn request_of_patient(patient: PatientId) -> DeviceRequestRecord {
    let mut record = device_request();
    record.facts.subject = pseudonyms().of(patient);
    record
}

fn counts(exported: u64, refused: u64, unreadable: u64) -> ExportCounts {
    ExportCounts { exported, refused, unreadable }
}

#[test]
fn what_is_exported_is_imported_into_an_empty_store_and_exported_the_same() {
    let stores = Stores::filled();
    let (text, totals, told) = stores.export(&[]);
    assert_eq!(told, [""; 0]);
    let expected = [3, 3, 1, 2, 1, 1, 1, 1, 1, 1, 3, 1_201].map(|exported| counts(exported, 0, 0));
    assert_eq!(totals, RecordKind::ALL.into_iter().zip(expected).collect());
    let copy = Stores::default();
    let importer = Importer::new(copy.ports(), ImportLimits::default())
        .with_pseudonymous_lines(PseudonymousLines::Accept);
    let report = block_on(importer.run(Cursor::new(text.clone()), |_| {})).unwrap();
    assert_eq!((report.bad_lines, report.lines), (0, 1_219), "{:?}", report.listed_bad_lines);
    assert_eq!(copy.export(&[]).0, text);
}

#[test]
fn lines_come_by_kind_and_then_by_id_and_kinds_can_be_left_out() {
    let stores = Stores::filled();
    let position = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let kind: RecordKind = line["kind"].as_str().unwrap().parse().unwrap();
        // A person has a pseudonym in the place of an id.
        let id = line["data"]["id"].as_str().map(|id| id.parse::<Uuid>().unwrap());
        (kind, id)
    };
    let (all, ..) = stores.export(&[]);
    assert!(all.lines().is_sorted_by(|one, next| position(one) < position(next)));
    let (some, totals, _) = stores.export(&[RecordKind::ContractDivision, RecordKind::Division]);
    let expected: Vec<_> = all
        .lines()
        .filter(|line| line.starts_with(r#"{"kind":"division""#) || line.contains("contract_division\""))
        .collect();
    assert_eq!(some.lines().collect::<Vec<_>>(), expected);
    assert_eq!(totals.into_values().collect::<Vec<_>>(), [counts(3, 0, 0), counts(2, 0, 0)]);
}

#[test]
fn what_cannot_be_read_is_told_and_everything_else_is_written() {
    let stores = Stores::default();
    let odd = ["status", "subject", "details", "part_of"].map(|field| {
        let sound = of_patient(PatientId::new(fresh()), LegalEntityId::new(fresh()));
        block_on(stores.ports().dispenses.put_dispenses(std::slice::from_ref(&sound))).unwrap();
        (field, sound.id)
    });
    let [(_, status), (_, subject), (_, details), (_, fine)] = odd;
    block_on(async {
        stores.dispenses.set_field(status, "status", json!("canary")).await;
        stores.dispenses.set_field(subject, "subject", json!("canary")).await;
        stores.dispenses.set_field(details, "details", json!("canary")).await;
    });
    let (text, totals, told) = stores.export(&[RecordKind::DeviceDispense]);
    assert_eq!(totals[&RecordKind::DeviceDispense], counts(2, 1, 2));
    assert_eq!(text.lines().count(), 2);
    assert!(text.contains(&fine.to_string()) && text.contains(&details.to_string()), "{text}");
    assert_eq!(told.len(), 3);
    for (id, parts) in [
        (status, ["not exported: ", "device_dispenses", "field status"]),
        (subject, ["not exported: ", "device_dispenses", "field subject"]),
        (details, ["device_dispense ", "an import refuses its line: $.data.details", "is a string"]),
    ] {
        let of_id: Vec<_> = told.iter().filter(|told| told.contains(&id.to_string())).collect();
        assert_eq!(of_id.len(), 1, "{told:?}");
        assert!(parts.iter().all(|part| of_id[0].contains(part)), "{of_id:?}");
    }
    assert!(!told.concat().contains("canary"), "{told:?}");
}

#[test]
fn unknown_fields_come_along() {
    let stores = Stores::filled();
    let id = dispense().build().id;
    let one = dispense().id(id).subject(Pseudonym::new("A".repeat(64))).build();
    block_on(async {
        stores.ports().dispenses.put_dispenses(&[one]).await.unwrap();
        stores.dispenses.set_field(id, "extra", json!({"of": [null, 1.5]})).await;
        stores.dispenses.set_field(id, "esoz_keys", json!(["canary"])).await;
    });
    let (text, ..) = stores.export(&[RecordKind::DeviceDispense]);
    assert!(text.contains(r#""extra":{"of":[null,1.5]}"#) && !text.contains("canary"));
    let copy = Stores::default();
    let importer = Importer::new(copy.ports(), ImportLimits::default())
        .with_pseudonymous_lines(PseudonymousLines::Accept)
        .with_unknown_fields(UnknownFields::Keep);
    assert_eq!(block_on(importer.run(Cursor::new(text.clone()), |_| {})).unwrap().bad_lines, 0);
    assert_eq!(copy.export(&[RecordKind::DeviceDispense]).0, text);
}

#[test]
fn a_request_that_cannot_be_read_or_is_of_no_patient_is_told_and_the_others_are_written() {
    let stores = Stores::default();
    let sound = || request_of_patient(PatientId::new(fresh()));
    let (fine, unreadable, mut odd) = (sound(), sound(), sound());
    odd.facts.subject = Pseudonym::new("a canary");
    block_on(async {
        let all = [fine.clone(), unreadable.clone(), odd.clone()];
        stores.ports().device_requests.put(&all).await.unwrap();
        stores.dispenses.make_unreadable(unreadable.facts.id).await;
    });
    let (text, totals, mut told) = stores.export(&[RecordKind::DeviceRequest]);
    assert_eq!(totals[&RecordKind::DeviceRequest], counts(1, 0, 2));
    assert!(text.lines().count() == 1 && text.contains(&fine.facts.id.to_string()), "{text}");
    told.sort_by_key(|told| told.contains("subject"));
    for (told, (record, field)) in told.iter().zip([(unreadable, "status"), (odd, "subject")]) {
        for part in ["not exported: ", "device_requests", field, &record.facts.id.to_string()] {
            assert!(told.contains(part), "{told} does not name {part}");
        }
        assert!(!told.contains("canary"), "{told}");
    }
    assert_eq!(told.len(), 2);
}

#[test]
fn an_output_that_ends_ends_the_export() {
    let stores = Stores::filled();
    let kinds = RecordKind::ALL.into();
    let mut room = [0; 2_000];
    let full = block_on(Exporter::new(stores.ports()).run(&kinds, room.as_mut_slice(), |_| {}));
    assert!(matches!(full, Err(ExportError::Write(_))), "{full:?}");
}
