//! A store that is stale or in conflict is offered the change again; any other failure is passed on.

use super::*;

#[test]
fn given_a_stale_change_of_a_dispense_in_progress_then_the_same_change_is_offered_again() {
    let stopped = dispense(DispenseStatus::Stopped);
    let mut answers = stale(1);
    answers.push(Ok(Committed::Applied(stopped.clone())));
    let ports = MockPorts::with_answers(answers).and_found(1, Some(dispense(DispenseStatus::InProgress)));
    let changes = Arc::clone(&ports.changes);
    assert_eq!(ports.stop(input()).unwrap(), stopped);
    let changes = changes.lock().unwrap();
    assert_eq!(changes.len(), 2);
    assert_eq!(changes[0], changes[1], "one event id, however often it is offered");
}

#[test]
fn given_a_store_that_stays_stale_then_the_use_case_gives_up() {
    let ports = MockPorts::with_answers(stale(5)).and_found(5, Some(dispense(DispenseStatus::InProgress)));
    let error = ports.stop(input()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let StopError::Store(cause) = error else { panic!("{error:?}") };
    assert_eq!(StoreError::kind(&cause), StoreErrorKind::Conflict);
    assert_eq!(
        cause.to_string(),
        format!(
            "the store refused a concurrent change while stopping dispense {DISPENSE}: it changed under 5 attempts"
        )
    );
}

#[test]
fn given_a_conflict_in_the_store_then_the_change_is_offered_again_without_a_look() {
    let lost = MockPorts::with_answers(vec![conflict(), Ok(Committed::Stale)])
        .and_found(1, Some(dispense(DispenseStatus::Stopped)));
    assert_eq!(
        answer(lost.stop(input())),
        (ErrorKind::Conflict, "Device dispense in status stopped cannot be stopped".to_owned())
    );
    let stopped = dispense(DispenseStatus::Stopped);
    let won = MockPorts::with_answers(vec![conflict(), Ok(Committed::Applied(stopped.clone()))]);
    assert_eq!(won.stop(input()).unwrap(), stopped);
    let never = MockPorts::with_answers((0..5).map(|_| conflict()).collect());
    assert_eq!(answer(never.stop(input())).0, ErrorKind::Unavailable);
}

/// Kinds of failure that are passed on, and what they are to the caller.
const PASSED_ON: [(StoreErrorKind, ErrorKind); 3] = [
    (StoreErrorKind::Unavailable, ErrorKind::Unavailable),
    (StoreErrorKind::Corrupt, ErrorKind::Internal),
    (StoreErrorKind::Unexpected, ErrorKind::Internal),
];

fn store_error(kind: StoreErrorKind) -> StoreError {
    StoreError::new(kind, "testing")
}

fn assert_passed_on(result: Result<Dispense, StopError>, kind: StoreErrorKind, expected: ErrorKind) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), expected);
    let StopError::Store(cause) = error else { panic!("{error:?}") };
    assert_eq!(StoreError::kind(&cause), kind);
}

#[test]
fn given_a_change_that_fails_then_the_failure_is_passed_on_without_another_try() {
    for (kind, expected) in PASSED_ON {
        assert_passed_on(MockPorts::with_answers(vec![Err(store_error(kind))]).stop(input()), kind, expected);
    }
}

#[test]
fn given_a_look_that_fails_then_the_failure_is_passed_on_without_another_try() {
    for (kind, expected) in PASSED_ON {
        let mut ports = MockPorts::with_answers(stale(1));
        ports.dispenses.expect_find().times(1).returning(move |_| Err(store_error(kind)));
        assert_passed_on(ports.stop(input()), kind, expected);
    }
}

#[test]
fn given_a_registry_of_legal_entities_that_fails_then_no_dispense_is_touched() {
    for (kind, expected) in PASSED_ON {
        assert_passed_on(MockPorts::with_registry(Err(store_error(kind))).stop(input()), kind, expected);
    }
}
