//! What content can be read.

use esoz_kernel::{ErrorKind, Failure as _, PatientId};
use serde_json::{Value, json};

use crate::{CompleteFacts, DocumentError, HOLDS_PATIENT_ID, MarkInErrorFacts, SignedDispense};

fn complete(content: &str) -> Result<SignedDispense, DocumentError> {
    SignedDispense::parse(content.as_bytes(), &CompleteFacts::FREE, None)
}

fn mark(content: &Value) -> Result<SignedDispense, DocumentError> {
    SignedDispense::parse(content.to_string().as_bytes(), &MarkInErrorFacts::FREE, None)
}

fn entries(refusal: &DocumentError) -> Vec<String> {
    let mut entries: Vec<String> = refusal.faults().into_iter().map(|(entry, _)| entry).collect();
    entries.sort();
    entries
}

#[test]
fn given_fields_of_a_wrong_type_then_each_is_told_and_limits_are_those_of_fields_that_are_set() {
    let wrong = json!({
        "status": 1, "when_handed_over": "yesterday", "payment_amount": 1.005, "payment_id": "p".repeat(256), "note": [],
        "status_reason": {"coding": []}, "explanatory_letter": "e".repeat(256),
    });
    let refusal = complete(&wrong.to_string()).unwrap_err();
    let of_complete = ["$.note", "$.payment_amount", "$.payment_id", "$.status", "$.when_handed_over"];
    assert_eq!(
        (entries(&refusal), refusal.kind()),
        (of_complete.map(str::to_owned).into(), ErrorKind::Invalid)
    );
    let of_mark = ["$.explanatory_letter", "$.note", "$.status", "$.status_reason", "$.when_handed_over"];
    assert_eq!(entries(&mark(&wrong).unwrap_err()), of_mark.map(str::to_owned));
    for right in [
        json!({"payment_amount": 0, "payment_id": "p".repeat(255), "note": null}),
        json!({"when_handed_over": "2026-01-31T08:15:30", "note": "n".repeat(3_000)}),
    ] {
        assert!(complete(&right.to_string()).is_ok(), "{right}");
    }
    assert!(complete(&json!({"note": "a\0"}).to_string()).is_err(), "NUL");
    assert!(complete(r#"{"payment_amount": 999999999999.99}"#).is_ok());
    assert!(complete(r#"{"payment_amount": 1e12}"#).is_err(), "no sum of prices that a create takes");
}

#[test]
fn given_a_compared_field_of_a_wrong_type_then_it_is_told_at_any_depth_and_what_is_not_compared_is_not() {
    let wrong = json!({
        "id": 7, "subject": [], "based_on": {"identifier": "x"}, "program": {"identifier": {"type": {"coding": {}}, "value": 1}},
        "primary_source": 1, "inserted_by": {},
        "details": [{}, 1, {"quantity": {"value": "1", "code": 2}, "device_code": {"coding": [1], "text": 1}, "program_device": 1}],
    });
    let told = [
        "$.based_on.identifier",
        "$.details[1]",
        "$.details[2].device_code.coding[0]",
        "$.details[2].quantity.code",
        "$.details[2].quantity.value",
        "$.id",
        "$.inserted_by",
        "$.primary_source",
        "$.program.identifier.type.coding",
        "$.program.identifier.value",
        "$.subject",
    ];
    assert_eq!(entries(&complete(&wrong.to_string()).unwrap_err()), told.map(str::to_owned));
    let right = json!({
        "updated_at": 1, "status_history": 1, "signed_content_links": 1, "more": 1, "part_of": 1, "details": null,
        "performer": {"display_value": 1, "identifier": null},
    });
    assert!(complete(&right.to_string()).is_ok());
}

#[test]
fn given_a_reason_then_it_is_codings_and_a_text_and_nothing_else() {
    let coding = json!({"system": "s", "code": "duplicate"});
    for right in [json!({"coding": [coding]}), json!({"coding": [coding, coding], "text": "t"})] {
        assert!(mark(&json!({"status_reason": right})).is_ok(), "{right}");
    }
    for wrong in [
        json!({"coding": [{"system": "s", "code": "duplicate", "a\0": 1}]}),
        json!({"coding": [{"system": "s", "code": "duplicate", "$set": {}}]}),
        json!({"coding": [coding], "extension": []}),
        json!({"coding": [coding], "text": "t".repeat(256)}),
        json!({"coding": vec![&coding; 11]}),
        json!({"coding": [{"system": "s"}]}),
        json!({"coding": coding}),
        json!([coding]),
    ] {
        assert_eq!(
            entries(&mark(&json!({"status_reason": wrong})).unwrap_err()),
            ["$.status_reason"],
            "{wrong}"
        );
    }
}

#[test]
fn given_the_patients_id_in_a_free_field_then_it_is_told_without_the_id() {
    let id = "AFF00BF6-68bf-4b49-b66d-f031d48922b3";
    let patient: PatientId = id.parse().unwrap();
    let reason = json!({"coding": [{"system": "s", "code": id.replace('-', "")}]});
    let content = json!({"explanatory_letter": format!("see {id}"), "status_reason": reason, "note": id});
    let parsed =
        SignedDispense::parse(content.to_string().as_bytes(), &MarkInErrorFacts::FREE, Some(patient));
    let refusal = parsed.unwrap_err();
    assert_eq!(entries(&refusal), ["$.explanatory_letter", "$.status_reason"]);
    assert!(refusal.faults().iter().all(|(_, text)| text == HOLDS_PATIENT_ID));
}

#[test]
fn given_a_number_that_would_be_rounded_then_it_is_told_where() {
    let content = r#"{"details": [{"sell_price": 50.500000000000000001}]}"#;
    let refusal = complete(content).unwrap_err();
    assert_eq!(refusal.faults()[0].0, "$.details[0].sell_price");
}

#[test]
fn given_no_object_then_it_is_no_content_and_debug_hides_it() {
    for content in ["", "[]", "1", "null", "\"canary\"", "{", r#"{"a": 1, "a": 1}"#, "\u{feff}{}"] {
        let refusal = complete(content).unwrap_err();
        assert_eq!(
            (refusal.kind(), refusal.to_string().as_str()),
            (ErrorKind::BadRequest, "Invalid signed content")
        );
    }
    let shown = format!("{:?}", complete(r#"{"note": "canary"}"#).unwrap());
    assert_eq!(shown, "SignedDispense(…)");
}
