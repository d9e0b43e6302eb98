//! NDJSON as `esoz import` takes it: one line, and a whole input.

use std::io::Cursor;

use esoz_device_dispense::Dispense;
use esoz_import::{
    ImportContext, ImportLimits, Importer, LineError, PseudonymousLines, Record, UnknownFields, parse_line,
};
use serde_json::Value;

use super::{Target, mongo, sqlite};
use crate::json::texts;
use crate::secrecy::{CANARY, assert_keeps_quiet};
use crate::service::{DATA, drfo_digests, import_ports, now, pseudonyms};

/// See [`Target::about`].
pub(super) const IMPORT_LINE: Target = Target {
    name: "import_line",
    about: "a line to load: no fault repeats what was read, and a dispense comes through both stores as it was",
    run: line,
    seeds: || {
        let kinds = DATA.lines().map(|line| line.as_bytes().to_vec());
        let odd = [
            r#"{"kind": "person", "data": {"id": "canary-7f3a", "status": "active", "verification_status": "VERIFIED"}}"#,
            r#"{"kind": "party", "data": {"id": "aaaaaaaa-0000-4000-8000-000000000001", "tax_id": "canary-7f3a", "users": []}}"#,
            r#"{"kind": "program_device", "data": {"reimbursement": {"type": "FIXED", "amount": 1e-9}}}"#,
            r#"{"kind": "canary-7f3a", "data": {}}"#,
            r#"{"kind": "division", "data": {"id": "canary-7f3a", "id": "canary-7f3a"}}"#,
            r#"{"kind": "legal_entity", "data": {"name": "canary-7f3a", "edrpou": 1e999}}"#,
        ];
        kinds.chain(odd.map(|line| line.as_bytes().to_vec())).collect()
    },
};

thread_local! {
    static PSEUDONYMS: std::sync::Arc<dyn esoz_device_dispense::PatientPseudonyms> = pseudonyms();
}

fn read(line: &str) -> Result<Record, LineError> {
    PSEUDONYMS.with(|pseudonyms| {
        let (unknown_fields, pseudonymous_lines) = (UnknownFields::Refuse, PseudonymousLines::Refuse);
        let context = ImportContext {
            now: now(),
            pseudonyms: &**pseudonyms,
            drfo_digests: &drfo_digests(),
            unknown_fields,
            pseudonymous_lines,
        };
        parse_line(line, &context)
    })
}

fn line(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let outcome = read(text);
    let again = read(text);
    assert_eq!(again.as_ref().ok(), outcome.as_ref().ok(), "the same line, the same record");
    let given = serde_json::from_str::<Value>(text).ok();
    match outcome {
        Err(fault) => {
            assert!(fault.to_string().starts_with('$'), "{fault}");
            assert_keeps_quiet(&fault.to_string());
            quiet_about_all(given);
        }
        Ok(record) => {
            let given = given.expect("only JSON is taken");
            assert_eq!(given["kind"], record.kind().as_str());
            if let Record::DeviceDispense(dispense) = record {
                through_both_stores(&dispense, &given);
            }
        }
    }
}

/// With the canary in the place of every text, one after the other: whichever it is that is faulty, it is not repeated.
fn quiet_about_all(given: Option<Value>) {
    let Some(mut line) = given.filter(|line| texts(line).len() <= 24) else { return };
    for index in 0..texts(&line).len() {
        let before = replace(&mut line, &mut index.clone(), Value::String(CANARY.to_owned()));
        if let Err(fault) = read(&line.to_string()) {
            assert!(has_canary_as_name(&line) || !fault.to_string().contains(CANARY), "{fault}");
        }
        if let Some(before) = before {
            replace(&mut line, &mut index.clone(), before);
        }
    }
}

