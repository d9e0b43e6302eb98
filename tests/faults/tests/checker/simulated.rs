//! A run as it is when all is well: operations that overlap, each taking effect at an instant of its own.

use std::collections::{BTreeMap, BTreeSet};

use esoz_faults::fixtures::SYSTEM_USER;
use esoz_faults::history::{Action, Operation, Outcome};
use esoz_faults::state::{Audited, Delivered, Entry, Loaded, Pair, State, StoredDispense, StoredRecord};
use fastrand::Rng;

const DISPENSES: usize = 12;
const OVERDUE: usize = 3;
const RECORDS: usize = 8;
const PLACES: usize = 4;
const OPERATIONS: u64 = 400;
/// The token that is revoked, and when.
pub(crate) const REVOKED: u32 = 7;
const REVOKED_AT: u64 = 200;

/// What a run leaves.
pub(crate) struct Simulated {
    pub(crate) loaded: Loaded,
    pub(crate) history: Vec<Operation>,
    pub(crate) state: State,
}

/// An operation before it is known what becomes of it.
struct Planned {
    operation: Operation,
    effect_us: u64,
    is_answered: bool,
}

impl Simulated {
    pub(crate) fn run(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut simulated = Self::loaded();
        let mut planned: Vec<Planned> =
            (1..=OPERATIONS).map(|number| plan(&mut rng, number, &simulated.loaded)).collect();
        planned.sort_by_key(|planned| planned.effect_us);
        let mut again = Vec::new();
        let mut by_key: BTreeMap<String, Outcome> = BTreeMap::new();
        for mut planned in planned {
            let outcome = simulated.take(&planned.operation, planned.effect_us, &by_key);
            if let (Some(key), Outcome::Done { .. }) = (&planned.operation.key, &outcome) {
                by_key.insert(key.clone(), outcome.clone());
            }
            let is_change = planned.operation.key.is_some();
            if is_change && !planned.is_answered {
                again.push(planned.operation.clone());
                planned.operation.outcome = Outcome::Unanswered { why: String::from("killed") };
            } else {
                planned.operation.outcome = outcome;
            }
            simulated.history.push(planned.operation);
        }
        // What had no answer is asked again after everything else.
        let mut now = OPERATIONS * 1_000 + 50_000;
        for (first, number) in again.into_iter().zip(OPERATIONS + 1..) {
            now += 1_000;
            let mut operation = Operation {
                number,
                again: Some(first.number),
                token: Some(1),
                request_id: format!("request-{number}"),
                started_us: now,
                ended_us: now + 500,
                ..first
            };
            operation.outcome = simulated.take(&operation, now + 250, &by_key);
            simulated.history.push(operation);
        }
        // Some events are delivered twice.
        let twice: Vec<_> = simulated.state.topic.iter().step_by(5).cloned().collect();
        simulated.state.topic.extend(twice);
        let events: BTreeSet<String> = simulated.state.topic.iter().map(|event| event.id.clone()).collect();
        simulated.state.log = Some(events.into_iter().collect());
        simulated.history.sort_by_key(|operation| operation.number);
        simulated
    }

    fn loaded() -> Self {
        let mut loaded = Loaded::default();
        let mut state = State::default();
        for number in 0..DISPENSES {
            let id = format!("dispense-{number}");
            loaded.dispenses.push(id.clone());
            let entry = entry("in_progress", 0, "loader");
            let (updated_at, updated_by) = (entry.at.clone(), entry.by.clone());
            let status = entry.status.clone();
            let stored = StoredDispense { status, updated_at, updated_by, entries: vec![entry], waiting: 0 };
            state.dispenses.insert(id, stored);
        }
        for number in 0..OVERDUE {
            let id = format!("overdue-{number}");
            loaded.overdue.push(id.clone());
            let entries = vec![entry("in_progress", 0, "loader"), entry("unknown", 7, SYSTEM_USER)];
            let (status, updated_at, updated_by) = (String::from("unknown"), at(7), SYSTEM_USER.to_owned());
            state.topic.push(Delivered {
                id: format!("event-of-{id}"),
                dispense: id.clone(),
                status: status.clone(),
                at: updated_at.clone(),
                by: updated_by.clone(),
                request_id: format!("expiry-{number}"),
            });
            let stored = StoredDispense { status, updated_at, updated_by, entries, waiting: 0 };
            state.dispenses.insert(id, stored);
        }
        for number in 0..RECORDS {
            let id = format!("record-{number}");
            let pair: Pair =
                (format!("contract-{}", number / PLACES), format!("division-{}", number % PLACES));
            loaded.records.insert(id.clone(), pair.clone());
            let (updated_at, updated_by) = (at(0), String::from("loader"));
            state.records.insert(id.clone(), StoredRecord { pair: pair.clone(), updated_at, updated_by });
            let after = BTreeMap::from([
                (String::from("contract_id"), pair.0),
                (String::from("division_id"), pair.1),
            ]);
            let (action, by) = (String::from("INSERT"), String::from("loader"));
            let before = BTreeMap::new();
            state.audit.push(Audited { record: id, action, by, request_id: None, before, after });
        }
        Self { loaded, history: Vec::new(), state }
    }

