use std::collections::{HashMap, HashSet};

use esoz_events::{Backlog, Claim, Claimed, EventRef, Refused, SetAside, StatusChangeEvent, Which, readable};
use esoz_kernel::{EventId, Timestamp, Uuid};

/// What waits, in the order of the commits, who holds which entity until when, and what was set aside.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    events: Vec<StatusChangeEvent>,
    claims: HashMap<Uuid, (Uuid, Timestamp)>,
    set_aside: Vec<(EventId, SetAside)>,
    unreadable: HashSet<EventId>,
}

impl Waiting {
    pub(super) fn push(&mut self, event: StatusChangeEvent) {
        self.events.push(event);
    }

    /// Makes an event unreadable, or readable again.
    pub(super) fn make_readable(&mut self, event: EventId, is_readable: bool) {
        if is_readable {
            self.unreadable.remove(&event);
        } else {
            self.unreadable.insert(event);
        }
    }

    fn is_set_aside(&self, event: EventId) -> bool {
        self.set_aside.iter().any(|(set_aside, _)| *set_aside == event)
    }

    pub(super) fn claim(&mut self, claim: &Claim) -> Claimed {
        let most = usize::try_from(claim.max_entities).unwrap_or(usize::MAX);
        let mut seen = HashSet::new();
        let firsts: Vec<_> = self.events.iter().filter(|event| seen.insert(event.entity_id)).collect();
        let is_free = |entity: Uuid| {
            self.claims.get(&entity).is_none_or(|(by, until)| {
                *by == claim.by || *until <= claim.now || *until > claim.latest_end()
            })
        };
        let taken: Vec<Uuid> = firsts
            .into_iter()
            .filter(|first| !self.is_set_aside(first.id) && is_free(first.entity_id))
            .map(|first| first.entity_id)
            .filter(|entity| !claim.except.contains(entity))
            .take(most)
            .collect();
        let mut claimed = Claimed::default();
        for entity in taken {
            let stored = self.events.iter().filter(|event| event.entity_id == entity);
            let read = |event: &StatusChangeEvent| {
                let is_unreadable = self.unreadable.contains(&event.id);
                if is_unreadable { Err(Box::new(event.clone())) } else { Ok(event.clone()) }
            };
            match readable(stored.map(read)) {
                Ok(events) => {
                    self.claims.insert(entity, (claim.by, claim.until()));
                    claimed.events.extend(events);
                }
                Err(event) => {
                    let set_aside = described(&event, "it cannot be read".to_owned(), claim.now);
                    self.put_aside(event.reference(), set_aside.clone());
                    claimed.set_aside.push(set_aside);
                }
            }
        }
        claimed
    }

    fn put_aside(&mut self, event: EventRef, set_aside: SetAside) {
        self.claims.remove(&event.entity_id);
        self.set_aside.push((event.id, set_aside));
    }

    pub(super) fn set_aside(&mut self, refused: &[Refused], now: Timestamp) {
        for Refused { event, reason } in refused {
            let stored = self.events.iter().find(|stored| stored.id == event.id);
            if let Some(set_aside) = stored.map(|stored| described(stored, reason.clone(), now)) {
                self.put_aside(*event, set_aside);
            }
        }
    }

    pub(super) fn remove(&mut self, delivered: &[EventRef]) {
        self.events.retain(|event| !delivered.contains(&event.reference()));
        let still_waiting: HashSet<Uuid> = self.events.iter().map(|event| event.entity_id).collect();
        self.claims.retain(|entity, _| still_waiting.contains(entity));
    }

    pub(super) fn release(&mut self, by: Uuid) {
        self.claims.retain(|_, (holder, _)| *holder != by);
    }

    pub(super) fn backlog(&self) -> Backlog {
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let held_up: HashSet<Uuid> = self
            .events
            .iter()
            .filter(|event| self.is_set_aside(event.id))
            .map(|event| event.entity_id)
            .collect();
        let deliverable = self.events.iter().filter(|event| !held_up.contains(&event.entity_id));
        Backlog {
            depth: count(self.events.len() - self.set_aside.len()),
            oldest: deliverable.map(|event| event.event_time).min(),
            set_aside: count(self.set_aside.len()),
        }
    }

    pub(super) fn list_set_aside(&self, limit: u32) -> Vec<SetAside> {
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        self.set_aside.iter().take(most).map(|(_, set_aside)| set_aside.clone()).collect()
    }

    pub(super) fn retry(&mut self, which: &Which) -> u64 {
        let before = self.set_aside.len();
        match which {
            Which::All => self.set_aside.clear(),
            Which::These(ids) => self.set_aside.retain(|(_, set_aside)| !ids.contains(&set_aside.id)),
        }
        u64::try_from(before - self.set_aside.len()).unwrap_or(u64::MAX)
    }

    pub(super) fn drop_set_aside(&mut self, id: &str) -> bool {
        let Some(place) = self.set_aside.iter().position(|(_, set_aside)| set_aside.id == id) else {
            return false;
        };
        let (event, _) = self.set_aside.remove(place);
        self.events.retain(|stored| stored.id != event);
        true
    }
}

fn described(event: &StatusChangeEvent, reason: String, now: Timestamp) -> SetAside {
    SetAside::new(event.id, Some(event.entity_type.as_str()), event.entity_id, reason, Some(now))
}