fn has_canary_as_name(value: &Value) -> bool {
    match value {
        Value::Object(fields) => {
            fields.iter().any(|(name, field)| name.contains(CANARY) || has_canary_as_name(field))
        }
        Value::Array(items) => items.iter().any(has_canary_as_name),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Puts a value into the place of the text of that number; gives what was there.
fn replace(value: &mut Value, index: &mut usize, by: Value) -> Option<Value> {
    match value {
        Value::String(_) if *index == 0 => {
            *index = usize::MAX;
            Some(std::mem::replace(value, by))
        }
        Value::String(_) => {
            *index -= 1;
            None
        }
        Value::Array(items) => items.iter_mut().find_map(|item| replace(item, index, by.clone())),
        Value::Object(fields) => fields.values_mut().find_map(|field| replace(field, index, by.clone())),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn through_both_stores(dispense: &Dispense, given: &Value) {
    assert_eq!(given["data"]["status"], dispense.status.as_str());
    let patient = given["data"]["patient_id"].as_str().unwrap_or_default();
    let record = Value::Object(dispense.record.clone()).to_string();
    // Other fields may name whoever the patient is; the field of the patient does not come along.
    assert!(!dispense.record.contains_key("patient_id") && !dispense.record.contains_key("subject"));
    assert!(record.matches(patient).count() < given.to_string().matches(patient).count());
    sqlite::comes_back(dispense);
    mongo::comes_back(dispense);
}

/// See [`Target::about`].
pub(super) const IMPORT_FILE: Target = Target {
    name: "import_file",
    about: "a whole input to load: every line is counted once, as a record, as bad, or as blank",
    run: file,
    seeds: || {
        let some = |from: usize, lines: usize| {
            DATA.lines().skip(from).take(lines).collect::<Vec<_>>().join("\n").into_bytes()
        };
        vec![
            some(0, 3),
            some(3, 4),
            some(11, 2),
            "\u{feff}\n\n \r\ncanary-7f3a".as_bytes().to_vec(),
            b"\xff\n{}\n".to_vec(),
            vec![b'x'; 1_100],
        ]
    },
};

/// Small enough that mutations come beyond each of them.
const LIMITS: ImportLimits = ImportLimits {
    max_line_bytes: 1_024,
    max_batch_records: 2,
    max_batch_bytes: 900,
    max_listed_bad_lines: 3,
};

fn file(data: &[u8]) {
    let (ports, _stores) = import_ports();
    let mut told = Vec::new();
    let mut bad_lines = 0;
    let importer = Importer::new(ports, LIMITS);
    let run = importer.run(Cursor::new(data.to_vec()), |progress| {
        told.push((progress.lines, progress.bytes));
        bad_lines += progress.bad_lines.len();
        progress.bad_lines.iter().for_each(|bad| assert_keeps_quiet(&bad.reason));
    });
    let report = pollster::block_on(run).expect("memory can be read, and stores in memory do not fail");
    assert!(told.is_sorted(), "{told:?}");
    assert_eq!(told.last(), Some(&(report.lines, u64::try_from(data.len()).expect("a length"))));

    let mut lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    // What follows the last end of a line is a line only if there is something.
    lines.pop_if(|last| last.is_empty());
    assert_eq!(report.lines, u64::try_from(lines.len()).expect("a length"));
    let blank = lines.iter().enumerate().filter(|(index, line)| {
        let line = if *index == 0 { line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line) } else { line };
        line.trim_ascii().is_empty() && line.len() <= LIMITS.max_line_bytes
    });
    let blank = u64::try_from(blank.count()).expect("a length");
    let stored: u64 =
        report.totals.values().map(|counts| counts.created + counts.updated + counts.kept).sum();
    assert_eq!(stored + report.bad_lines + blank, report.lines);
    assert_eq!(u64::try_from(bad_lines).expect("a length"), report.bad_lines);
    assert!(report.listed_bad_lines.len() <= LIMITS.max_listed_bad_lines);
    assert!(report.listed_bad_lines.is_sorted_by_key(|bad| bad.line));
}
