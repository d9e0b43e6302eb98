//! What content can be read.

use esoz_kernel::{ErrorKind, Failure as _};
use serde_json::json;

use crate::SignedDispense;

#[test]
fn given_content_of_a_wrong_type_then_each_field_is_told() {
    let wrong = json!({
        "status": 1, "when_handed_over": "yesterday", "payment_amount": 1.005, "payment_id": "p".repeat(256), "note": [],
        "status_reason": {"coding": []}, "explanatory_letter": 1,
    });
    let refusal = SignedDispense::parse(wrong.to_string().as_bytes()).unwrap_err();
    let mut entries: Vec<String> = refusal.faults().into_iter().map(|(entry, _)| entry).collect();
    entries.sort();
    let expected = [
        "$.explanatory_letter",
        "$.note",
        "$.payment_amount",
        "$.payment_id",
        "$.status",
        "$.status_reason",
        "$.when_handed_over",
    ];
    assert_eq!((entries, refusal.kind()), (expected.map(str::to_owned).into(), ErrorKind::Invalid));
    let right = json!({"payment_amount": 0, "payment_id": "p".repeat(255), "note": null});
    assert!(SignedDispense::parse(right.to_string().as_bytes()).is_ok());
}

#[test]
fn given_a_number_that_would_be_rounded_then_it_is_told_where() {
    let content = r#"{"details": [{"sell_price": 50.500000000000000001}]}"#;
    let refusal = SignedDispense::parse(content.as_bytes()).unwrap_err();
    assert_eq!(refusal.faults()[0].0, "$.details[0].sell_price");
}

#[test]
fn given_no_object_then_it_is_no_content_and_debug_hides_it() {
    for content in ["", "[]", "1", "null", "\"canary\"", "{", r#"{"a": 1, "a": 1}"#, "\u{feff}{}"] {
        let refusal = SignedDispense::parse(content.as_bytes()).unwrap_err();
        assert_eq!(
            (refusal.kind(), refusal.to_string().as_str()),
            (ErrorKind::BadRequest, "Invalid signed content")
        );
    }
    let shown = format!("{:?}", SignedDispense::parse(br#"{"note": "canary"}"#).unwrap());
    assert_eq!(shown, "SignedDispense(…)");
}
