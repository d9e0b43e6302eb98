//! A stop under an idempotency key.

use super::*;

fn key(text: &str) -> Option<IdempotencyKey> {
    IdempotencyKey::parse(text)
}

/// What is kept with a stop of that dispense about the patient with that pseudonym.
fn idempotency(key: &str, id: DispenseId, subject: &str) -> IdempotentRequest {
    let id = id.uuid();
    let asked: [&[u8]; 2] = [id.as_bytes(), subject.as_bytes()];
    IdempotentRequest::new("stop_device_dispense", CLIENT, &IdempotencyKey::parse(key).unwrap(), &asked)
}

#[test]
fn given_a_key_then_the_change_carries_it_with_what_was_asked() {
    let stopped = dispense(DispenseStatus::Stopped);
    let ports = MockPorts::with_answers(vec![Ok(Committed::Applied(stopped.clone()))]);
    let changes = Arc::clone(&ports.changes);
    assert_eq!(ports.stop(StopInput { idempotency_key: key("k"), ..input() }).unwrap(), stopped);
    let changes = changes.lock().unwrap();
    assert_eq!(changes[0].idempotency, Some(idempotency("k", DISPENSE, "P")));
    for other in [
        idempotency("K", DISPENSE, "P"),
        idempotency("k", DISPENSE, "Q"),
        idempotency("k", DispenseId::new(Uuid::from_u128(9)), "P"),
    ] {
        assert_ne!(changes[0].idempotency, Some(other));
    }
}

#[test]
fn given_a_repetition_then_the_first_answer_and_no_further_look() {
    let stopped = dispense(DispenseStatus::Stopped);
    let replay = Committed::Replayed(stopped.clone());
    let ports = MockPorts::with_answers(vec![Ok(replay)]);
    assert_eq!(ports.stop(StopInput { idempotency_key: key("k"), ..input() }).unwrap(), stopped);
}

#[test]
fn given_a_key_of_another_request_then_a_conflict_and_no_further_look() {
    let ports = MockPorts::with_answers(vec![Ok(Committed::KeyReused)]);
    let result = ports.stop(StopInput { idempotency_key: key("k"), ..input() });
    let text = "The idempotency key was used for another request";
    assert_eq!(answer(result), (ErrorKind::Conflict, text.to_owned()));
}

#[test]
fn given_a_concurrent_repetition_then_the_first_answer_comes_before_any_refusal() {
    let stopped = dispense(DispenseStatus::Stopped);
    let replay = || Ok(Committed::Replayed(stopped.clone()));
    let found = || Some(dispense(DispenseStatus::Stopped));
    for (answers, looks) in [
        (vec![conflict(), replay()], 0),
        (vec![Ok(Committed::Stale), replay()], 1),
        (vec![conflict(), Ok(Committed::Stale), replay()], 1),
        (vec![Ok(Committed::Stale), conflict(), replay()], 1),
    ] {
        let case = format!("{answers:?}");
        let ports = MockPorts::with_answers(answers).and_found(looks, found());
        let result = ports.stop(StopInput { idempotency_key: key("k"), ..input() });
        assert_eq!(result.unwrap(), stopped, "{case}");
    }
}

#[test]
fn given_a_key_under_which_nothing_was_done_then_the_refusal_is_found_once_and_stands() {
    for (found, expected) in [
        (
            Some(dispense(DispenseStatus::Stopped)),
            (ErrorKind::Conflict, "Device dispense in status stopped cannot be stopped".to_owned()),
        ),
        (None, not_found()),
    ] {
        let ports = MockPorts::with_answers(stale(2)).and_found(1, found);
        assert_eq!(answer(ports.stop(StopInput { idempotency_key: key("k"), ..input() })), expected);
    }
    // Not final: a concurrent change may be that of the same request.
    let mut answers = vec![Ok(Committed::Stale)];
    answers.extend((0..4).map(|_| conflict()));
    let ports = MockPorts::with_answers(answers).and_found(1, Some(dispense(DispenseStatus::Stopped)));
    let result = ports.stop(StopInput { idempotency_key: key("k"), ..input() });
    assert_eq!(answer(result).0, ErrorKind::Unavailable);
}

#[test]
fn given_a_key_of_a_legal_entity_that_may_not_act_then_it_is_not_looked_at() {
    let ports = MockPorts::with_legal_entity(Some(pharmacy(LegalEntityStatus::Suspended)));
    let result = ports.stop(StopInput { idempotency_key: key("k"), ..input() });
    assert_eq!(answer(result).0, ErrorKind::Conflict);
}
