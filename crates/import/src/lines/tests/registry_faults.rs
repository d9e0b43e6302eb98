//! What is wrong with lines of the administrative registries.

use esoz_kernel::Decimal;
use esoz_registries::Reimbursement;

use super::bad::{DAY, Fault, NO_BOOLEAN, NO_NUMBER, NO_STRING, UUID};
use super::*;

pub(super) fn person_faults() -> Vec<Fault> {
    vec![
        ("/id", json!("canary"), UUID),
        ("/status", json!("ACTIVE"), "is not one of active, inactive"),
        (
            "/verification_status",
            json!("canary"),
            "is not one of VERIFIED, NOT_VERIFIED, VERIFICATION_NEEDED, VERIFICATION_NOT_NEEDED, IN_REVIEW, CHANGES_NEEDED",
        ),
    ]
}

pub(super) fn party_faults() -> Vec<Fault> {
    vec![
        ("/tax_id", json!(4711), NO_STRING),
        ("/tax_id", json!(" \u{feff}"), "is blank; leave it out if there is none"),
        ("/users", json!({}), "is an object, expected a sequence"),
        ("/users", json!([upper(1), upper(2), lower(1)]), "has a user twice"),
        ("/users/1", json!("canary"), UUID),
        ("/users/0", json!(4711), NO_STRING),
    ]
}

pub(super) fn employee_faults() -> Vec<Fault> {
    vec![
        ("/party_id", json!("canary"), UUID),
        ("/legal_entity_id", json!("canary"), UUID),
        ("/status", json!(""), "is empty"),
        ("/is_active", json!("canary"), NO_BOOLEAN),
        ("/end_date", json!("2026-02-30"), DAY),
        ("/name", json!("canary\0"), "holds a NUL character"),
    ]
}

const TOO_LONG: &str = "is no decimal number of at most 30 digits before and after the point";
const NOT_POSITIVE: &str = "is not greater than 0";

pub(super) fn device_definition_faults() -> Vec<Fault> {
    vec![
        ("/packaging_count", json!("50"), NO_NUMBER),
        ("/packaging_count", json!(0), NOT_POSITIVE),
        ("/packaging_count", json!(-0.5), NOT_POSITIVE),
        ("/packaging_count", json!(1e31), TOO_LONG),
        ("/classification_type", json!(30221), NO_STRING),
        ("/packaging_unit", json!(""), "is empty"),
    ]
}

pub(super) fn program_device_faults() -> Vec<Fault> {
    vec![
        ("/program_id", json!("canary"), UUID),
        ("/device_definition_id", json!("canary"), UUID),
        ("/start_date", json!("2026-01-01T00:00:00Z"), DAY),
        ("/end_date", json!("2025-12-31"), "is before start_date"),
        ("/max_daily_count", json!(0), NOT_POSITIVE),
        ("/reimbursement", json!("canary"), "is a string, expected an object"),
        ("/reimbursement/type", json!("canary"), "is not one of FIXED, PERCENTAGE"),
        ("/reimbursement/amount", json!("canary"), NO_NUMBER),
        ("/reimbursement/amount", json!(-0.01), "is less than 0"),
        ("/reimbursement/amount", json!(0.001), "has more than 2 digits after the point"),
    ]
}

#[test]
fn given_a_reimbursement_then_its_type_says_which_number_it_has() {
    let with_reimbursement = |value: Value| {
        let data = with(&program_device(), |data| data["reimbursement"] = value);
        match parse("program_device", &data) {
            Ok(Record::ProgramDevice(record)) => Ok(record.facts.reimbursement),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.to_string()),
        }
    };
    let decimal = |text: &str| -> Decimal { text.parse().unwrap() };
    for (value, expected) in [
        (json!({"type": "FIXED", "amount": 0}), Reimbursement::Fixed(0.into())),
        (json!({"type": "FIXED", "amount": 1e2, "percentage": null}), Reimbursement::Fixed(100.into())),
        (json!({"type": "PERCENTAGE", "percentage": 0}), Reimbursement::Percentage(0.into())),
        (
            json!({"type": "PERCENTAGE", "percentage": 100.0, "amount": null}),
            Reimbursement::Percentage(100.into()),
        ),
        (json!({"type": "PERCENTAGE", "percentage": 33.333}), Reimbursement::Percentage(decimal("33.333"))),
    ] {
        assert_eq!(with_reimbursement(value), Ok(expected));
    }
    for (value, expected) in [
        (json!({"amount": 1}), ".type: is missing"),
        (json!({"type": "FIXED"}), ".amount: is missing"),
        (json!({"type": "FIXED", "percentage": 4}), ".amount: is missing"),
        (json!({"type": "PERCENTAGE", "amount": 4}), ".percentage: is missing"),
        (
            json!({"type": "FIXED", "amount": 4, "percentage": 4}),
            ".percentage: is given with the type that has amount",
        ),
        (
            json!({"type": "PERCENTAGE", "amount": 4, "percentage": 4}),
            ".amount: is given with the type that has percentage",
        ),
        (json!({"type": "PERCENTAGE", "percentage": 100.01}), ".percentage: is not within 0 and 100"),
        (json!({"type": "PERCENTAGE", "percentage": -1}), ".percentage: is not within 0 and 100"),
        (json!({"type": "FIXED", "amount": 1, "extra": 1}), ": has the unknown field extra"),
    ] {
        assert_eq!(with_reimbursement(value), Err(format!("$.data.reimbursement{expected}")));
    }
}
