//! Lines of device requests: what is bad in them.

use super::bad::{DAY, Fault, NO_NUMBER, NO_STRING, UUID, WHEN};
use super::*;

/// What is bad in a full one.
pub(super) fn device_request_faults() -> Vec<Fault> {
    const NO_CODE: &str = "is not a code of four digits";
    vec![
        ("/patient_id", json!("canary"), UUID),
        ("/status", json!("ACTIVE"), "is not one of active, completed, revoked, entered_in_error"),
        ("/intent", json!(""), "is empty"),
        ("/program", json!("canary"), UUID),
        ("/code_reference", json!("canary"), UUID),
        ("/quantity", json!(["canary"]), "is an array, expected an object"),
        ("/quantity/value", json!("canary"), NO_NUMBER),
        ("/quantity/value", json!(0.0), "is not above zero"),
        ("/quantity/value", json!(-4711), "is not above zero"),
        (
            "/quantity/value",
            json!(1e40),
            "is no decimal number of at most 30 digits before and after the point",
        ),
        ("/quantity/system", json!("canary"), "is not device_unit"),
        ("/quantity/code", json!("canary\0"), "holds a NUL character"),
        ("/occurrence_period", json!("canary"), "is a string, expected an object"),
        ("/occurrence_period/start", json!("2026-01-01T00:00:00Z"), DAY),
        ("/occurrence_period/end", json!("2025-12-31"), "is before start"),
        ("/dispense_valid_to", json!("2026-03-31T00:00:00Z"), DAY),
        ("/dispense_valid_to", json!("2026-02-30"), DAY),
        ("/verification_code", json!("canary"), NO_CODE),
        ("/verification_code", json!("04200"), NO_CODE),
        ("/verification_code", json!(4711), NO_STRING),
        ("/updated_at", json!("canary"), WHEN),
    ]
}

#[test]
fn a_device_request_has_either_a_code_or_a_reference() {
    let told = "$.data: must have either code or code_reference, and not both";
    for data in [
        without(&device_request(), "code"),
        with(&device_request(), |data| data["code"] = json!(null)),
        with(&full_device_request(), |data| data["code"] = json!("30221")),
    ] {
        assert_eq!(parse("device_request", &data).unwrap_err().to_string(), told);
    }
}

#[test]
fn quantity_and_period_of_a_device_request_have_no_other_field_and_each_of_theirs() {
    for (object, fields) in
        [("quantity", ["value", "code"].as_slice()), ("occurrence_period", &["start", "end"])]
    {
        let data = with(&full_device_request(), |data| add(&mut data[object], &json!({"extra": "canary"})));
        let error = parse("device_request", &data).unwrap_err();
        assert_eq!(error.to_string(), format!("$.data.{object}: has the unknown field extra"));
        for field in fields {
            let data = with(&full_device_request(), |data| {
                data[object].as_object_mut().unwrap().remove(*field).unwrap();
            });
            let error = parse("device_request", &data).unwrap_err();
            assert_eq!(error.to_string(), format!("$.data.{object}.{field}: is missing"));
        }
    }
}

#[test]
fn no_text_of_a_device_request_holds_the_patients_id() {
    for (field, value) in [
        ("intent", json!(PATIENT.to_lowercase())),
        ("code", json!(format!("patient:{}", PATIENT.replace('-', "")))),
        ("program", json!(PATIENT)),
        ("quantity", json!({"value": 1, "code": PATIENT})),
    ] {
        let data = with(&device_request(), |data| data[field] = value);
        let expected = format!("$.data.{field}: holds the patient's id, which no store may hold");
        assert_eq!(parse("device_request", &data).unwrap_err().to_string(), expected);
    }
}
