use std::collections::{HashMap, HashSet};

use esoz_events::{Backlog, Claim, EventRef, StatusChangeEvent};
use esoz_kernel::{Timestamp, Uuid};

/// What waits, in the order of the commits, and who holds which entity until when.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    events: Vec<StatusChangeEvent>,
    claims: HashMap<Uuid, (Uuid, Timestamp)>,
}

impl Waiting {
    pub(super) fn push(&mut self, event: StatusChangeEvent) {
        self.events.push(event);
    }

    pub(super) fn claim(&mut self, claim: &Claim) -> Vec<StatusChangeEvent> {
        let most = usize::try_from(claim.max_entities).unwrap_or(usize::MAX);
        let mut taken = HashSet::new();
        for event in &self.events {
            let holder = self.claims.get(&event.entity_id);
            let is_free = holder.is_none_or(|(by, until)| *by == claim.by || *until <= claim.now);
            if is_free && taken.len() < most {
                taken.insert(event.entity_id);
            }
        }
        self.claims.extend(taken.iter().map(|entity| (*entity, (claim.by, claim.until()))));
        self.events.iter().filter(|event| taken.contains(&event.entity_id)).cloned().collect()
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
        Backlog {
            depth: u64::try_from(self.events.len()).unwrap_or(u64::MAX),
            oldest: self.events.iter().map(|event| event.event_time).min(),
        }
    }
}
