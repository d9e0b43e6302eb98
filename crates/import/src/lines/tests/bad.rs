//! Each way in which a line can be bad. What is bad is named; what was found is not repeated.

use super::device_request::device_request_faults;
use super::registry_faults::{
    device_definition_faults, employee_faults, party_faults, person_faults, program_device_faults,
};
use super::unknown::{OBJECTS, REMEDY};
use super::*;

#[test]
fn a_line_that_is_no_line_is_named() {
    for (line, expected) in [
        ("canary", "$: is not JSON (column 1)"),
        (
            r#"{"kind":"contract","kind":"canary","data":{}}"#,
            "$: an object has the same field twice (column 34)",
        ),
        (r#""canary""#, "$: is a string, expected an object"),
        ("{}", "$.kind: is missing"),
        (r#"{"kind":"contract"}"#, "$.data: is missing"),
        (r#"{"kind":"contract","data":{},"extra":"canary"}"#, "$: has the unknown field extra"),
        (
            r#"{"kind":"canary","data":{}}"#,
            "$.kind: is not one of legal_entity, division, contract, contract_division, person, party, employee, medical_program, \
             device_definition, program_device, device_request, device_dispense",
        ),
        (
            r#"{"kind":"legal_entitty","data":{}}"#,
            "$.kind: is not one of legal_entity, division, contract, contract_division, person, party, employee, medical_program, \
             device_definition, program_device, device_request, device_dispense (did you mean `legal_entity`?)",
        ),
        (r#"{"kind":"contract","data":"canary"}"#, "$.data: is a string, expected an object"),
    ] {
        assert_eq!(parse_text(line).unwrap_err().to_string(), expected, "{line}");
    }
}

/// Where to put what is bad, what that is, and what is said then.
pub(super) type Fault = (&'static str, Value, &'static str);

pub(super) const UUID: &str = "is not a UUID";
pub(super) const WHEN: &str = "is not an ISO 8601 time with its offset, like 2026-01-31T08:15:30.123Z";
const RANGE: &str = "is outside the years 0000 to 9999 in UTC";
pub(super) const DAY: &str = "is not a day like 2026-01-31";
pub(super) const NO_STRING: &str = "is a number, expected a string";
pub(super) const NO_BOOLEAN: &str = "is a string, expected a boolean";
pub(super) const NO_NUMBER: &str = "is a string, expected a JSON number";
const NO_STATUS: &str = "is not a status of a device dispense";
const NO_NAME: &str = "holds a field whose name begins with $ or has a NUL in it";

fn legal_entity_faults() -> Vec<Fault> {
    vec![
        ("/id", json!("canary"), UUID),
        ("/id", json!("{7c3da506-804d-4550-8993-bf17f9ee0402}"), UUID),
        ("/name", json!(""), "is empty"),
        ("/name", json!("canary\0"), "holds a NUL character"),
        ("/name", json!(null), "is null, expected a string"),
        ("/type", json!(4711), NO_STRING),
        ("/status", json!("active"), "is not one of ACTIVE, SUSPENDED, CLOSED, REORGANIZED"),
        ("/is_active", json!("canary"), NO_BOOLEAN),
        ("/inserted_at", json!("canary"), WHEN),
        ("/inserted_at", json!(1), NO_STRING),
        ("/updated_at", json!("2026-01-01T00:00:00"), WHEN),
        ("/updated_at", json!("-002026-01-01T00:00:00Z"), WHEN),
        ("/inserted_at", json!("0000-01-01T00:00:00+02:00"), RANGE),
        ("/updated_at", json!("9999-12-31T23:59:59-00:01"), RANGE),
        ("/updated_at", json!("10000-01-01T00:00:00Z"), WHEN),
        ("/updated_at", json!("2026-01-31T08:15:30-25:00"), WHEN),
        ("/updated_at", json!("2026-01-31T23:59:60Z"), WHEN),
        ("/updated_by", json!("canary"), UUID),
    ]
}

fn division_faults() -> Vec<Fault> {
    vec![
        ("/legal_entity_id", json!("canary"), UUID),
        ("/status", json!("CLOSED"), "is not one of ACTIVE, INACTIVE"),
        ("/dls_verified", json!("canary"), NO_BOOLEAN),
    ]
}

fn contract_faults() -> Vec<Fault> {
    vec![
        ("/type", json!("canary"), "is not one of CAPITATION, REIMBURSEMENT, GB_CBP"),
        ("/status", json!("ACTIVE"), "is not one of VERIFIED, TERMINATED"),
        ("/start_date", json!("2026-02-30"), DAY),
        ("/end_date", json!("2026-01-01T00:00:00Z"), DAY),
        ("/end_date", json!("2025-12-31"), "is before start_date"),
    ]
}

fn dispense_faults() -> Vec<Fault> {
    let deep = (0..40).fold(json!("canary"), |inner, _| json!([inner]));
    vec![
        ("/patient_id", json!("canary"), UUID),
        ("/status", json!("canary"), NO_STATUS),
        ("/status_reason", json!({"coding": []}), "coding is empty"),
        ("/status_history", json!(null), "is null, expected a sequence"),
        ("/status_history/1/status", json!("Stopped"), NO_STATUS),
        ("/status_history/1/inserted_at", json!("canary"), WHEN),
        ("/status_history/0/inserted_by", json!("canary"), UUID),
        ("/performer_legal_entity/identifier/value", json!("canary"), UUID),
        ("/based_on/identifier/type/coding/0/system", json!(1), NO_STRING),
        ("/details", json!({}), "is an object, expected a sequence"),
        ("/details/0/quantity/value", json!("canary"), NO_NUMBER),
        ("/details/0/sell_price", json!("canary"), NO_NUMBER),
        ("/when_handed_over", json!("canary"), WHEN),
        ("/when_handed_over", json!("0000-01-01T00:00:00+02:00"), RANGE),
        ("/status_history/0/inserted_at", json!("9999-12-31T22:00:00-02:00"), RANGE),
        ("/primary_source", json!("canary"), NO_BOOLEAN),
        ("/explanatory_letter", json!(1), NO_STRING),
        ("/payment_amount", json!("canary"), NO_NUMBER),
        ("/part_of", json!({"$canary": 1}), NO_NAME),
        ("/part_of", json!({"a": [{"canary\0": 1}]}), NO_NAME),
        ("/part_of", deep, "is nested more than 32 levels deep"),
        ("/inserted_by", json!(["canary"]), "is an array, expected a string"),
    ]
}

/// A JSON pointer as the path that an error has.
fn path(pointer: &str) -> String {
    pointer.split('/').skip(1).fold("$.data".to_owned(), |path, step| match step.parse::<usize>() {
        Ok(index) => format!("{path}[{index}]"),
        Err(_) => format!("{path}.{step}"),
    })
}

#[test]
fn a_bad_field_is_named_and_what_it_holds_is_not() {
    let of_contract_division = vec![("/contract_id", json!(["canary"]), "is an array, expected a string")];
    for (kind, good, faults) in [
        ("legal_entity", legal_entity(), legal_entity_faults()),
        ("division", division(), division_faults()),
        ("contract", contract(), contract_faults()),
        ("contract_division", contract_division(), of_contract_division),
        ("person", person(), person_faults()),
        ("party", party(), party_faults()),
        ("employee", employee(), employee_faults()),
        ("medical_program", medical_program(), vec![("/name", json!(""), "is empty")]),
        ("device_definition", device_definition(), device_definition_faults()),
        ("program_device", program_device(), program_device_faults()),
        ("device_request", full_device_request(), device_request_faults()),
        ("device_dispense", full_dispense(), dispense_faults()),
    ] {
        for (pointer, bad, expected) in faults {
            let data = with(&good, |data| match data.pointer_mut(pointer) {
                Some(field) => *field = bad,
                None => add(data, &json!({pointer.trim_start_matches('/'): bad})),
            });
            let error = parse(kind, &data).unwrap_err();
            assert_eq!(error.to_string(), format!("{}: {expected}", path(pointer)), "{kind}");
            assert!(!format!("{error:?}").contains("canary"), "{kind} {pointer}: {error:?}");
        }
    }
}

#[test]
fn a_reference_has_one_coding_and_that_is_the_right_one() {
    let coding = |system: &str, code: &str| json!({"system": system, "code": code});
    let right = coding("eHealth/resources", "employee");
    for bad in [
        json!([]),
        json!([coding("eHealth/resources", "canary")]),
        json!([coding("canary", "employee")]),
        json!([right, right]),
    ] {
        let data = with(&dispense(), |data| data["performer"]["identifier"]["type"]["coding"] = bad);
        assert_eq!(
            parse("device_dispense", &data).unwrap_err().to_string(),
            "$.data.performer: identifier.type.coding is not one coding with the system eHealth/resources and the code employee"
        );
    }
    for bad in [json!([]), json!([coding("canary", "device_definition")])] {
        let data =
            with(&full_dispense(), |data| data["details"][0]["device"]["identifier"]["type"]["coding"] = bad);
        assert_eq!(
            parse("device_dispense", &data).unwrap_err().to_string(),
            "$.data.details[0].device: identifier.type.coding is not one coding with the system eHealth/resources"
        );
    }
}

#[test]
fn a_detail_has_either_a_device_or_a_code_for_one() {
    for (field, value) in [("device", json!(null)), ("device_code", concept())] {
        let data = with(&full_dispense(), |data| data["details"][0][field] = value);
        assert_eq!(
            parse("device_dispense", &data).unwrap_err().to_string(),
            "$.data.details[0]: must have either device or device_code, and not both"
        );
    }
}

/// Fields that a line may lack.
const OPTIONAL: [&str; 4] = ["dls_verified", "tax_id", "end_date", "max_daily_count"];

#[test]
fn every_field_that_is_not_optional_is_missed() {
    for (kind, data) in every_kind() {
        let is_optional =
            |field: &str| OPTIONAL.contains(&field) || (kind, field) == ("device_request", "code");
        for field in data.as_object().unwrap().keys().filter(|field| !is_optional(field)) {
            let error = parse(kind, &without(&data, field)).unwrap_err();
            assert_eq!(error.to_string(), format!("$.data.{field}: is missing"), "{kind}");
        }
    }
}

#[test]
fn a_field_that_is_not_known_is_refused_at_every_level() {
    for (kind, data) in every_kind() {
        // What is about a patient can have a pseudonym there.
        let is_of_patient = ["person", "device_request", "device_dispense"].contains(&kind);
        let names = if is_of_patient { ["extra"].as_slice() } else { &["extra", "subject"] };
        for name in names {
            let data = with(&data, |data| add(data, &json!({*name: "canary"})));
            let error = parse(kind, &data).unwrap_err();
            let remedy = if kind == "device_dispense" { REMEDY } else { "" };
            assert_eq!(error.to_string(), format!("$.data: has the unknown field {name}{remedy}"), "{kind}");
        }
    }
    for pointer in OBJECTS {
        let data = with(&full_dispense(), |data| {
            add(data.pointer_mut(pointer).unwrap(), &json!({"extra": "canary"}));
        });
        let error = parse("device_dispense", &data).unwrap_err();
        assert_eq!(error.to_string(), format!("{}: has the unknown field extra{REMEDY}", path(pointer)));
    }
}

/// Every place in the value, as a JSON pointer.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                places(item, &format!("{at}/{index}"), found);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                places(field, &format!("{at}/{name}"), found);
            }
        }
        _ => {}
    }
}

