//! What is left, held against what was answered.

use std::collections::BTreeMap;

use super::client::{Step, Taken, Told};
use crate::checker::{Finding, Kind, deduplicated};
use crate::state::{Delivered, StoredDispense};

const COMPLETED: &str = "completed";

/// A dispense as it is stored, and what hangs on it.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The dispense.
    pub dispense: StoredDispense,
    /// Its signed documents.
    pub links: Vec<String>,
    /// Those of them that the media storage has not.
    pub without_document: Vec<String>,
    /// The status of its device request.
    pub request: String,
}

/// What stands against the run; nothing, if all is well.
pub fn check(taken: &[Taken], stored: &BTreeMap<String, Stored>, topic: &[Delivered]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let by_key = deduplicated(topic, &mut findings);
    let is_known = |key: &str| taken.iter().any(|taken| taken.dispense == key || taken.request == key);
    for key in by_key.keys().filter(|key| !is_known(key)) {
        findings.push(Finding::new(Kind::Uninvited, format!("an event of an unknown entity {key}")));
    }
    for id in stored.keys().filter(|id| !is_known(id)) {
        findings.push(Finding::new(Kind::Uninvited, format!("a dispense that nobody asked for: {id}")));
    }
    for taken in taken {
        let events = |key: &str| by_key.get(key).map(Vec::as_slice).unwrap_or_default();
        let mut one = One { taken, findings: Vec::new() };
        match stored.get(&taken.dispense) {
            Some(stored) => one.check(stored, events(&taken.dispense), events(&taken.request)),
            None => one.found(Kind::Lost, "it was recorded and is not there"),
        }
        findings.append(&mut one.findings);
    }
    findings
}

struct One<'a> {
    taken: &'a Taken,
    findings: Vec<Finding>,
}

impl One<'_> {
    fn found(&mut self, kind: Kind, what: impl std::fmt::Display) {
        self.findings.push(Finding::new(kind, format!("dispense {}: {what}", self.taken.dispense)));
    }

    fn check(&mut self, stored: &Stored, events: &[&Delivered], of_request: &[&Delivered]) {
        let steps = &self.taken.steps;
        let entries = &stored.dispense.entries;
        if stored.dispense.waiting > 0 {
            self.found(Kind::Undelivered, stored.dispense.waiting);
        }
        let due: Vec<&str> = steps.iter().map(|step| step.status).collect();
        let done: Vec<&str> = entries.iter().map(|entry| entry.status.as_str()).collect();
        if done != due {
            let kind = if done.len() > due.len() { Kind::Twice } else { Kind::Lost };
            self.found(kind, format!("{done:?} is stored, {due:?} was answered"));
            return;
        }
        if due.last() != Some(&stored.dispense.status.as_str()) {
            self.found(Kind::Contradiction, format!("its status is {}", stored.dispense.status));
        }
        self.documents(stored);
        for (number, (step, entry)) in steps.iter().zip(entries).enumerate() {
            let links = stored.links.get(..number).unwrap_or_default().to_vec();
            let (at, by) = (entry.at.clone(), entry.by.clone());
            self.answers(step, &Told { status: step.status.to_owned(), at, by, links });
        }
        let changes: Vec<_> =
            entries.iter().map(|entry| (entry.status.as_str(), &entry.at, &entry.by)).collect();
        let told: Vec<_> = events.iter().map(|event| (event.status.as_str(), &event.at, &event.by)).collect();
        self.events("its own", &changes, &told);
        let completed = changes.iter().filter(|change| change.0 == COMPLETED).copied().collect::<Vec<_>>();
        let told: Vec<_> =
            of_request.iter().map(|event| (event.status.as_str(), &event.at, &event.by)).collect();
        self.events("its request's", &completed, &told);
        let request = if completed.is_empty() { "active" } else { COMPLETED };
        if stored.request != request {
            self.found(Kind::Contradiction, format!("its request is {}, not {request}", stored.request));
        }
    }

    /// One document for each change after the first, and each is kept.
    fn documents(&mut self, stored: &Stored) {
        let due = self.taken.steps.len().saturating_sub(1);
        if stored.links.len() != due {
            let kind = if stored.links.len() > due { Kind::Twice } else { Kind::Lost };
            self.found(kind, format!("{} signed documents, not {due}", stored.links.len()));
        }
        if !stored.without_document.is_empty() {
            self.found(Kind::Lost, format!("documents {:?}", stored.without_document));
        }
    }

    /// Each answer tells what was done.
    fn answers(&mut self, step: &Step, due: &Told) {
        for told in step.answers.iter().filter(|told| *told != due) {
            self.found(Kind::Dishonest, format!("{told:?} was answered, {due:?} was done"));
        }
    }

    /// Changes and events are the same things in the same order.
    fn events<T: PartialEq + std::fmt::Debug>(&mut self, whose: &str, changes: &[T], told: &[T]) {
        if changes == told {
            return;
        }
        let kind = if changes.iter().any(|change| !told.contains(change)) {
            Kind::EventLost
        } else if told.iter().any(|event| !changes.contains(event)) {
            Kind::EventWithoutChange
        } else if told.len() > changes.len() {
            Kind::Twice
        } else {
            Kind::EventsOutOfOrder
        };
        self.found(kind, format!("{whose} changes {changes:?}, events {told:?}"));
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
