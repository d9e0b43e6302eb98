//! Dispenses: their histories, their events, and what was answered about them.

use std::collections::{BTreeMap, BTreeSet};

use super::chain::{self, Effect, Window};
use super::requests::{Requests, STOPPED};
use super::{Finding, Kind};
use crate::history::{Action, Operation, Outcome};
use crate::state::{Delivered, Entry, Loaded, State, StoredDispense};

const IN_PROGRESS: &str = "in_progress";
const STOPPED_STATUS: &str = "stopped";

pub(super) fn check(loaded: &Loaded, requests: &Requests<'_>, state: &State) -> Vec<Finding> {
    let mut findings = Vec::new();
    let events = deduplicated(&state.topic, &mut findings);
    let known: BTreeSet<&String> = loaded.dispenses.iter().chain(&loaded.overdue).collect();
    for event in state.topic.iter().filter(|event| !known.contains(&event.dispense)) {
        findings.push(Finding::new(Kind::Uninvited, format!("an event of an unknown entity: {event:?}")));
    }
    for id in state.dispenses.keys().filter(|id| !known.contains(id)) {
        findings.push(Finding::new(Kind::Uninvited, format!("a dispense that nobody loaded: {id}")));
    }
    let reopened =
        requests.history.iter().filter(|operation| matches!(operation.action, Action::Reopen { .. }));
    let reopened: BTreeMap<&str, &Operation> =
        reopened.map(|operation| (operation.user.as_str(), operation)).collect();
    let mut effects = BTreeMap::new();
    let mut windows = BTreeMap::new();
    for id in &loaded.dispenses {
        let Some(stored) = state.dispenses.get(id) else {
            findings.push(Finding::new(Kind::Vanished, format!("dispense {id}")));
            continue;
        };
        let events = events.get(id.as_str()).map(Vec::as_slice).unwrap_or_default();
        let mut entity = Entity { id, stored, requests, reopened: &reopened, findings: Vec::new() };
        let (done, stopped) = entity.check(events);
        findings.append(&mut entity.findings);
        for request in done {
            *effects.entry(request).or_insert(0_usize) += 1;
        }
        windows.insert(id.as_str(), stopped);
    }
    findings.extend(once(requests, &effects));
    findings.extend(refusals(requests, &windows));
    findings
}

/// The events of each entity in the order of their first deliveries. An event that differs in a repetition is a finding.
pub(crate) fn deduplicated<'a>(
    topic: &'a [Delivered],
    findings: &mut Vec<Finding>,
) -> BTreeMap<&'a str, Vec<&'a Delivered>> {
    let mut seen: BTreeMap<&str, &Delivered> = BTreeMap::new();
    let mut events: BTreeMap<&str, Vec<&Delivered>> = BTreeMap::new();
    for event in topic {
        match seen.insert(&event.id, event) {
            None => events.entry(&event.dispense).or_default().push(event),
            Some(first) if first != event => {
                findings.push(Finding::new(Kind::EventChanged, format!("{first:?}, then {event:?}")));
            }
            Some(_) => {}
        }
    }
    events
}

struct Entity<'a> {
    id: &'a str,
    stored: &'a StoredDispense,
    requests: &'a Requests<'a>,
    /// Who set dispenses in progress again, by the user of each.
    reopened: &'a BTreeMap<&'a str, &'a Operation>,
    findings: Vec<Finding>,
}

impl<'a> Entity<'a> {
    fn found(&mut self, kind: Kind, what: impl std::fmt::Display) {
        self.findings.push(Finding::new(kind, format!("dispense {}: {what}", self.id)));
    }

    /// The requests that took effect, and while it may have been stopped.
    fn check(&mut self, events: &[&'a Delivered]) -> (Vec<&'a str>, Vec<Window>) {
        if self.stored.waiting > 0 {
            self.found(Kind::Undelivered, format!("{} events", self.stored.waiting));
        }
        self.check_last_entry();
        let stops = self.stops();
        self.compare(&stops, events);
        let mut by_entry = events.to_vec();
        let mut effects: Vec<Effect> = Vec::new();
        let mut opened: Option<Effect> = None;
        let mut windows = Vec::new();
        let mut requests = Vec::new();
        for entry in self.stored.entries.get(1..).unwrap_or_default() {
            let is_stop = entry.status == STOPPED_STATUS;
            let effect = if is_stop {
                let position = by_entry.iter().position(|event| event.at == entry.at && event.by == entry.by);
                position.and_then(|position| {
                    let event = by_entry.remove(position);
                    requests.push(event.request_id.as_str());
                    self.stop(event)
                })
            } else {
                self.reopening(entry)
            };
            effects.extend(effect);
            // An effect that nobody is known to have caused may have come at any time.
            let effect = effect.unwrap_or(Effect { number: 0, from_us: 0, by_us: u64::MAX });
            if is_stop {
                opened = Some(effect);
            } else if let Some(stopped) = opened.take() {
                windows.push(Window::between(Some(stopped), Some(effect)));
            }
        }
        windows.extend(opened.map(|stopped| Window::between(Some(stopped), None)));
        self.findings.extend(chain::check(self.id, &effects));
        (requests, windows)
    }

    fn check_last_entry(&mut self) {
        let stored = self.stored;
        let last = stored.entries.last();
        let agrees = last.is_some_and(|last| {
            let is_first = stored.entries.len() == 1;
            last.status == stored.status
                && (is_first || (last.at == stored.updated_at && last.by == stored.updated_by))
        });
        if !agrees {
            self.found(Kind::Contradiction, format!("{stored:?} is not what its history ends with"));
        }
        let mut status = "";
        for entry in &stored.entries {
            if entry.status == STOPPED_STATUS && status == STOPPED_STATUS {
                self.found(Kind::StoppedTwice, format!("{:?}", stored.entries));
            }
            status = &entry.status;
        }
    }

    fn stops(&self) -> Vec<&'a Entry> {
        self.stored.entries.iter().filter(|entry| entry.status == STOPPED_STATUS).collect()
    }

