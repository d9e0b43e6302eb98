//! The rules of a stop: who may, what is changed, and why not.

use esoz_auth::authorize;
use esoz_events::{EntityType, StatusChangeEvent};
use esoz_kernel::Timestamp;

use super::fixtures::FRESH_ID;
use super::*;

#[test]
fn given_a_scope_without_the_allowance_then_there_is_no_permit_and_so_no_call() {
    for scope in ["", "device_dispense:read", "device_dispense:stopper"] {
        let error = authorize::<StopDispense>(&caller(scope)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Forbidden, "{scope}");
        assert_eq!(
            error.to_string(),
            "Your scope does not allow to access this resource. Missing allowances: device_dispense:stop"
        );
    }
    assert!(authorize::<StopDispense>(&caller("a:read  device_dispense:stop b:write")).is_ok());
}

#[test]
fn given_a_legal_entity_that_may_not_act_then_no_dispense_is_touched() {
    let not_active = "client_id refers to legal entity that is not active";
    let of_type = |kind: &str| AllowedTypes::new([LegalEntityType::new(kind)]);
    for (found, allowed_types, text) in [
        (None, AllowedTypes::default(), not_active),
        (None, of_type("MSP"), not_active),
        (Some(pharmacy(LegalEntityStatus::Suspended)), AllowedTypes::default(), not_active),
        (Some(pharmacy(LegalEntityStatus::Closed)), AllowedTypes::default(), not_active),
        (Some(pharmacy(LegalEntityStatus::Reorganized)), of_type("PHARMACY"), not_active),
        (Some(pharmacy(LegalEntityStatus::Active)), of_type("MSP"), "Invalid LegalEntity type"),
        (Some(pharmacy(LegalEntityStatus::Suspended)), of_type("MSP"), "Invalid LegalEntity type"),
    ] {
        let case = format!("{found:?} {allowed_types:?}");
        let ports = MockPorts { allowed_types, ..MockPorts::with_legal_entity(found) };
        assert_eq!(answer(ports.stop(input())), (ErrorKind::Conflict, text.to_owned()), "{case}");
    }
}

#[test]
fn given_ids_that_are_no_uuids_then_not_found_but_only_after_the_standing() {
    let inputs = || {
        [
            StopInput { patient_id: None, ..input() },
            StopInput { dispense_id: None, ..input() },
            StopInput { patient_id: None, dispense_id: None, ..input() },
        ]
    };
    for input in inputs() {
        let ports = MockPorts::with_legal_entity(Some(pharmacy(LegalEntityStatus::Active)));
        assert_eq!(answer(ports.stop(input)), not_found());
    }
    for input in inputs() {
        let ports = MockPorts::with_legal_entity(Some(pharmacy(LegalEntityStatus::Closed)));
        assert_eq!(answer(ports.stop(input)).0, ErrorKind::Conflict, "P03");
    }
}

#[test]
fn given_a_dispense_in_progress_then_one_call_stops_it() {
    let stopped = dispense(DispenseStatus::Stopped);
    let ports = MockPorts::with_answers(vec![Ok(Committed::Applied(stopped.clone()))]);
    let changes = Arc::clone(&ports.changes);
    assert_eq!(ports.stop(input()).unwrap(), stopped);
    let at: Timestamp = "2026-01-31T08:15:30.123Z".parse().unwrap();
    let expected = Transition {
        id: DISPENSE,
        owner: Some(owner()),
        subject: Some(Pseudonym::new("P")),
        inserted_before: None,
        from: vec![DispenseStatus::InProgress],
        to: DispenseStatus::Stopped,
        at,
        by: USER,
        event: StatusChangeEvent {
            id: EventId::new(FRESH_ID),
            entity_type: EntityType::DEVICE_DISPENSE,
            entity_id: DISPENSE.uuid(),
            new_status: "stopped".to_owned(),
            event_time: at,
            changed_by: USER,
            request_id: request_id(),
            trace: trace(),
        },
        idempotency: None,
    };
    assert_eq!(*changes.lock().unwrap(), [expected]);
}

#[test]
fn given_a_stale_change_then_the_dispense_says_why() {
    let refused = |status: DispenseStatus| {
        let text = format!("Device dispense in status {} cannot be stopped", status.as_str());
        (Some(dispense(status)), (ErrorKind::Conflict, text))
    };
    let of_another =
        Dispense { owner: LegalEntityId::new(Uuid::from_u128(9)), ..dispense(DispenseStatus::Completed) };
    let about_another = Dispense { subject: Pseudonym::new("Q"), ..dispense(DispenseStatus::InProgress) };
    let mut cases =
        vec![(None, not_found()), (Some(of_another), not_found()), (Some(about_another), not_found())];
    cases.extend(
        DispenseStatus::ALL.into_iter().filter(|status| *status != DispenseStatus::InProgress).map(refused),
    );
    assert_eq!(cases.len(), 10);
    for (found, expected) in cases {
        let case = format!("{found:?}");
        let ports = MockPorts::with_answers(stale(1)).and_found(1, found);
        assert_eq!(answer(ports.stop(input())), expected, "{case}");
    }
}
