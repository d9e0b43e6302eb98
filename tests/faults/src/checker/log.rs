//! The event log: it holds the events of the topic, and nothing else.

use std::collections::BTreeSet;

use super::{Finding, Kind};
use crate::state::State;

pub(super) fn check(state: &State) -> Vec<Finding> {
    let Some(stored) = &state.log else { return Vec::new() };
    let topic: BTreeSet<&String> = state.topic.iter().map(|event| &event.id).collect();
    let log: BTreeSet<&String> = stored.iter().collect();
    let mut findings: Vec<Finding> = topic
        .difference(&log)
        .map(|id| Finding::new(Kind::NotLogged, format!("event {id} is in the topic alone")))
        .collect();
    findings.extend(
        log.difference(&topic).map(|id| {
            Finding::new(Kind::EventWithoutChange, format!("event {id} is in the event log alone"))
        }),
    );
    if log.len() < stored.len() {
        findings.push(Finding::new(Kind::Twice, "the event log holds an event twice"));
    }
    findings
}
