//! Where in a run a fault can be planted.

use esoz_faults::checker::Kind;
use esoz_faults::history::{Operation, Outcome};
use esoz_faults::state::{Delivered, StoredDispense};

use crate::simulated::Simulated;

/// What is planted, what it must be found as, and how it is done.
pub(crate) type Fault = (&'static str, Kind, fn(&mut Simulated));

/// A dispense whose last change was a stop that was answered with 200, and the place of that stop in its history.
pub(super) fn stopped_last(run: &Simulated) -> (String, usize) {
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

pub(super) fn take_back(stored: &mut StoredDispense) {
    stored.entries.pop();
    let last = stored.entries.last().unwrap();
    (stored.status, stored.updated_at, stored.updated_by) =
        (last.status.clone(), last.at.clone(), last.by.clone());
}

/// The last audit row that moved a record and is its record's last, of an operation that was answered with 200.
pub(super) fn last_update(run: &Simulated) -> usize {
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
pub(super) const OVERDUE: &str = "overdue-0";

pub(super) fn overdue(run: &mut Simulated) -> &mut StoredDispense {
    run.state.dispenses.get_mut(OVERDUE).unwrap()
}

pub(super) fn event_of(run: &Simulated, by: &str) -> usize {
    run.state.topic.iter().position(|event| event.by == by).expect("an event")
}

pub(super) fn operation_of(run: &Simulated, request: &str) -> usize {
    run.history.iter().position(|operation| operation.request_id == request).expect("an operation")
}

/// An update that was answered with 200 and that an audit row tells of.
pub(super) fn done_update(run: &Simulated) -> usize {
    let position = last_update(run);
    operation_of(run, run.state.audit[position].request_id.as_ref().unwrap())
}

pub(super) fn refused(message: &str) -> Outcome {
    Outcome::Refused { status: 409, message: message.to_owned() }
}

/// The first deliveries of two events of one dispense.
pub(super) fn two_events_of_one(run: &Simulated) -> (usize, usize) {
    let numbered = || run.state.topic.iter().enumerate();
    let second_of = |(first, event): (usize, &Delivered)| {
        let is_other = |other: &Delivered| other.dispense == event.dispense && other.id != event.id;
        let second = numbered().skip(first + 1).find(|(_, other)| is_other(other));
        second.map(|(second, _)| (first, second))
    };
    numbered().find_map(second_of).expect("a dispense with two events")
}