    /// What becomes of an operation at that instant.
    fn take(&mut self, operation: &Operation, now: u64, by_key: &BTreeMap<String, Outcome>) -> Outcome {
        if operation.token == Some(REVOKED) && now > REVOKED_AT * 1_000 {
            return refused(401, "Invalid access token");
        }
        if let Some(known) = operation.key.as_ref().and_then(|key| by_key.get(key)) {
            return known.clone();
        }
        let user = operation.user.clone();
        match &operation.action {
            Action::Stop { dispense } => {
                let stored = self.state.dispenses.get_mut(dispense).unwrap();
                if stored.status == "stopped" {
                    return refused(409, "Device dispense in status stopped cannot be stopped");
                }
                change(stored, entry("stopped", now, &user));
                self.state.topic.push(Delivered {
                    id: format!("event-{}", operation.number),
                    dispense: dispense.clone(),
                    status: String::from("stopped"),
                    at: at(now),
                    by: user.clone(),
                    request_id: operation.request_id.clone(),
                });
                Outcome::Done { at: at(now), by: user, state: vec![String::from("stopped")] }
            }
            Action::Reopen { dispense } => {
                let stored = self.state.dispenses.get_mut(dispense).unwrap();
                if stored.status == "stopped" {
                    change(stored, entry("in_progress", now, &user));
                }
                Outcome::Done { at: at(now), by: user, state: Vec::new() }
            }
            Action::Update { record, contract, division } => {
                let pair = (contract.clone(), division.clone());
                if self.state.records.iter().any(|(id, other)| id != record && other.pair == pair) {
                    return refused(409, "Contract division with such contract and division already exists");
                }
                self.update(operation, record, pair, now)
            }
            Action::Revoke { .. } => Outcome::Done { at: at(now), by: user, state: Vec::new() },
            Action::Refused { expected } => refused(*expected, "not_found"),
        }
    }

    fn update(&mut self, operation: &Operation, record: &str, pair: Pair, now: u64) -> Outcome {
        let stored = self.state.records.get_mut(record).unwrap();
        let mut before = BTreeMap::from([(String::from("updated_at"), stored.updated_at.clone())]);
        let mut after = BTreeMap::from([(String::from("updated_at"), at(now))]);
        for (column, was, is_now) in
            [("contract_id", &stored.pair.0, &pair.0), ("division_id", &stored.pair.1, &pair.1)]
        {
            if was != is_now {
                before.insert(column.to_owned(), was.clone());
                after.insert(column.to_owned(), is_now.clone());
            }
        }
        let by = operation.user.clone();
        *stored = StoredRecord { pair: pair.clone(), updated_at: at(now), updated_by: by.clone() };
        self.state.audit.push(Audited {
            record: record.to_owned(),
            action: String::from("UPDATE"),
            by: by.clone(),
            request_id: Some(operation.request_id.clone()),
            before,
            after,
        });
        Outcome::Done { at: at(now), by, state: vec![pair.0, pair.1] }
    }
}

fn plan(rng: &mut Rng, number: u64, loaded: &Loaded) -> Planned {
    let which = rng.usize(0..DISPENSES);
    let dispense = || loaded.dispenses[which].clone();
    let action = match rng.u32(0..100) {
        _ if number == REVOKED_AT => Action::Revoke { token: REVOKED },
        0..40 => Action::Stop { dispense: dispense() },
        40..60 => Action::Reopen { dispense: dispense() },
        60..95 => Action::Update {
            record: format!("record-{}", rng.usize(0..RECORDS)),
            contract: format!("contract-{}", rng.usize(0..PLACES)),
            division: format!("division-{}", rng.usize(0..PLACES)),
        },
        _ => Action::Refused { expected: 404 },
    };
    let is_change = matches!(action, Action::Stop { .. } | Action::Update { .. });
    let token = is_change.then(|| rng.u32(1..=REVOKED));
    let effect_us = number * 1_000;
    let started_us = effect_us.saturating_sub(rng.u64(1..4_000));
    let outcome = Outcome::Unanswered { why: String::new() };
    let operation = Operation {
        number,
        client: 0,
        action,
        token,
        user: format!("user-{number}"),
        request_id: format!("request-{number}"),
        key: (is_change && rng.bool()).then(|| format!("key-{number}")),
        again: None,
        started_us,
        ended_us: effect_us + rng.u64(1..4_000),
        outcome,
    };
    Planned { operation, effect_us, is_answered: rng.u32(0..10) > 0 }
}

fn change(stored: &mut StoredDispense, entry: Entry) {
    stored.status.clone_from(&entry.status);
    stored.updated_at.clone_from(&entry.at);
    stored.updated_by.clone_from(&entry.by);
    stored.entries.push(entry);
}

fn entry(status: &str, now: u64, by: &str) -> Entry {
    Entry { status: status.to_owned(), at: at(now), by: by.to_owned() }
}

fn refused(status: u16, message: &str) -> Outcome {
    Outcome::Refused { status, message: message.to_owned() }
}

pub(crate) fn at(now: u64) -> String {
    format!("t{now:09}")
}
