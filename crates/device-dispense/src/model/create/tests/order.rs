//! The order of the rules: each alone, and each with the one after it.

use esoz_kernel::{Failure as _, LegalEntityId, PartyId, Pseudonym};
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
        |it| it.facts.registries.party.as_mut().unwrap().id = PartyId::new(uuid(66)),
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
                .for_each(|location| location.legal_entity = LegalEntityId::new(uuid(66)));
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
fn given_a_device_of_which_only_the_code_is_right_then_it_is_looked_for() {
    let refusal = refusal(|fixture| fixture.detail().device = device(99));
    assert_eq!(refusal.code(), "device_not_found");
}
