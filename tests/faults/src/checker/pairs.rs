//! Contract divisions: their audit, the pairs that they held, and what was answered about them.

use std::collections::BTreeMap;

use super::chain::{self, Effect, Window};
use super::requests::{HELD, Requests};
use super::{Finding, Kind};
use crate::history::{Action, Operation, Outcome};
use crate::state::{Audited, Loaded, Pair, State};

pub(super) fn check(loaded: &Loaded, requests: &Requests<'_>, state: &State) -> Vec<Finding> {
    let mut replay = Replay::new(loaded, requests);
    for row in &state.audit {
        replay.take(row);
    }
    let Replay { records, mut findings, mut windows, rows, .. } = replay;
    for (id, replayed) in &records {
        findings.extend(chain::check(id, &replayed.effects));
        let holding = Window::between(replayed.since, None);
        windows.entry(replayed.pair.clone()).or_default().push(Holding { record: id, window: holding });
        match state.records.get(*id) {
            None => findings.push(Finding::new(Kind::Vanished, format!("contract division {id}"))),
            Some(stored) => {
                let last = replayed.last.as_ref().is_none_or(|(at, by)| {
                    (at.as_str(), by.as_str()) == (&stored.updated_at, &stored.updated_by)
                });
                if stored.pair != replayed.pair || !last {
                    let text = format!("contract division {id} is {stored:?}, by its audit {replayed:?}");
                    findings.push(Finding::new(Kind::Contradiction, text));
                }
            }
        }
    }
    for id in state.records.keys().filter(|id| !records.contains_key(id.as_str())) {
        findings.push(Finding::new(Kind::Uninvited, format!("a contract division that nobody loaded: {id}")));
    }
    findings.extend(once(requests, &rows));
    findings.extend(refusals(requests, &windows));
    findings
}

/// A contract division, as far as its audit was replayed.
#[derive(Debug)]
struct Replayed {
    pair: Pair,
    /// What made it hold its pair; nothing, if it did from the beginning.
    since: Option<Effect>,
    effects: Vec<Effect>,
    /// When it was changed last, and by whom.
    last: Option<(String, String)>,
}

struct Holding<'a> {
    record: &'a str,
    window: Window,
}

struct Replay<'a> {
    requests: &'a Requests<'a>,
    records: BTreeMap<&'a str, Replayed>,
    /// Who may have held a pair when.
    windows: BTreeMap<Pair, Vec<Holding<'a>>>,
    /// How many audit rows each request has.
    rows: BTreeMap<&'a str, usize>,
    findings: Vec<Finding>,
}

impl<'a> Replay<'a> {
    fn new(loaded: &'a Loaded, requests: &'a Requests<'a>) -> Self {
        let replayed =
            |pair: &Pair| Replayed { pair: pair.clone(), since: None, effects: Vec::new(), last: None };
        let records = loaded.records.iter().map(|(id, pair)| (id.as_str(), replayed(pair))).collect();
        Self { requests, records, windows: BTreeMap::new(), rows: BTreeMap::new(), findings: Vec::new() }
    }

    fn found(&mut self, kind: Kind, what: impl std::fmt::Display, row: &Audited) {
        self.findings.push(Finding::new(kind, format!("{what}: {row:?}")));
    }

    fn take(&mut self, row: &'a Audited) {
        let is_loading = row.action == "INSERT" && row.request_id.is_none();
        if !self.records.contains_key(row.record.as_str()) || (row.action != "UPDATE" && !is_loading) {
            self.found(Kind::Uninvited, "an audit row that nobody asked for", row);
            return;
        }
        if is_loading {
            return;
        }
        let Some(effect) = self.request(row) else { return };
        self.apply(row, effect);
    }

