//! Each rule alone, neighbours together, and the ends of what each allows.

mod amounts;
mod answers;
mod fixture;
mod order;
mod program;
mod record;

use std::time::Duration;

use esoz_kernel::{Failure as _, LegalEntityId, Uuid};

use super::*;
use crate::VerificationCode;
use fixture::{Fixture, uuid};

/// The refusal of a create of which only this is wrong.
fn refusal(change: impl FnOnce(&mut Fixture)) -> CreateRefusal {
    let mut fixture = Fixture::new();
    change(&mut fixture);
    fixture.decide().unwrap_err()
}

/// Whether a create with this change is recorded.
fn passes(change: impl FnOnce(&mut Fixture)) -> bool {
    let mut fixture = Fixture::new();
    change(&mut fixture);
    fixture.decide().is_ok()
}

/// The entries and texts of a refusal of which only this is wrong.
fn faults(change: impl FnOnce(&mut Fixture)) -> Vec<(String, String)> {
    refusal(change).faults()
}

fn fault(entry: &str, text: &str) -> (String, String) {
    (entry.to_owned(), text.to_owned())
}

#[test]
fn given_nothing_wrong_then_it_is_recorded() {
    assert!(passes(|_| {}));
}

#[test]
fn given_switches_are_off_then_inactive_and_unverified_patients_are_served() {
    use esoz_registries::{PersonStatus, VerificationStatus};
    for (status, verification) in PersonStatus::ALL.iter().zip(VerificationStatus::ALL.iter().rev()) {
        assert!(passes(|fixture| {
            let person = fixture.facts.registries.person.as_mut().unwrap();
            (person.status, person.verification) = (*status, *verification);
        }));
    }
}

#[test]
fn given_verification_is_wanted_then_only_a_patient_found_wrong_is_refused() {
    use esoz_registries::VerificationStatus;
    for verification in VerificationStatus::ALL {
        let is_served = passes(|fixture| {
            fixture.facts.policy.requires_verified_patient = true;
            fixture.facts.registries.person.as_mut().unwrap().verification = verification;
        });
        assert_eq!(is_served, verification != VerificationStatus::NotVerified, "{verification}");
    }
}

#[test]
fn given_a_post_that_ends_then_today_is_too_late() {
    for (end, expected) in [("2026-01-30", false), ("2026-01-31", false), ("2026-02-01", true)] {
        let passes = passes(|fixture| {
            fixture.facts.registries.performer.as_mut().unwrap().end_date = Some(end.parse().unwrap());
        });
        assert_eq!(passes, expected, "{end}");
    }
}

#[test]
fn given_an_employee_then_only_active_and_approved_ones_may_act() {
    for (is_active, status) in [(false, "APPROVED"), (true, "DISMISSED"), (true, "NEW"), (true, "approved")] {
        let refusal = refusal(|fixture| {
            let performer = fixture.facts.registries.performer.as_mut().unwrap();
            (performer.is_active, performer.status) = (is_active, status.to_owned());
        });
        assert_eq!(refusal, CreateRefusal::PerformerNotActive, "{is_active} {status}");
    }
}

#[test]
fn given_a_user_without_a_party_then_no_performer_is_theirs() {
    let without_party = refusal(|fixture| fixture.facts.registries.party = None);
    let without_employee = refusal(|fixture| fixture.facts.registries.performer = None);
    assert_eq!(
        [without_party, without_employee],
        [CreateRefusal::PerformerOfAnotherUser, CreateRefusal::PerformerOfAnotherUser]
    );
}

#[test]
fn given_a_division_then_status_and_record_must_both_be_active() {
    for (is_active, is_in_use) in [(false, true), (true, false)] {
        let refusal = refusal(|fixture| {
            let location = fixture.facts.registries.location.as_mut().unwrap();
            (location.is_active, location.is_in_use) = (is_active, is_in_use);
        });
        assert_eq!(refusal, CreateRefusal::LocationNotActive);
    }
}

