//! Events that are lost, changed, out of order, or without a change.

use esoz_faults::checker::Kind;
use esoz_faults::state::Delivered;

use super::run::{Fault, OVERDUE, stopped_last, take_back, two_events_of_one};

pub(super) const FAULTS: &[Fault] = &[
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
    ("an event that no request asked for", Kind::Uninvited, |run| {
        let (id, position) = stopped_last(run);
        let by = run.state.dispenses[&id].entries[position].by.clone();
        for event in run.state.topic.iter_mut().filter(|event| event.by == by) {
            event.request_id = String::from("nobody's");
        }
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
];
