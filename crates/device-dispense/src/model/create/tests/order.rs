//! The order of the rules: each alone, and each with the one after it.

use esoz_kernel::{Failure as _, LegalEntityId, Pseudonym};
use esoz_registries::{PersonStatus, VerificationStatus};

use super::fixture::{Fixture, device, uuid};
use super::*;
use crate::{DeviceRequestStatus, VerificationCode};

/// What makes a create break a rule, and no rule before it.
type Break = fn(&mut Fixture);

/// Every rule from 5 on, in the order of the table: its number, what breaks it, and the code of its refusal.
const RULES: [(&str, Break, &str); 29] = [
    ("5", |it| it.facts.registries.person = None, "patient_not_found"),
    (
        "6",
        |it| {
            it.facts.policy.requires_active_patient = true;
            if let Some(person) = &mut it.facts.registries.person {
                person.status = PersonStatus::Inactive;
            }
        },
        "patient_not_active",
    ),
    (
        "6, second part",
        |it| {
            it.facts.policy.requires_verified_patient = true;
            if let Some(person) = &mut it.facts.registries.person {
                person.verification = VerificationStatus::NotVerified;
            }
        },
        "patient_not_verified",
    ),
    (
        "7",
        |it| it.facts.registries.party.as_mut().unwrap().id = esoz_kernel::PartyId::new(uuid(66)),
        "performer_of_another_user",
    ),
    ("8", |it| it.facts.registries.performer.as_mut().unwrap().is_active = false, "performer_not_active"),
    (
        "8, second part",
        |it| it.facts.registries.performer.as_mut().unwrap().end_date = Some(it.facts.today),
        "performer_ends",
    ),
    (
        "9",
        |it| it.facts.registries.performer.as_mut().unwrap().legal_entity = LegalEntityId::new(uuid(66)),
        "performer_of_another_legal_entity",
    ),
    ("10", |it| it.facts.registries.location = None, "location_not_found"),
    (
        "11",
        |it| it.facts.registries.location.iter_mut().for_each(|location| location.is_active = false),
        "location_not_active",
    ),
    (
        "12",
        |it| {
            it.facts
                .registries
                .location
                .iter_mut()
                .for_each(|location| location.legal_entity = LegalEntityId::new(uuid(66)))
        },
        "location_of_another_legal_entity",
    ),
    ("13", |it| it.facts.policy.requires_dls_verification = true, "location_not_verified"),
    ("14", |it| it.request().subject = Pseudonym::new("Q"), "request_not_found"),
    ("15", |it| it.request().intent = "plan".to_owned(), "request_is_no_order"),
    ("16", |it| it.request().status = DeviceRequestStatus::Revoked, "request_not_active"),
    ("17", |it| it.request().dispense_valid_to = fixture::day("2026-01-30"), "request_expired"),
    ("18", |it| it.request().program = None, "program_mismatch"),
    ("19", |it| it.facts.registries.program.as_mut().unwrap().is_active = false, "not_qualified"),
    ("20", |it| it.found.is_id_taken = true, "id_taken"),
    ("21", |it| it.found.has_active_dispense = true, "other_active"),
    (
        "22",
        |it| {
            if let NewDevice::Reference(device) = &mut it.detail().device {
                device.code = "device".to_owned();
            }
        },
        "device_code",
    ),
    ("23", |it| it.facts.registries.definitions[0].is_active = false, "device_not_found"),
    (
        "24",
        |it| it.facts.registries.definitions[0].classification_type = "needles".to_owned(),
        "device_mismatch",
    ),
    ("25", |it| it.facts.registries.definitions[0].packaging_unit = "ml".to_owned(), "packaging_unit"),
    ("26", |it| it.facts.registries.definitions[0].packaging_count = 5.into(), "packaging_count"),
    (
        "27",
        |it| {
            it.detail().program_device =
                Some(AnyReference { code: "device".to_owned(), named: fixture::named(uuid(10)) });
        },
        "program_device",
    ),
    ("29", |it| it.detail().quantity = 9.into(), "quantity"),
    ("30", |it| it.detail().unit = "ml".to_owned(), "unit"),
    ("31", |it| it.detail().sell_price = None, "prices"),
    ("33", |it| it.request().verification_code = VerificationCode::parse("1234"), "wrong_code"),
];

#[test]
fn given_one_rule_is_broken_then_it_answers() {
    for (rule, broken, code) in RULES {
        assert_eq!(refusal(broken).code(), code, "rule {rule}");
    }
}

#[test]
fn given_two_rules_are_broken_then_the_earlier_answers() {
    for (place, (rule, first, code)) in RULES.iter().enumerate() {
        for (later, second, _) in &RULES[place + 1..] {
            let mut fixture = Fixture::new();
            second(&mut fixture);
            first(&mut fixture);
            assert_eq!(fixture.decide().unwrap_err().code(), *code, "rules {rule} and {later}");
        }
    }
}

#[test]
fn given_a_discount_too_high_then_it_is_told_after_prices_and_before_the_code() {
    let told = |change: Break| {
        refusal(|fixture| {
            change(fixture);
            fixture.detail().discount_amount = "60.01".parse().ok();
        })
        .code()
    };
    assert_eq!(told(|_| {}), "discount");
    assert_eq!(
        told(|fixture| fixture.request().verification_code = VerificationCode::parse("1234")),
        "discount"
    );
    assert_eq!(told(|fixture| fixture.detail().unit = "ml".to_owned()), "unit");
}

#[test]
fn given_each_refusal_then_its_answer_is_that_of_the_table() {
    use esoz_kernel::ErrorKind::{Conflict, Forbidden, Invalid, NotFound, TooManyRequests};
    let expected = [
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
    let examples = CreateRefusal::examples();
    assert_eq!(examples.len(), expected.len() + 1);
    assert_eq!(
        examples.last().map(|last| (last.code(), last.kind())),
        Some(("too_many_codes", TooManyRequests))
    );
    for (refusal, (code, kind, entry, text)) in examples.iter().zip(expected) {
        let told = refusal.faults().pop();
        let (told_entry, told_text) =
            told.map_or((None, refusal.to_string()), |(entry, text)| (Some(entry), text));
        assert_eq!(
            (refusal.code(), refusal.kind(), told_entry.as_deref(), told_text.as_str()),
            (code, kind, entry, text)
        );
    }
}

#[test]
fn given_a_device_of_which_only_the_code_is_right_then_it_is_looked_for() {
    let refusal = refusal(|fixture| fixture.detail().device = device(99));
    assert_eq!(refusal.code(), "device_not_found");
}