    /// Changes and events are the same things in the same order.
    fn compare(&mut self, stops: &[&Entry], events: &[&Delivered]) {
        let changes: Vec<_> = stops.iter().map(|entry| (&entry.at, &entry.by)).collect();
        let told: Vec<_> = events.iter().map(|event| (&event.at, &event.by)).collect();
        let lost: Vec<_> = changes.iter().filter(|change| !told.contains(change)).collect();
        let invented: Vec<_> = told.iter().filter(|event| !changes.contains(event)).collect();
        if !lost.is_empty() {
            self.found(Kind::EventLost, format!("{lost:?}"));
        }
        if !invented.is_empty() {
            self.found(Kind::EventWithoutChange, format!("{invented:?}"));
        }
        if lost.is_empty() && invented.is_empty() && changes != told {
            let kind = if changes.len() < told.len() { Kind::Twice } else { Kind::EventsOutOfOrder };
            self.found(kind, format!("changes {changes:?}, events {told:?}"));
        }
    }

    /// The request behind a stop, held against what was stored.
    fn stop(&mut self, event: &Delivered) -> Option<Effect> {
        let Some(operation) = self.requests.find(&event.request_id) else {
            self.found(Kind::Uninvited, format!("{event:?}"));
            return None;
        };
        let asked = matches!(&operation.action, Action::Stop { dispense } if dispense == self.id);
        if !asked || operation.user != event.by || event.status != STOPPED_STATUS {
            self.found(Kind::Uninvited, format!("{event:?} is not what {operation:?} asked for"));
            return None;
        }
        if !operation.is_done() && !operation.is_unclear() {
            self.found(Kind::RefusedAndDone, format!("{operation:?} is {event:?}"));
        }
        let told = (event.at.as_str(), event.by.as_str(), [STOPPED_STATUS]);
        for other in self.requests.group_of(operation) {
            if let Outcome::Done { at, by, state } = &other.outcome
                && ((at.as_str(), by.as_str()) != (told.0, told.1) || state.as_slice() != told.2)
            {
                self.found(Kind::Dishonest, format!("{other:?} tells of {event:?}"));
            }
        }
        let by_us = self.requests.effect_by(operation);
        Some(Effect { number: operation.number, from_us: operation.started_us, by_us })
    }

    fn reopening(&mut self, entry: &Entry) -> Option<Effect> {
        let by = self.reopened.get(entry.by.as_str()).filter(
            |operation| matches!(&operation.action, Action::Reopen { dispense } if dispense == self.id),
        );
        let Some(operation) = by.filter(|_| entry.status == IN_PROGRESS) else {
            self.found(Kind::Uninvited, format!("{entry:?}"));
            return None;
        };
        let by_us = if operation.is_done() { operation.ended_us } else { u64::MAX };
        Some(Effect { number: operation.number, from_us: operation.started_us, by_us })
    }
}

/// What was answered with 200 was done, once for each request or key.
fn once(requests: &Requests<'_>, effects: &BTreeMap<&str, usize>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (group, operations) in requests.groups() {
        let stops = operations.iter().filter(|operation| matches!(operation.action, Action::Stop { .. }));
        let stops: Vec<_> = stops.collect();
        let times: usize =
            stops.iter().filter_map(|operation| effects.get(operation.request_id.as_str())).sum();
        if times > 1 {
            findings.push(Finding::new(Kind::Twice, format!("{group} stopped {times} times: {stops:?}")));
        }
        if times == 0 && stops.iter().any(|operation| operation.is_done()) {
            findings.push(Finding::new(Kind::Lost, format!("{group}: {stops:?}")));
        }
    }
    findings
}

/// Whoever was refused because a dispense was stopped saw it stopped.
fn refusals(requests: &Requests<'_>, windows: &BTreeMap<&str, Vec<Window>>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for operation in requests.history {
        let (Action::Stop { dispense }, Outcome::Refused { status: 409, message }) =
            (&operation.action, &operation.outcome)
        else {
            continue;
        };
        let windows = windows.get(dispense.as_str()).map(Vec::as_slice).unwrap_or_default();
        let possible = windows.iter().any(|window| window.overlaps(operation.started_us, operation.ended_us));
        if message == STOPPED && !possible {
            findings.push(Finding::new(Kind::ImpossibleRefusal, format!("{operation:?}")));
        }
    }
    findings
}
