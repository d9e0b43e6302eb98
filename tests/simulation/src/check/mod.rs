//! What must be so in the end, read off the stores, the messages and the answers.

mod dispensing;

use std::collections::BTreeMap;

use esoz_contract_division::ContractDivision;
use esoz_events::StatusChangeEvent;
use esoz_kernel::{EventId, UserId, Uuid};
use esoz_testkit::contract_divisions;
use serde_json::Value;

use crate::honest::CARRIED_OUT;
use crate::stored::Stored;
use crate::watch::{Answer, Ask, Attempt, Request, at_once};
use crate::world::World;

/// Everything. The first thing that is not as it must be is told.
pub(crate) fn all(world: &World) -> Result<(), String> {
    let requests = world.watch.requests();
    let attempts = world.watch.take_attempts();
    let messages = world.publisher.taken();
    world.sim.count(|stats| stats.messages += u64::try_from(messages.len()).unwrap_or(u64::MAX));
    if let Some(broken) = world.watch.take_broken() {
        return Err(broken);
    }
    let stored = world.watch.stored();
    dispensing::no_foreign_events(world, &messages)?;
    for of in &world.watch.belongings {
        dispensing::history(world, &stored, of, &requests)?;
        dispensing::containers(world, &stored, of, &requests)?;
        delivered(of.dispense.uuid(), &stored.history(of.dispense), &messages)?;
    }
    dispensing::requests(world, &stored, &messages)?;
    for record in &world.records {
        audit(world, record, &requests, &attempts)?;
    }
    no_pair_twice(world)?;
    for attempt in &attempts {
        honest(&stored, world, attempt, &requests)?;
    }
    same_answers_under_a_key(&attempts, &requests)
}

/// Each change of a dispense or a request is told, by one event, after those before it; nothing else is.
fn delivered(
    entity: Uuid,
    changes: &[(String, UserId)],
    messages: &[StatusChangeEvent],
) -> Result<(), String> {
    let mut seen: BTreeMap<EventId, &StatusChangeEvent> = BTreeMap::new();
    let mut told: Vec<(String, UserId)> = Vec::new();
    for event in messages.iter().filter(|event| event.entity_id == entity) {
        match seen.insert(event.id, event) {
            None => told.push((event.new_status.clone(), event.changed_by)),
            Some(first) if first == event => {}
            Some(first) => return Err(format!("one event, told in two ways: {first:?} and {event:?}")),
        }
    }
    if told == changes {
        Ok(())
    } else {
        Err(format!("{entity} has changed by {changes:?}, but consumers are told {told:?}"))
    }
}

/// Every change of a record was asked for, is what was asked for, and happened once where there is a key; the rows lead to what is stored.
fn audit(
    world: &World,
    first: &ContractDivision,
    requests: &[Request],
    attempts: &[Attempt],
) -> Result<(), String> {
    let rows = world.watch.audit(first.id);
    let fault = |what: &str| Err(format!("{what}: record {} has {rows:?}", first.id));
    let mut pair = (first.contract_id.to_string(), first.division_id.to_string());
    for (index, row) in rows.iter().enumerate() {
        if index == 0 {
            continue;
        }
        let asked = requests.iter().position(|request| request.user == row.actor_id);
        let Some((number, request)) = asked.and_then(|number| Some((number, requests.get(number)?))) else {
            return fault("nobody asked for this update");
        };
        let Ask::Update { record, change } = &request.ask else {
            return fault("an update by who asked for something else");
        };
        let after = |column: &str, kept: &str| {
            let changed = row.after.as_ref().and_then(|after| after.get(column)).and_then(Value::as_str);
            changed.unwrap_or(kept).to_owned()
        };
        pair = (after("contract_id", &pair.0), after("division_id", &pair.1));
        let wanted = (change.contract_id.to_string(), change.division_id.to_string());
        if *record != first.id || pair != wanted {
            return fault("an update that is not what was asked for");
        }
        let times = rows.iter().filter(|other| other.actor_id == row.actor_id).count();
        let most = attempts.iter().filter(|attempt| attempt.request == number).count();
        if times > most {
            return fault("an update that was made more often than it was asked for");
        }
        let sharing = |other: &UserId| {
            requests
                .iter()
                .any(|one| one.user == *other && (one.user == request.user || one.shares_key_with(request)))
        };
        let under_key: usize = world
            .records
            .iter()
            .map(|record| world.watch.audit(record.id).iter().filter(|row| sharing(&row.actor_id)).count())
            .sum();
        if request.key.is_some() && under_key > 1 {
            return fault("one key has changed something twice");
        }
    }
    let stored = stored(world, first).ok_or("a record is gone")?;
    if (stored.contract_id.to_string(), stored.division_id.to_string()) == pair {
        Ok(())
    } else {
        fault("what is stored is not what the rows lead to")
    }
}

