//! Answers that are not what happened, or could not be given then.

use esoz_faults::checker::Kind;
use esoz_faults::history::{Action, Operation, Outcome};

use super::run::{
    Fault, done_update, event_of, last_update, operation_of, refused, stopped_last, two_events_of_one,
};
use crate::simulated::{REVOKED, at};

pub(super) const FAULTS: &[Fault] = &[
    ("an answer names another instant than the store", Kind::Dishonest, |run| {
        let (id, position) = stopped_last(run);
        let by = run.state.dispenses[&id].entries[position].by.clone();
        let event = event_of(run, &by);
        let operation = operation_of(run, &run.state.topic[event].request_id.clone());
        run.history[operation].outcome =
            Outcome::Done { at: at(1), by, state: vec![String::from("stopped")] };
    }),
    ("an answer names another pair than the audit", Kind::Dishonest, |run| {
        let operation = done_update(run);
        if let Outcome::Done { state, .. } = &mut run.history[operation].outcome {
            state[0] = String::from("another contract");
        }
    }),
    ("a stop that was refused took effect", Kind::RefusedAndDone, |run| {
        let (id, position) = stopped_last(run);
        let by = run.state.dispenses[&id].entries[position].by.clone();
        let event = event_of(run, &by);
        let operation = operation_of(run, &run.state.topic[event].request_id.clone());
        run.history[operation].outcome = refused("Device dispense in status stopped cannot be stopped");
    }),
    ("an update that was refused took effect", Kind::RefusedAndDone, |run| {
        let operation = done_update(run);
        run.history[operation].outcome =
            refused("Contract division with such contract and division already exists");
    }),
    ("an update took effect before one that had ended", Kind::OutOfOrder, |run| {
        // As if the request behind the last row had been there before all others.
        let position = last_update(run);
        let request = run.state.audit[position].request_id.clone().unwrap();
        let operation = operation_of(run, &request);
        (run.history[operation].started_us, run.history[operation].ended_us) = (0, 1);
    }),
    ("a stop took effect before one that had ended", Kind::OutOfOrder, |run| {
        let (_, second) = two_events_of_one(run);
        let operation = operation_of(run, &run.state.topic[second].request_id.clone());
        (run.history[operation].started_us, run.history[operation].ended_us) = (0, 1);
    }),
    ("a stop was refused before anybody had stopped the dispense", Kind::ImpossibleRefusal, |run| {
        let (id, _) = stopped_last(run);
        let refusal = refused("Device dispense in status stopped cannot be stopped");
        run.history.push(early(Action::Stop { dispense: id }, refusal));
    }),
    ("an update was refused for a pair that nobody held", Kind::ImpossibleRefusal, |run| {
        let refusal = refused("Contract division with such contract and division already exists");
        let (contract, division) = (String::from("contract-9"), String::from("division-9"));
        let record = String::from("record-0");
        run.history.push(early(Action::Update { record, contract, division }, refusal));
    }),
    ("an update was refused for the pair that only its own record held", Kind::ImpossibleRefusal, |run| {
        let refusal = refused("Contract division with such contract and division already exists");
        let (record, (contract, division)) = run.loaded.records.clone().pop_first().unwrap();
        run.history.push(early(Action::Update { record, contract, division }, refusal));
    }),
    ("a revoked token was let in", Kind::AfterRevocation, |run| {
        let last = run.history.iter().filter(|operation| operation.is_done()).map(|done| done.ended_us).max();
        let operation = done_update(run);
        run.history[operation].token = Some(REVOKED);
        run.history[operation].started_us = last.unwrap();
    }),
    ("a token was not let in that nobody had revoked", Kind::TokenRefused, |run| {
        let operation = run.history.iter().position(|operation| operation.token == Some(1)).unwrap();
        let message = String::from("Invalid access token");
        run.history[operation].outcome = Outcome::Refused { status: 401, message };
    }),
    ("a server broke down over a request", Kind::Unexpected, |run| {
        let operation = run.history.iter().position(|operation| operation.token.is_some()).unwrap();
        let message = String::from("Something went wrong on the server.");
        run.history[operation].outcome = Outcome::Refused { status: 500, message };
    }),
    ("a request that may not take effect was answered with 200", Kind::Unexpected, |run| {
        let mut operation = early(Action::Refused { expected: 404 }, refused(""));
        operation.outcome = Outcome::Done { at: at(1), by: String::new(), state: Vec::new() };
        run.history.push(operation);
    }),
    ("nobody asked again after a request without an answer", Kind::Unresolved, |run| {
        let unanswered = run.history.iter().find(|operation| operation.is_unclear()).unwrap().number;
        run.history.retain(|operation| operation.again != Some(unanswered));
    }),
];

/// An operation that began and ended before all others.
fn early(action: Action, outcome: Outcome) -> Operation {
    Operation {
        number: 9_000,
        client: 0,
        action,
        token: None,
        user: String::from("an early user"),
        request_id: String::from("request-9000"),
        key: None,
        again: None,
        started_us: 0,
        ended_us: 1,
        outcome,
    }
}