#[test]
fn given_dls_is_wanted_then_only_a_verified_division_is_right() {
    for (verified, expected) in [(None, false), (Some(false), false), (Some(true), true)] {
        let passes = passes(|fixture| {
            fixture.facts.policy.requires_dls_verification = true;
            fixture.facts.registries.location.as_mut().unwrap().is_dls_verified = verified;
        });
        assert_eq!(passes, expected, "{verified:?}");
    }
}

#[test]
fn given_a_request_then_its_last_day_belongs_to_it() {
    for (last, expected) in [("2026-01-30", false), ("2026-01-31", true), ("2026-02-01", true)] {
        let passes = passes(|fixture| {
            fixture.request().dispense_valid_to = last.parse().unwrap();
        });
        assert_eq!(passes, expected, "{last}");
    }
}

#[test]
fn given_a_request_without_quantity_then_other_dispenses_do_not_matter_nor_how_much() {
    assert!(passes(|fixture| {
        fixture.found.has_active_dispense = true;
        fixture.request().quantity = None;
        fixture.facts.body.details[0].quantity = 12.into();
        fixture.facts.body.details[0].discount_amount = "60.3".parse().ok();
    }));
}

#[test]
fn given_a_lifetime_then_what_is_older_is_not_active() {
    let now = "2026-01-31T08:15:30.123Z".parse().unwrap();
    let mut policy = CreatePolicy::default();
    assert_eq!(policy.active_since(now), None);
    policy.lifetime = Some(Duration::from_mins(1));
    assert_eq!(policy.active_since(now), Some("2026-01-31T08:14:30.123Z".parse().unwrap()));
}

#[test]
fn given_several_wrong_details_then_one_rule_tells_all_of_its_own() {
    let told = faults(|fixture| {
        let wrong = fixture.facts.body.details[0].clone();
        fixture.facts.body.details.extend([wrong.clone(), wrong]);
        for place in [0, 2] {
            let NewDevice::Reference(device) = &mut fixture.facts.body.details[place].device else {
                unreachable!()
            };
            device.code = "device_request".to_owned();
        }
        // A later rule of another detail waits.
        let NewDevice::Reference(device) = &mut fixture.facts.body.details[1].device else { unreachable!() };
        device.named.id = uuid(99);
    });
    let text = "value is not allowed in enum";
    assert_eq!(told, [fault("$.details[0].device", text), fault("$.details[2].device", text)]);
}

#[test]
fn given_a_code_then_it_must_be_given_and_right_and_only_so_often() {
    let code = |text: &str| VerificationCode::parse(text);
    for (given, expected) in [
        (code("1234"), None),
        (code("1235"), Some(CreateRefusal::WrongCode)),
        (None, Some(CreateRefusal::WrongCode)),
    ] {
        let mut fixture = Fixture::new();
        fixture.request().verification_code = code("1234");
        fixture.facts.body.verification_code = given;
        fixture.found.wrong_codes = 4;
        assert_eq!(fixture.decide().err(), expected);
        fixture.found.wrong_codes = 5;
        fixture.found.oldest_wrong_code = Some("2026-01-31T07:20:30.123Z".parse().unwrap());
        let refusal = fixture.decide().unwrap_err();
        assert_eq!(refusal, CreateRefusal::TooManyCodes(301));
        assert_eq!(
            (refusal.kind(), refusal.retry_after_s()),
            (esoz_kernel::ErrorKind::TooManyRequests, Some(301))
        );
    }
}

#[test]
fn given_a_request_without_a_code_then_any_is_taken() {
    assert!(passes(|fixture| {
        fixture.facts.body.verification_code = VerificationCode::parse("1234");
        fixture.found.wrong_codes = 99;
    }));
}

#[test]
fn given_another_legal_entity_then_its_own_things_are_not_ours() {
    let stranger = LegalEntityId::new(Uuid::from_u128(77));
    let performer =
        refusal(|fixture| fixture.facts.registries.performer.as_mut().unwrap().legal_entity = stranger);
    let location =
        refusal(|fixture| fixture.facts.registries.location.as_mut().unwrap().legal_entity = stranger);
    assert_eq!(performer, CreateRefusal::PerformerOfAnotherLegalEntity);
    assert_eq!(location, CreateRefusal::LocationOfAnotherLegalEntity);
}
