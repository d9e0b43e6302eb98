//! The answer of each refusal, as the table of rules names it.

use esoz_kernel::ErrorKind::{self, Conflict, Forbidden, Invalid, NotFound, TooManyRequests};
use esoz_kernel::Failure as _;

use super::CreateRefusal;

/// Its code and kind, the entry that it is about, and its text.
type Answer = (&'static str, ErrorKind, Option<&'static str>, &'static str);

/// All but the last, which tells how long to wait.
const EXPECTED: [Answer; 31] = [
    ("patient_not_found", NotFound, None, "not_found"),
    ("patient_not_active", Conflict, None, "Patient is not active"),
    ("patient_not_verified", Conflict, None, "Patient is not verified"),
    (
        "performer_of_another_user",
        Invalid,
        Some("$.performer"),
        "User is not allowed to create device dispense for the performer",
    ),
    ("performer_not_active", Invalid, Some("$.performer"), "Employee is not active"),
    ("performer_ends", Invalid, Some("$.performer"), "end_date must be in future"),
    (
        "performer_of_another_legal_entity",
        Invalid,
        Some("$.performer"),
        "Employee does not belong to legal entity from token",
    ),
    ("location_not_found", Conflict, Some("$.location"), "Division not found"),
    ("location_not_active", Conflict, Some("$.location"), "Division is not active"),
    (
        "location_of_another_legal_entity",
        Conflict,
        Some("$.location"),
        "Division does not belong to user's legal entity",
    ),
    ("location_not_verified", Conflict, Some("$.location"), "Division is not verified in DLS"),
    ("request_not_found", Invalid, Some("$.based_on"), "Device request not found"),
    (
        "request_is_no_order",
        Conflict,
        Some("$.based_on"),
        "Only device request with intent = 'order' can be dispensed",
    ),
    ("request_not_active", Conflict, Some("$.based_on"), "Device request is not active"),
    ("request_expired", Conflict, Some("$.based_on"), "Device request is expired for dispense"),
    (
        "program_mismatch",
        Conflict,
        Some("$.program"),
        "Program in dispense doesn't match the one in device request",
    ),
    (
        "not_qualified",
        Conflict,
        None,
        "Device request can not be dispensed. Invoke qualify dispense request API to get detailed info",
    ),
    ("id_taken", Conflict, Some("$.id"), "Device dispense with such id already exists"),
    ("other_active", Invalid, Some("$.based_on"), "Other active device dispense already exist."),
    ("device_code", Invalid, Some("$.details[0].device"), "value is not allowed in enum"),
    ("device_not_found", Invalid, Some("$.details[0].device"), "Device definition not found"),
    (
        "device_mismatch",
        Invalid,
        Some("$.details[0].device"),
        "Dispensed device doesn't match with prescribed device",
    ),
    (
        "packaging_unit",
        Invalid,
        Some("$.details[0].device"),
        "Dispensed packaging unit doesn't match with prescribed packaging unit",
    ),
    (
        "packaging_count",
        Invalid,
        Some("$.details[0].quantity.value"),
        "The quantity must be divisible to packaging_count of prescribed Device Definition",
    ),
    ("program_device", Invalid, Some("$.details[0].program_device"), "Program device is not active"),
    ("daily_count", Invalid, Some("$.details[0].program_device"), "max daily count exceeded"),
    (
        "quantity",
        Invalid,
        Some("$.details"),
        "Dispensed quantity must be equal to prescribed quantity in Device Request",
    ),
    (
        "unit",
        Invalid,
        Some("$.details[0].quantity.code"),
        "Does not match the packaging unit of the prescribed device",
    ),
    ("prices", Invalid, Some("$.details[0].sell_price"), "Required property sell_price was not present"),
    (
        "discount",
        Invalid,
        Some("$.details[0].discount_amount"),
        "Requested discount amount must be equal to 0",
    ),
    ("wrong_code", Forbidden, None, "Incorrect code"),
];

#[test]
fn given_each_refusal_then_its_answer_is_that_of_the_table() {
    let examples = CreateRefusal::examples();
    assert_eq!(examples.len(), EXPECTED.len() + 1);
    assert_eq!(
        examples.last().map(|last| (last.code(), last.kind())),
        Some(("too_many_codes", TooManyRequests))
    );
    for (refusal, (code, kind, entry, text)) in examples.iter().zip(EXPECTED) {
        let told = refusal.faults().into_iter().next();
        let (told_entry, told_text) =
            told.map_or((None, refusal.to_string()), |(entry, text)| (Some(entry), text));
        assert_eq!(
            (refusal.code(), refusal.kind(), told_entry.as_deref(), told_text.as_str()),
            (code, kind, entry, text)
        );
    }
}