    /// The request behind a row, held against what was audited.
    fn request(&mut self, row: &'a Audited) -> Option<Effect> {
        let requests = self.requests;
        let request_id = row.request_id.as_deref();
        let Some(operation) = request_id.and_then(|request_id| requests.find(request_id)) else {
            self.found(Kind::Uninvited, "an audit row without a request", row);
            return None;
        };
        *self.rows.entry(&operation.request_id).or_insert(0) += 1;
        let (pair, changed_at) = self.after(row);
        let asked = matches!(&operation.action, Action::Update { record, contract, division }
            if *record == row.record && (contract, division) == (&pair.0, &pair.1));
        if !asked || operation.user != row.by {
            self.found(Kind::Uninvited, format!("not what {operation:?} asked for"), row);
            return None;
        }
        if !operation.is_done() && !operation.is_unclear() {
            self.found(Kind::RefusedAndDone, format!("{operation:?}"), row);
        }
        for other in requests.group_of(operation) {
            if let Outcome::Done { at, by, state } = &other.outcome
                && (Some(at.as_str()) != changed_at.as_deref()
                    || *by != row.by
                    || state.as_slice() != [pair.0.clone(), pair.1.clone()])
            {
                self.found(Kind::Dishonest, format!("{other:?} tells of this"), row);
            }
        }
        let by_us = requests.effect_by(operation);
        Some(Effect { number: operation.number, from_us: operation.started_us, by_us })
    }

    /// The pair after the row, and when it was changed.
    fn after(&self, row: &Audited) -> (Pair, Option<String>) {
        let record = self.records.get(row.record.as_str());
        let mut pair = record.map(|record| record.pair.clone()).unwrap_or_default();
        // An audit row has the columns that changed: two updates at the same instant leave the time as it is.
        let since = record.and_then(|record| record.last.as_ref()).map(|(at, _)| at.clone());
        if let Some(contract) = row.after.get("contract_id") {
            pair.0.clone_from(contract);
        }
        if let Some(division) = row.after.get("division_id") {
            pair.1.clone_from(division);
        }
        (pair, row.after.get("updated_at").cloned().or(since))
    }

    fn apply(&mut self, row: &'a Audited, effect: Effect) {
        let (pair, changed_at) = self.after(row);
        let holder = self.records.iter().find(|(id, other)| **id != row.record && other.pair == pair);
        if let Some(holder) = holder.map(|(id, _)| (*id).to_owned()) {
            self.found(Kind::PairHeldTwice, format!("{holder} holds {pair:?}"), row);
        }
        let Some(record) = self.records.get_mut(row.record.as_str()) else { return };
        let was = [("contract_id", &record.pair.0), ("division_id", &record.pair.1)];
        let agrees =
            was.iter().all(|(column, was)| row.before.get(*column).is_none_or(|before| before == *was));
        if pair != record.pair {
            let window = Window::between(record.since, Some(effect));
            let left = std::mem::replace(&mut record.pair, pair);
            record.since = Some(effect);
            self.windows.entry(left).or_default().push(Holding { record: &row.record, window });
        }
        record.effects.push(effect);
        record.last = changed_at.map(|at| (at, row.by.clone()));
        if !agrees {
            self.found(Kind::Contradiction, "not what the rows before it made", row);
        }
    }
}

/// What was answered with 200 was audited, once for each request or key.
fn once(requests: &Requests<'_>, rows: &BTreeMap<&str, usize>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (group, operations) in requests.groups() {
        let is_update = |operation: &&&Operation| matches!(operation.action, Action::Update { .. });
        let updates: Vec<_> = operations.iter().filter(is_update).collect();
        let times: usize =
            updates.iter().filter_map(|operation| rows.get(operation.request_id.as_str())).sum();
        if times > 1 {
            findings.push(Finding::new(Kind::Twice, format!("{group} audited {times} times: {updates:?}")));
        }
        if times == 0 && updates.iter().any(|operation| operation.is_done()) {
            findings.push(Finding::new(Kind::Lost, format!("{group}: {updates:?}")));
        }
    }
    findings
}

/// Whoever was refused because another record held a pair could have seen one hold it.
fn refusals(requests: &Requests<'_>, windows: &BTreeMap<Pair, Vec<Holding<'_>>>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for operation in requests.history {
        let (Action::Update { record, contract, division }, Outcome::Refused { status: 409, message }) =
            (&operation.action, &operation.outcome)
        else {
            continue;
        };
        let holdings = windows.get(&(contract.clone(), division.clone())).map(Vec::as_slice);
        let possible = holdings.unwrap_or_default().iter().any(|holding| {
            holding.record != record && holding.window.overlaps(operation.started_us, operation.ended_us)
        });
        if message == HELD && !possible {
            findings.push(Finding::new(Kind::ImpossibleRefusal, format!("{operation:?}")));
        }
    }
    findings
}
