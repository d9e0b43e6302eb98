//! Overdue dispenses: each expires once, with one event.

use std::collections::BTreeMap;

use super::{Finding, Kind};
use crate::fixtures::SYSTEM_USER;
use crate::state::{Delivered, Loaded, State};

const EXPIRED: &str = "unknown";

pub(super) fn check(loaded: &Loaded, state: &State) -> Vec<Finding> {
    loaded.overdue.iter().filter_map(|id| of_one(id, state)).collect()
}

fn of_one(id: &String, state: &State) -> Option<Finding> {
    let found =
        |kind, what: &dyn std::fmt::Debug| Some(Finding::new(kind, format!("dispense {id}: {what:?}")));
    let Some(stored) = state.dispenses.get(id) else { return found(Kind::Vanished, &"is gone") };
    let events: BTreeMap<&String, &Delivered> =
        state.topic.iter().filter(|event| event.dispense == *id).map(|event| (&event.id, event)).collect();
    let expiries = match stored.entries.as_slice() {
        [_, expiries @ ..] if !expiries.is_empty() => expiries,
        _ => return found(Kind::Lost, &"is overdue and has not expired"),
    };
    let [expiry] = expiries else { return found(Kind::Twice, &expiries) };
    if (expiry.status.as_str(), expiry.by.as_str()) != (EXPIRED, SYSTEM_USER) {
        return found(Kind::Uninvited, expiry);
    }
    if stored.waiting > 0 {
        return found(Kind::Undelivered, &stored.waiting);
    }
    let mut events = events.into_values();
    match (events.next(), events.next()) {
        (Some(event), None) => {
            let told = (event.status.as_str(), event.by.as_str(), event.at.as_str());
            let is_told = told == (EXPIRED, SYSTEM_USER, expiry.at.as_str());
            if is_told { None } else { found(Kind::EventWithoutChange, event) }
        }
        (None, _) => found(Kind::EventLost, expiry),
        (_, Some(another)) => found(Kind::EventWithoutChange, another),
    }
}