/// Whatever is put in whatever place: an error never repeats it, and a patient's id is in no record.
#[test]
fn nothing_that_a_line_holds_gets_out_but_into_its_record() {
    let patient = PATIENT.to_lowercase();
    let mut refused = 0;
    let full = [("device_dispense", full_dispense()), ("device_request", full_device_request())];
    for (kind, data) in every_kind().into_iter().chain(full) {
        let mut pointers = Vec::new();
        places(&data, "", &mut pointers);
        for pointer in pointers {
            for bad in [
                json!("canary"),
                json!({"canary-4711": "canary"}),
                json!(["canary"]),
                json!(4711),
                json!(null),
            ] {
                let data = with(&data, |data| *data.pointer_mut(&pointer).unwrap() = bad.clone());
                match parse(kind, &data) {
                    Err(error) => {
                        refused += 1;
                        let shown = format!("{error} {error:?}").to_lowercase();
                        let leaks =
                            ["canary", "4711", &patient, TAX_ID].iter().any(|secret| shown.contains(secret));
                        assert!(!leaks, "{kind} {pointer} {bad}: {shown}");
                    }
                    Ok(Record::DeviceDispense(dispense)) => {
                        let stored = Value::Object(dispense.record).to_string().to_lowercase();
                        assert!(!stored.contains(&patient), "{pointer}");
                    }
                    Ok(_) => {}
                }
            }
        }
    }
    assert!(refused > 300, "only {refused} were refused");
}
