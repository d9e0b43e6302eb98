//! Changes that are lost, made twice, or asked for by nobody.

use esoz_faults::checker::Kind;
use esoz_faults::history::{Action, Operation};
use esoz_faults::state::{Audited, Entry};

use super::run::{Fault, OVERDUE, event_of, last_update, operation_of, overdue, stopped_last, take_back};
use crate::simulated::{Simulated, at};

pub(super) const FAULTS: &[Fault] = &[
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
    ("an audit row that no request asked for", Kind::Uninvited, |run| {
        let position = last_update(run);
        run.state.audit[position].request_id = Some(String::from("nobody's"));
    }),
    ("a change that its request did not ask for", Kind::Uninvited, |run| {
        let position = last_update(run);
        run.state.audit[position].by = String::from("somebody else");
    }),
    ("the status is not what the history says", Kind::Contradiction, |run| {
        let (id, _) = stopped_last(run);
        run.state.dispenses.get_mut(&id).unwrap().status = String::from("in_progress");
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
];

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
