//! Loading on mocked stores: what goes to which store in which batches, what is reported, and what stops it.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io::{self, BufReader, Read};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use esoz_contract_division::MockContractRegistry;
use esoz_device_dispense::{MockDispenseRegistry, MockPatientPseudonyms, Pseudonym};
use esoz_kernel::{Clock, Put, StoreError, StoreErrorKind, Timestamp, Uuid};
use esoz_legal_entity::MockLegalEntityRegistry;
use pollster::block_on;
use serde_json::{Value, json};

use super::*;
use crate::{Counts, ImportError, Record, RecordKind};

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
}

impl Stored {
    /// Stores as the ports ask: dispenses and contract divisions that are there stay, others take the new content.
    fn put(&mut self, records: Vec<(Uuid, Record)>) -> Vec<Put> {
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
    let mut dispenses = MockDispenseRegistry::new();
    dispenses.expect_put_dispenses().returning(answer!(id => DeviceDispense));
    let mut pseudonyms = MockPatientPseudonyms::new();
    pseudonyms.expect_of().return_const(Pseudonym::new("P"));
    ImportPorts {
        legal_entities: Arc::new(legal_entities),
        contracts: Arc::new(contracts),
        dispenses: Arc::new(dispenses),
        pseudonyms: Arc::new(pseudonyms),
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

/// What is told as progress: lines, records stored, bad lines.
type Told = (u64, u64, Vec<BadLine>);

/// Loads the lines; gives what the run gives, and the progress told.
fn load(
    ports: ImportPorts,
    limits: ImportLimits,
    lines: &[String],
) -> (Result<Report, ImportError>, Vec<Told>) {
    let mut told = Vec::new();
    let input = lines.join("\n");
    let importer = Importer::new(ports, limits);
    let result = block_on(importer.run(input.as_bytes(), |progress| {
        let all = |counts: Counts| counts.created + counts.updated + counts.kept;
        let stored = progress.totals.values().copied().map(all).sum();
        told.push((progress.lines, stored, progress.bad_lines.to_vec()));
    }));
    (result, told)
}

fn bad(line: u64, reason: &str) -> BadLine {
    BadLine { line, reason: reason.to_owned() }
}

fn counts(created: u64, updated: u64, kept: u64) -> Counts {
    Counts { created, updated, kept }
}

#[test]
fn consecutive_lines_go_together_and_each_kind_to_its_store_in_the_order_of_kinds() {
    let stored = Arc::default();
    let all: Vec<String> = [
        lines(RecordKind::LegalEntity, 100..103),
        lines(RecordKind::Division, 200..202),
        lines(RecordKind::Contract, 300..301),
        lines(RecordKind::ContractDivision, 400..402),
        lines(RecordKind::DeviceDispense, 500..502),
        lines(RecordKind::LegalEntity, 103..104),
    ]
    .concat();
    let (report, told) = load(ports(&stored), limits(), &all);
    let report = report.unwrap();
    assert_eq!((report.lines, report.bad_lines), (11, 0));
    let expected = [
        (RecordKind::LegalEntity, counts(4, 0, 0)),
        (RecordKind::Division, counts(2, 0, 0)),
        (RecordKind::Contract, counts(1, 0, 0)),
        (RecordKind::ContractDivision, counts(2, 0, 0)),
        (RecordKind::DeviceDispense, counts(2, 0, 0)),
    ];
    assert_eq!(report.totals.into_iter().collect::<Vec<_>>(), expected);
    let batches = [
        (RecordKind::LegalEntity, 4),
        (RecordKind::Division, 2),
        (RecordKind::Contract, 1),
        (RecordKind::ContractDivision, 2),
        (RecordKind::DeviceDispense, 2),
    ];
    assert_eq!(stored.lock().unwrap().batches, batches);
    let progress: Vec<_> = told.iter().map(|(lines, records, _)| (*lines, *records)).collect();
    assert_eq!(progress, [(11, 11)]);
}

#[test]
fn interleaved_kinds_share_batches_and_are_reported_in_the_order_of_lines() {
    let stored = Arc::default();
    // Each record comes after those that it refers to; the store refuses every fourth line.
    let of_each = |id| [RecordKind::Division, RecordKind::ContractDivision].map(|kind| line(kind, id));
    let refused = [line(RecordKind::ContractDivision, 666), line(RecordKind::LegalEntity, 666)];
    let all: Vec<String> = (0..3).flat_map(|id| [of_each(10 + id), refused.clone()].concat()).collect();
    let limits = ImportLimits { max_batch_records: 8, ..limits() };
    let (report, told) = load(ports(&stored), limits, &all);
    let batches = [
        (RecordKind::LegalEntity, 2),
        (RecordKind::Division, 2),
        (RecordKind::ContractDivision, 4),
        (RecordKind::LegalEntity, 1),
        (RecordKind::Division, 1),
        (RecordKind::ContractDivision, 2),
    ];
    assert_eq!(stored.lock().unwrap().batches, batches);
    let refusals = [3, 4, 7, 8, 11, 12].map(|line| bad(line, "refers to what is not there"));
    assert_eq!(told, [(8, 4, refusals[..4].to_vec()), (12, 6, refusals[4..].to_vec())]);
    assert_eq!(report.unwrap().listed_bad_lines, refusals);
}

#[test]
fn while_a_batch_is_stored_the_next_is_read() {
    let ports = ports(&Arc::default());
    let (now, unknown_fields) = (ports.clock.now(), UnknownFields::Refuse);
    let (pseudonyms, pseudonymous_lines) = (&*ports.pseudonyms, PseudonymousLines::Refuse);
    let context = ImportContext { now, pseudonyms, unknown_fields, pseudonymous_lines };
    let input = lines(RecordKind::Division, 10..110).join("\n");
    let mut reader =
        BatchReader::new(input.as_bytes(), ImportLimits { max_batch_records: 90, ..limits() }, context);
    let mut lines_read = Vec::new();
    for pending_polls in [0, 1, 2, 100] {
        let mut polls = 0;
        let storing = poll_fn(|task| {
            polls += 1;
            if polls > pending_polls {
                return Poll::Ready(());
            }
            task.waker().wake_by_ref();
            Poll::Pending
        });
        block_on(reader.read_while(storing));
        lines_read.push(reader.lines_read());
    }
    assert_eq!(lines_read, [0, 16, 48, 90], "no more than one batch is read ahead");
    assert_eq!(reader.next().unwrap().batch.records, 90);
}

#[test]
fn a_batch_has_its_most_records_and_about_its_most_bytes() {
    let all = lines(RecordKind::ContractDivision, 1_000..2_001);
    for (limits, expected) in [
        (limits(), vec![500, 500, 1]),
        (ImportLimits { max_batch_bytes: 400 * all[0].len() - 1, ..limits() }, vec![400, 400, 201]),
        (ImportLimits { max_batch_records: 0, ..limits() }, vec![1; 1_001]),
    ] {
        let stored = Arc::default();
        let (report, _) = load(ports(&stored), limits, &all);
        assert_eq!(report.unwrap().totals[&RecordKind::ContractDivision], counts(1_001, 0, 0));
        let batches: Vec<usize> =
            stored.lock().unwrap().batches.iter().map(|(_, records)| *records).collect();
        assert_eq!(batches, expected);
    }
}

#[test]
fn the_same_lines_again_change_nothing_and_changed_ones_update_what_may_be_updated() {
    let stored = Arc::default();
    let all: Vec<String> = RecordKind::ALL.into_iter().zip(1..).map(|(kind, id)| line(kind, id)).collect();
    for expected in [counts(1, 0, 0), counts(0, 0, 1)] {
        let report = load(ports(&stored), limits(), &all).0.unwrap();
        for kind in RecordKind::ALL {
            assert_eq!(report.totals[&kind], expected, "{kind}");
        }
    }
    let changed: Vec<String> = all
        .iter()
        .map(|line| line.replacen(r#""data":{"#, r#""data":{"updated_at":"2026-02-01T00:00:00Z","#, 1))
        .collect();
    let report = load(ports(&stored), limits(), &changed).0.unwrap();
    for kind in RecordKind::ALL {
        let stays = matches!(kind, RecordKind::ContractDivision | RecordKind::DeviceDispense);
        assert_eq!(report.totals[&kind], if stays { counts(0, 0, 1) } else { counts(0, 1, 0) }, "{kind}");
    }
}

#[test]
fn bad_lines_are_reported_in_order_and_the_others_loaded() {
    let kind = RecordKind::ContractDivision;
    let stored = Arc::default();
    let all = vec![
        format!("\u{feff}{}", line(kind, 10)),
        "canary".to_owned(),
        line(kind, 666),
        String::new(),
        " \r".to_owned(),
        format!("{}\r", line(kind, 11)),
        line(kind, 12).replace("true", "1"),
        format!("\"{}\"", "x".repeat(2_000)),
        line(kind, 13),
    ];
    let (report, told) = load(ports(&stored), ImportLimits { max_line_bytes: 1_000, ..limits() }, &all);
    let report = report.unwrap();
    let expected = [
        bad(2, "$: is not JSON (column 1)"),
        bad(3, "refers to what is not there"),
        bad(7, "$.data.is_active: is a number, expected a boolean"),
        bad(8, "has more than 1000 bytes, the most that are taken; raise --max-line-bytes to take it"),
    ];
    assert_eq!((report.lines, report.bad_lines), (9, 4));
    assert_eq!(report.listed_bad_lines, expected);
    assert_eq!(told, [(9, 3, expected.to_vec())]);
    assert_eq!(report.totals[&kind], counts(3, 0, 0));
    assert_eq!(stored.lock().unwrap().batches, [(kind, 4)]);
}

#[test]
fn a_line_that_is_not_utf_8_is_a_bad_line() {
    let importer = Importer::new(ports(&Arc::default()), limits());
    let report = block_on(importer.run(&b"\xff\xfe\n"[..], |_| {})).unwrap();
    assert_eq!(report.listed_bad_lines, [bad(1, "is not UTF-8")]);
}

#[test]
fn the_report_lists_so_many_bad_lines_and_progress_tells_all() {
    let limits = ImportLimits { max_batch_records: 4, max_listed_bad_lines: 6, ..limits() };
    let (report, told) = load(ports(&Arc::default()), limits, &vec!["canary".to_owned(); 10]);
    let report = report.unwrap();
    assert_eq!((report.bad_lines, report.listed_bad_lines.len()), (10, 6));
    let numbers: Vec<Vec<u64>> =
        told.iter().map(|(_, _, bad)| bad.iter().map(|bad| bad.line).collect()).collect();
    assert_eq!(numbers, [vec![1, 2, 3, 4], vec![5, 6, 7, 8], vec![9, 10]]);
}

#[test]
fn an_empty_input_is_an_empty_report() {
    let (report, told) = load(ports(&Arc::default()), limits(), &[]);
    assert_eq!(report.unwrap(), Report::default());
    assert_eq!(told, [(0, 0, vec![])]);
}

#[test]
fn a_store_that_fails_stops_it_and_the_lines_reached_are_named() {
    let kind = RecordKind::ContractDivision;
    let stored = Arc::default();
    let all = lines(kind, 10..20);
    let limits = ImportLimits { max_batch_records: 3, ..limits() };
    let (result, told) = load(ports_failing_at(&stored, 3), limits, &all);
    let error = result.unwrap_err();
    assert!(
        matches!(
            &error,
            ImportError::Store { first_line: 7, last_line: 9, source } if source.kind() == StoreErrorKind::Unavailable
        ),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        "the store failed with lines 7 to 9, which may or may not have been taken; nothing after them was: load the same input \
         again once the store is well"
    );
    assert_eq!(told.iter().map(|(lines, ..)| *lines).collect::<Vec<_>>(), [3, 6]);
    let report = load(ports(&stored), limits, &all).0.unwrap();
    assert_eq!(report.totals[&kind], counts(4, 0, 6), "loading again finishes it");
}

#[test]
fn a_store_with_too_few_answers_is_a_store_that_fails() {
    let mut contracts = MockContractRegistry::new();
    contracts.expect_put_contract_divisions().returning(|_| Ok(vec![Put::Created]));
    let ports = ImportPorts { contracts: Arc::new(contracts), ..ports(&Arc::default()) };
    let error = load(ports, limits(), &lines(RecordKind::ContractDivision, 10..12)).0.unwrap_err();
    let ImportError::Store { source, .. } = error else { panic!("{error:?}") };
    assert_eq!(
        (source.kind(), source.to_string().as_str()),
        (StoreErrorKind::Unexpected, "the store failed while loading: it gave 1 answers for 2 records")
    );
}

/// Good for one line, and then broken.
struct Breaking(Option<Vec<u8>>);

impl Read for Breaking {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let line = self.0.take().ok_or_else(|| io::Error::other("the disk is gone"))?;
        buffer[..line.len()].copy_from_slice(&line);
        Ok(line.len())
    }
}

#[test]
fn an_input_that_breaks_stops_it_and_the_line_is_named() {
    let line = format!("{}\n", line(RecordKind::LegalEntity, 10)).into_bytes();
    let importer = Importer::new(ports(&Arc::default()), limits());
    let result = block_on(importer.run(BufReader::new(Breaking(Some(line))), |_| {}));
    let error = result.unwrap_err();
    assert!(matches!(error, ImportError::Read { line: 2, .. }), "{error:?}");
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
