//! One fault of each kind, planted into a run.

use esoz_faults::checker::Kind;
use esoz_faults::history::{Action, Operation, Outcome};
use esoz_faults::state::{Audited, Delivered, Entry, StoredDispense};

use crate::simulated::{REVOKED, Simulated, at};

type Plant = fn(&mut Simulated);

/// What is planted, what it must be found as, and how it is done.
pub(crate) const FAULTS: &[(&str, Kind, Plant)] = &[
    ("an acknowledged stop is gone from store and topic", Kind::Lost, |run| {
        let (id, position) = stopped_last(run);
        let by = run.state.dispenses[&id].entries[position].by.clone();
        run.state.topic.retain(|event| event.by != by);
        take_back(run.state.dispenses.get_mut(&id).unwrap());
    }),
    ("an acknowledged update is gone from store and audit", Kind::Lost, |run| {
        let position = last_update(run);
        let row = run.state.audit.remove(position);
        undo(run, &row);
    }),
    ("an acknowledged update is in the store and not in the audit", Kind::Contradiction, |run| {
        let position = last_update(run);
        run.state.audit.remove(position);
    }),
    ("a dispense is gone", Kind::Vanished, |run| drop(run.state.dispenses.pop_first())),
    ("a contract division is gone", Kind::Vanished, |run| drop(run.state.records.pop_first())),
    ("an overdue dispense has not expired", Kind::Lost, |run| {
        take_back(overdue(run));
        run.state.topic.retain(|event| event.dispense != OVERDUE);
    }),
    ("a dispense has expired twice", Kind::Twice, |run| {
        let expiry = overdue(run).entries[1].clone();
        overdue(run).entries.push(expiry);
    }),
    ("an expiry has no event", Kind::EventLost, |run| {
        run.state.topic.retain(|event| event.dispense != OVERDUE);
    }),
    ("an expiry is told by two events", Kind::EventWithoutChange, |run| {
        let first = run.state.topic.iter().find(|event| event.dispense == OVERDUE).cloned().unwrap();
        run.state.topic.push(Delivered { id: String::from("another"), ..first });
    }),
    ("an event is not in the event log", Kind::NotLogged, |run| drop(run.state.log.as_mut().unwrap().pop())),
    ("an event is in the event log twice", Kind::Twice, |run| {
        let log = run.state.log.as_mut().unwrap();
        log.extend(log.last().cloned());
    }),
    ("an update was audited twice", Kind::Twice, |run| {
        let position = last_update(run);
        let row = Audited { before: std::collections::BTreeMap::new(), ..run.state.audit[position].clone() };
        run.state.audit.insert(position, row);
    }),
    ("a repetition under a key stopped the dispense once more", Kind::Twice, |run| {
        let (id, position) = stopped_last(run);
        let entry = run.state.dispenses[&id].entries[position].clone();
        let first = event_of(run, &entry.by);
        let key = String::from("the key of both");
        let original = operation_of(run, &run.state.topic[first].request_id.clone());
        run.history[original].key = Some(key.clone());
        let again = Operation {
            number: 9_001,
            request_id: String::from("request-9001"),
            started_us: 9_000_000,
            ended_us: 9_001_000,
            ..run.history[original].clone()
        };
        let mut event = run.state.topic[first].clone();
        (event.id, event.request_id, event.at) =
            (String::from("event-9001"), again.request_id.clone(), at(9_000_500));
        run.history.push(again);
        run.state.topic.push(event);
        let stored = run.state.dispenses.get_mut(&id).unwrap();
        stored.updated_at = at(9_000_500);
        stored.entries.push(Entry { at: at(9_000_500), ..entry });
    }),
    ("a dispense that was stopped is stopped again", Kind::StoppedTwice, |run| {
        let (id, position) = stopped_last(run);
        let stored = run.state.dispenses.get_mut(&id).unwrap();
        let entry = stored.entries[position].clone();
        stored.entries.push(entry);
    }),
    ("an event that no request asked for", Kind::Uninvited, |run| {
        let (id, position) = stopped_last(run);
        let by = run.state.dispenses[&id].entries[position].by.clone();
        for event in run.state.topic.iter_mut().filter(|event| event.by == by) {
            event.request_id = String::from("nobody's");
        }
    }),
    ("an audit row that no request asked for", Kind::Uninvited, |run| {
        let position = last_update(run);
        run.state.audit[position].request_id = Some(String::from("nobody's"));
    }),
    ("a change that its request did not ask for", Kind::Uninvited, |run| {
        let position = last_update(run);
        run.state.audit[position].by = String::from("somebody else");
    }),
    ("an event was never delivered", Kind::EventLost, |run| {
        let (id, position) = stopped_last(run);
        let by = run.state.dispenses[&id].entries[position].by.clone();
        run.state.topic.retain(|event| event.by != by);
    }),
    ("an event of a change that was taken back", Kind::EventWithoutChange, |run| {
        let (id, _) = stopped_last(run);
        take_back(run.state.dispenses.get_mut(&id).unwrap());
    }),
    ("an event was delivered again with another content", Kind::EventChanged, |run| {
        let mut again = run.state.topic[0].clone();
        again.at.push('x');
        run.state.topic.push(again);
    }),
    ("the events of a dispense came in another order", Kind::EventsOutOfOrder, |run| {
        let (first, second) = two_events_of_one(run);
        run.state.topic.swap(first, second);
    }),
    ("an event still waits", Kind::Undelivered, |run| {
        let (id, _) = stopped_last(run);
        run.state.dispenses.get_mut(&id).unwrap().waiting = 1;
    }),
    ("the status is not what the history says", Kind::Contradiction, |run| {
        let (id, _) = stopped_last(run);
        run.state.dispenses.get_mut(&id).unwrap().status = String::from("in_progress");
    }),
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
    ("two records hold one pair", Kind::PairHeldTwice, |run| {
        let position = last_update(run);
        let row = run.state.audit[position].clone();
        let (other, held) = run.state.records.iter().find(|(id, _)| **id != row.record).unwrap();
        let (contract, division) = held.pair.clone();
        assert_ne!(*other, row.record);
        let operation = operation_of(run, &row.request_id.unwrap());
        run.state.audit[position].after.insert(String::from("contract_id"), contract.clone());
        run.state.audit[position].after.insert(String::from("division_id"), division.clone());
        run.history[operation].action = Action::Update { record: row.record, contract, division };
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

/// A dispense whose last change was a stop that was answered with 200, and the place of that stop in its history.
fn stopped_last(run: &Simulated) -> (String, usize) {
    let is_acknowledged = |stored: &StoredDispense| {
        let last = stored.entries.last().unwrap();
        let done =
            run.history.iter().find(|operation| operation.user == last.by && operation.again.is_none());
        stored.status == "stopped" && done.is_some_and(Operation::is_done)
    };
    let found = run.state.dispenses.iter().find(|(_, stored)| is_acknowledged(stored));
    let (id, stored) = found.expect("a dispense that was stopped last");
    (id.clone(), stored.entries.len() - 1)
}

fn take_back(stored: &mut StoredDispense) {
    stored.entries.pop();
    let last = stored.entries.last().unwrap();
    (stored.status, stored.updated_at, stored.updated_by) =
        (last.status.clone(), last.at.clone(), last.by.clone());
}

/// The last audit row that moved a record and is its record's last, of an operation that was answered with 200.
fn last_update(run: &Simulated) -> usize {
    let last_of_record = |position: usize| {
        let record = &run.state.audit[position].record;
        !run.state.audit[position + 1..].iter().any(|row| row.record == *record)
    };
    let is_done = |request: &Option<String>| {
        let operation = &run.history[operation_of(run, request.as_ref().unwrap())];
        operation.is_done()
    };
    let rows = run.state.audit.iter().enumerate().rev();
    let mut found = rows.filter(|(position, row)| {
        row.action == "UPDATE" && row.after.len() > 1 && last_of_record(*position) && is_done(&row.request_id)
    });
    found.next().expect("an update that is its record's last").0
}

/// A dispense that expired.
const OVERDUE: &str = "overdue-0";

fn overdue(run: &mut Simulated) -> &mut StoredDispense {
    run.state.dispenses.get_mut(OVERDUE).unwrap()
}

/// The record as if that row had never been.
fn undo(run: &mut Simulated, row: &Audited) {
    let by = run.state.audit.iter().rev().find(|other| other.record == row.record).unwrap().by.clone();
    let stored = run.state.records.get_mut(&row.record).unwrap();
    stored.updated_by = by;
    for (column, was) in &row.before {
        match column.as_str() {
            "contract_id" => stored.pair.0.clone_from(was),
            "division_id" => stored.pair.1.clone_from(was),
            _ => stored.updated_at.clone_from(was),
        }
    }
}

fn event_of(run: &Simulated, by: &str) -> usize {
    run.state.topic.iter().position(|event| event.by == by).expect("an event")
}

/// The first deliveries of two events of one dispense.
fn two_events_of_one(run: &Simulated) -> (usize, usize) {
    let numbered = || run.state.topic.iter().enumerate();
    let second_of = |(first, event): (usize, &Delivered)| {
        let is_other = |other: &Delivered| other.dispense == event.dispense && other.id != event.id;
        let second = numbered().skip(first + 1).find(|(_, other)| is_other(other));
        second.map(|(second, _)| (first, second))
    };
    numbered().find_map(second_of).expect("a dispense with two events")
}

fn operation_of(run: &Simulated, request: &str) -> usize {
    run.history.iter().position(|operation| operation.request_id == request).expect("an operation")
}

/// An update that was answered with 200 and that an audit row tells of.
fn done_update(run: &Simulated) -> usize {
    let position = last_update(run);
    operation_of(run, run.state.audit[position].request_id.as_ref().unwrap())
}

fn refused(message: &str) -> Outcome {
    Outcome::Refused { status: 409, message: message.to_owned() }
}

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
