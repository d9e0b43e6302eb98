//! Each rule alone, and with every later one.

mod content;
mod equality;
mod fixture;

use esoz_kernel::{EventId, LegalEntityId, Pseudonym, StoreErrorKind};
use serde_json::{Value, json};

use super::*;
use crate::{DeviceRequestStatus, NotVisible};
use fixture::{Fixture, uuid};

type Break = (&'static str, fn(&mut Fixture), ChangeRefusal);

fn hold_order(
    rules: &[Break],
    fresh: fn() -> Fixture,
    decide: fn(&Fixture) -> Result<DispenseUpdate, ChangeRefusal>,
) {
    assert!(decide(&fresh()).is_ok());
    for (place, (rule, first, expected)) in rules.iter().enumerate() {
        let mut fixture = fresh();
        first(&mut fixture);
        assert_eq!(decide(&fixture).as_ref(), Err(expected), "{rule}");
        for (later, second, _) in &rules[place + 1..] {
            let mut fixture = fresh();
            second(&mut fixture);
            first(&mut fixture);
            assert_eq!(decide(&fixture).as_ref(), Err(expected), "{rule} and {later}");
        }
    }
}

#[test]
fn given_rules_of_complete_are_broken_then_the_earliest_answers() {
    let rules: [Break; 10] = [
        (
            "K06",
            |it| it.owner = LegalEntityId::new(uuid(66)),
            ChangeRefusal::NotFound(NotVisible::OtherLegalEntity),
        ),
        (
            "K06, patient",
            |it| it.subject = Pseudonym::new("Q"),
            ChangeRefusal::NotFound(NotVisible::OtherPatient),
        ),
        ("K07", |it| it.signed["payment_amount"] = Value::Null, ChangeRefusal::PaymentMissing),
        ("K08", |it| it.handed_over = Some("2026-02-01"), ChangeRefusal::Period),
        ("K09", |it| it.request().status = DeviceRequestStatus::Completed, ChangeRefusal::RequestNotActive),
        ("K10", |it| it.user = 8, ChangeRefusal::NotAuthor),
        (
            "K11",
            |it| it.status = DispenseStatus::Stopped,
            ChangeRefusal::CannotBeCompleted(DispenseStatus::Stopped),
        ),
        ("K12", |it| it.signed["status"] = "stopped".into(), ChangeRefusal::SignedStatus),
        (
            "K13",
            |it| it.signed["details"][0]["sell_price"] = json!(50.51),
            ChangeRefusal::Mismatch("details"),
        ),
        ("K13, key", |it| it.signed["more"] = 1.into(), ChangeRefusal::Mismatch("unknown_field")),
    ];
    hold_order(&rules, Fixture::complete, Fixture::decide_complete);
}

#[test]
fn given_rules_of_mark_in_error_are_broken_then_the_earliest_answers() {
    let completed = ChangeRefusal::CannotBeMarkedInError(DispenseStatus::Completed);
    let rules: [Break; 6] = [
        (
            "E05",
            |it| it.owner = LegalEntityId::new(uuid(66)),
            ChangeRefusal::NotFound(NotVisible::OtherLegalEntity),
        ),
        (
            "E05, patient",
            |it| it.subject = Pseudonym::new("Q"),
            ChangeRefusal::NotFound(NotVisible::OtherPatient),
        ),
        ("E08", |it| it.status = DispenseStatus::Completed, completed),
        ("E09", |it| it.signed["status"] = "completed".into(), ChangeRefusal::SignedStatus),
        ("E10", |it| it.signed["status_reason"]["coding"][0]["code"] = "x".into(), ChangeRefusal::Reason),
        ("E11", |it| it.signed["note"] = "another".into(), ChangeRefusal::Mismatch("note")),
    ];
    hold_order(&rules, Fixture::mark, Fixture::decide_mark);
}

#[test]
fn given_each_status_then_only_those_of_the_table_are_left() {
    for status in DispenseStatus::ALL {
        let (mut complete, mut mark) = (Fixture::complete(), Fixture::mark());
        (complete.status, mark.status) = (status, status);
        let is_in_progress = status == DispenseStatus::InProgress;
        assert_eq!(complete.decide_complete().is_ok(), is_in_progress, "{status}");
        let never = [DispenseStatus::Completed, DispenseStatus::EnteredInError];
        assert_eq!(mark.decide_mark().is_ok(), !never.contains(&status), "{status}");
    }
    let refused = ChangeRefusal::CannotBeCompleted(DispenseStatus::Cancelled);
    assert_eq!(refused.to_string(), "Device dispense in status cancelled cannot be completed");
    let refused = ChangeRefusal::CannotBeMarkedInError(DispenseStatus::Completed);
    assert_eq!(refused.to_string(), "Device dispense in status completed cannot be marked in error");
}

#[test]
fn given_a_complete_then_the_free_fields_are_set_and_the_request_ends() {
    let mut fixture = Fixture::complete();
    fixture.signed["payment_id"] = "p".into();
    let update = fixture.decide_complete().unwrap();
    let set = json!({"when_handed_over": "2026-01-31T08:15:30.000Z", "payment_amount": 10.5, "payment_id": "p", "note": "n"});
    assert_eq!((Value::Object(update.set), update.to, update.reason), (set, DispenseStatus::Completed, None));
    assert_eq!((update.link.as_str(), update.event.new_status.as_str()), ("key", "completed"));
    assert_eq!((update.event.id, update.event.entity_id), (EventId::new(uuid(21)), uuid(1)));
    let request = update.completed_request.unwrap();
    assert_eq!((request.id, request.entity_id), (EventId::new(uuid(22)), uuid(6)));
    assert_eq!((request.entity_type.as_str(), request.new_status.as_str()), ("DeviceRequest", "completed"));
}

#[test]
fn given_a_request_without_quantity_then_it_goes_on() {
    let mut fixture = Fixture::complete();
    fixture.request().quantity = None;
    assert_eq!(fixture.decide_complete().unwrap().completed_request, None);
}

#[test]
fn given_an_absent_free_field_then_it_stays_as_stored() {
    let mut fixture = Fixture::complete();
    fixture.signed["note"] = Value::Null;
    let set = fixture.decide_complete().unwrap().set;
    assert!(
        set.len() == 2 && set.contains_key("payment_amount") && set.contains_key("when_handed_over"),
        "{set:?}"
    );
}

#[test]
fn given_no_program_then_no_payment_is_needed() {
    let mut fixture = Fixture::complete();
    for record in [&mut fixture.stored, &mut fixture.signed] {
        record["program"] = Value::Null;
    }
    fixture.signed["payment_amount"] = Value::Null;
    assert!(fixture.decide_complete().is_ok());
}

#[test]
fn given_a_day_of_handing_over_then_it_is_neither_after_today_nor_after_the_request() {
    for (day, valid_to, expected) in [
        (None, "2026-01-31", false),
        (Some("2026-01-31"), "2026-01-31", true),
        (Some("2026-01-31"), "2026-01-30", false),
        (Some("2026-01-30"), "2026-01-30", true),
        (Some("2026-02-01"), "2026-12-31", false),
        (Some("2025-01-01"), "2026-12-31", true),
    ] {
        let mut fixture = Fixture::complete();
        fixture.handed_over = day;
        fixture.request().dispense_valid_to = valid_to.parse().unwrap();
        let told = fixture.decide_complete().err();
        assert_eq!(told, (!expected).then_some(ChangeRefusal::Period), "{day:?} {valid_to}");
    }
}

#[test]
fn given_an_unknown_request_then_it_is_not_active() {
    let mut fixture = Fixture::complete();
    fixture.request = None;
    assert_eq!(fixture.decide_complete().unwrap_err(), ChangeRefusal::RequestNotActive);
}

#[test]
fn given_the_switch_is_off_then_another_user_may_complete() {
    let mut fixture = Fixture::complete();
    (fixture.user, fixture.is_author_required) = (8, false);
    assert!(fixture.decide_complete().is_ok());
}

#[test]
fn given_a_mark_in_error_then_reason_and_letter_are_set() {
    let mut fixture = Fixture::mark();
    fixture.signed["explanatory_letter"] = "Переплутали".into();
    let update = fixture.decide_mark().unwrap();
    assert_eq!(Value::Object(update.set), json!({"explanatory_letter": "Переплутали"}));
    assert_eq!(update.reason.unwrap()["coding"][0]["code"], "duplicate");
    assert_eq!((update.to, update.completed_request), (DispenseStatus::EnteredInError, None));
    fixture.signed["status_reason"] = Value::Null;
    assert_eq!(fixture.decide_mark().unwrap_err(), ChangeRefusal::Reason);
}

#[test]
fn k09_given_a_corrupt_request_then_who_sees_the_dispense_is_told_and_a_stranger_is_not() {
    let fixture = Fixture::complete();
    assert_eq!(fixture.complete_on_corrupt_request().unwrap_err().kind(), StoreErrorKind::Corrupt);
    let mut unpaid = Fixture::complete();
    unpaid.signed.as_object_mut().unwrap().remove("payment_amount");
    assert_eq!(
        unpaid.complete_on_corrupt_request().unwrap(),
        Err(ChangeRefusal::PaymentMissing),
        "K07 comes first"
    );
    let of_another = Fixture { owner: LegalEntityId::new(uuid(99)), ..fixture };
    let told = of_another.complete_on_corrupt_request().unwrap();
    assert_eq!(told, Err(ChangeRefusal::NotFound(NotVisible::OtherLegalEntity)));
}