fn stored(world: &World, record: &ContractDivision) -> Option<ContractDivision> {
    at_once(contract_divisions::stored(&*world.watch.contracts, record.id)).expect("a fake")
}

fn no_pair_twice(world: &World) -> Result<(), String> {
    let mut pairs = Vec::new();
    for record in world.records.iter().filter_map(|record| stored(world, record)) {
        let pair = (record.contract_id, record.division_id);
        if pairs.contains(&pair) {
            return Err(format!("two records have the pair {pair:?}"));
        }
        pairs.push(pair);
    }
    Ok(())
}

/// The answer was honest at some instant while the request was under way, and what it says was done is in the store.
fn honest(stored: &Stored, world: &World, attempt: &Attempt, requests: &[Request]) -> Result<(), String> {
    let request = &requests[attempt.request];
    let Attempt { possible, answer, .. } = attempt;
    let fault = |what: &str| {
        let number = attempt.request;
        Err(format!(
            "{what}: request {number} ({request:?}) was answered {answer:?}, possible were {possible:?}"
        ))
    };
    let told = match answer {
        None | Some(Answer::Nothing) => return Ok(()),
        Some(Answer::Refused(text)) => text.as_str(),
        Some(Answer::Changed { .. } | Answer::Updated(_)) => CARRIED_OUT,
    };
    if !possible.contains(told) {
        return fault("no order of the requests allows this answer");
    }
    // Whose work it is: this request's, or that of the same one under the same key.
    let is_same = |user: &str| {
        let mut same = requests.iter().filter(|other| {
            other.user == request.user || (other.shares_key_with(request) && other.ask == request.ask)
        });
        same.any(|other| other.user.to_string() == user)
    };
    match (answer, &request.ask) {
        (
            Some(Answer::Changed { status, by, .. }),
            Ask::Create { dispense }
            | Ask::Stop { dispense, .. }
            | Ask::Complete { dispense, .. }
            | Ask::MarkInError { dispense, .. },
        ) => {
            let history = stored.history(*dispense);
            let is_stored = history.iter().any(|(to, user)| to == status && user.to_string() == *by);
            if is_same(by) && is_stored { Ok(()) } else { fault("what was answered is not in the store") }
        }
        (Some(Answer::Updated(record)), Ask::Update { change, .. }) => {
            let by = record.stamps.updated_by;
            let rows = world.watch.audit(record.id);
            let is_stored = rows.iter().any(|row| row.actor_id == by && row.action == "UPDATE");
            let is_asked =
                (record.contract_id, record.division_id) == (change.contract_id, change.division_id);
            if is_same(&by.to_string()) && is_stored && is_asked {
                Ok(())
            } else {
                fault("what was answered is not in the store")
            }
        }
        (Some(Answer::Changed { .. } | Answer::Updated(_)), _) => fault("an answer to another question"),
        _ => Ok(()),
    }
}

/// Whoever asks the same under the same key is answered the same.
fn same_answers_under_a_key(attempts: &[Attempt], requests: &[Request]) -> Result<(), String> {
    let carried_out =
        |attempt: &&Attempt| matches!(attempt.answer, Some(Answer::Changed { .. } | Answer::Updated(_)));
    for one in attempts.iter().filter(carried_out) {
        for other in attempts.iter().filter(carried_out) {
            let shared = requests[one.request].shares_key_with(&requests[other.request]);
            if shared && one.answer != other.answer {
                return Err(format!("one key, two answers: {:?} and {:?}", one.answer, other.answer));
            }
        }
    }
    Ok(())
}
