//! What must be so of dispenses, their requests and what was signed.

use std::collections::BTreeSet;

use esoz_events::StatusChangeEvent;
use esoz_kernel::{Calendar as _, UserId};
use esoz_signed_content::MediaStorage as _;
use serde_json::Value;

use super::delivered;
use crate::pharmacy::UtcCalendar;
use crate::stored::Stored;
use crate::watch::{Ask, Belongs, Request, SYSTEM_USER, at_once};
use crate::world::World;

/// No message is about something else than the dispenses and the requests.
pub(super) fn no_foreign_events(world: &World, messages: &[StatusChangeEvent]) -> Result<(), String> {
    let belongings = &world.watch.belongings;
    let known: BTreeSet<_> =
        belongings.iter().flat_map(|of| [of.dispense.uuid(), of.request.uuid()]).collect();
    let strange = messages.iter().find(|event| !known.contains(&event.entity_id));
    strange.map_or(Ok(()), |strange| Err(format!("a message about something else: {strange:?}")))
}

/// Every change of a dispense was asked for by who may, and allowed where it stands; none happened twice.
pub(super) fn history(
    world: &World,
    stored: &Stored,
    of: &Belongs,
    requests: &[Request],
) -> Result<(), String> {
    let history = stored.history(of.dispense);
    let fault = |what: &str| Err(format!("{what}: dispense {} has {history:?}", of.dispense));
    let mut status = if of.inserted_at.is_some() { "in_progress" } else { "" };
    let mut users: Vec<UserId> = Vec::new();
    for (to, by) in &history {
        if *by == SYSTEM_USER {
            if (status, to.as_str()) != ("in_progress", "unknown") {
                return fault("an expiry of what is not in progress");
            }
            if !stored.expired_at(of.dispense).is_some_and(|at| stored.is_overdue(of.dispense, at)) {
                return fault("an expiry of what is not overdue");
            }
            world.sim.count(|stats| stats.expired += 1);
            status = to;
            continue;
        }
        let Some(request) = requests.iter().find(|request| request.user == *by) else {
            return fault("nobody asked for this change");
        };
        let asked = match &request.ask {
            Ask::Create { dispense } => (*dispense == of.dispense).then_some("in_progress"),
            Ask::Stop { dispense, patient } => {
                (*dispense == of.dispense && *patient == of.patient).then_some("stopped")
            }
            Ask::Complete { dispense, .. } => (*dispense == of.dispense).then_some("completed"),
            Ask::MarkInError { dispense, .. } => (*dispense == of.dispense).then_some("entered_in_error"),
            Ask::Update { .. } => None,
        };
        let asked = asked == Some(to.as_str()) && request.client == of.owner;
        if !asked {
            return fault("a change that nobody asked for, or not who may");
        }
        if users.contains(by) {
            return fault("one request has changed it twice");
        }
        users.push(*by);
        if !matches!(
            (status, to.as_str()),
            ("", "in_progress")
                | ("in_progress", "stopped" | "completed")
                | ("in_progress" | "stopped" | "unknown", "entered_in_error")
        ) {
            return fault("a change that its status does not allow");
        }
        world.sim.count(|stats| match to.as_str() {
            "in_progress" => stats.recorded += 1,
            "completed" => stats.completed += 1,
            "entered_in_error" => stats.in_error += 1,
            _ => {}
        });
        status = to;
    }
    if stored.status(of.dispense).unwrap_or_default() != status {
        return fault("its status is not that of its last change");
    }
    Ok(())
}

/// A request that is completed is told to be, once, by whom its dispense was completed.
pub(super) fn requests(world: &World, stored: &Stored, messages: &[StatusChangeEvent]) -> Result<(), String> {
    for of in &world.watch.belongings[..2] {
        let of_request = world.watch.belongings.iter().filter(|other| other.request == of.request);
        let histories = of_request.flat_map(|other| stored.history(other.dispense));
        let completed: Vec<_> = histories.filter(|(to, _)| of.is_once && to == "completed").collect();
        delivered(of.request.uuid(), &completed, messages)?;
    }
    Ok(())
}

/// A dispense has a container for each change by a signed document, with what was signed; no other container is left.
pub(super) fn containers(
    world: &World,
    stored: &Stored,
    of: &Belongs,
    requests: &[Request],
) -> Result<(), String> {
    let document = stored.dispenses.get(&of.dispense);
    let links = document
        .and_then(|document| document.get("signed_content_links"))
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let links: Vec<&str> = links.iter().filter_map(Value::as_str).collect();
    let signed = |by: &UserId| {
        let request = requests.iter().find(|request| request.user == *by)?;
        match &request.ask {
            Ask::Complete { content, .. } | Ask::MarkInError { content, .. } => {
                Some(content.clone().into_bytes())
            }
            _ => None,
        }
    };
    let signed: Vec<_> = stored.history(of.dispense).iter().filter_map(|(_, by)| signed(by)).collect();
    let mut kept = Vec::new();
    for link in &links {
        let key = link.parse().map_err(|_| format!("dispense {} has the link {link}", of.dispense))?;
        kept.extend(at_once(world.watch.media.get(&key)).expect("a fake"));
    }
    if kept != signed {
        return Err(format!(
            "dispense {} was changed by {} signed documents, has {} links, and {} containers are kept",
            of.dispense,
            signed.len(),
            links.len(),
            kept.len()
        ));
    }
    let today = UtcCalendar.day_of(world.sim.now());
    let stored = at_once(world.watch.media.list(today, None, 1_000)).expect("a fake");
    let left = stored.iter().filter(|key| key.dispense() == of.dispense).count();
    if left == links.len() {
        Ok(())
    } else {
        Err(format!("{left} containers of {}, and {} links", of.dispense, links.len()))
    }
}
