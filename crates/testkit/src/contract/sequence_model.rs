//! The model that sequences are played against: what is stored, known and waiting, in plain maps, by the rules of the domain.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use esoz_device_dispense::{DispenseStatus, Transition};
use esoz_events::StatusChangeEvent;
use esoz_kernel::{ClientId, DispenseId, PatientId, Timestamp, UserId, idempotency};

use super::sequence_steps::DISPENSES;
use crate::builders::{event_of, fresh};

/// What is stored of one dispense.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) status: DispenseStatus,
    /// What happened since it was loaded.
    pub(super) history: Vec<(DispenseStatus, Timestamp, UserId)>,
    /// How long the history was by then.
    pub(super) before: usize,
    pub(super) unknown: Option<i32>,
}

/// What is known under a key.
#[derive(Debug, Clone, Copy)]
struct Known {
    dispense: usize,
    of_patient: bool,
    at: Timestamp,
    by: UserId,
}

/// What is answered to a stop.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    Stopped { at: Timestamp, by: UserId },
    Refused(String),
}

/// A dispense, whether or not it is loaded.
pub(super) struct Thing {
    pub(super) id: DispenseId,
    pub(super) owner: ClientId,
    pub(super) patient: PatientId,
}

/// What a store must hold.
pub(super) struct Model {
    pub(super) things: Vec<Thing>,
    pub(super) stored: BTreeMap<usize, Stored>,
    /// By client and key.
    keys: BTreeMap<(ClientId, u8), Known>,
    /// Of each dispense, in order.
    pub(super) waiting: BTreeMap<usize, Vec<StatusChangeEvent>>,
}

impl Model {
    /// Nothing is loaded.
    pub(super) fn new() -> Self {
        let thing = |_| Thing {
            id: DispenseId::new(fresh()),
            owner: ClientId::new(fresh()),
            patient: PatientId::new(fresh()),
        };
        Self {
            things: (0..DISPENSES).map(thing).collect(),
            stored: BTreeMap::new(),
            keys: BTreeMap::new(),
            waiting: BTreeMap::new(),
        }
    }

    /// The dispense, or another one.
    pub(super) fn thing(&self, dispense: usize, is_it: bool) -> &Thing {
        &self.things[if is_it { dispense } else { (dispense + 1) % DISPENSES }]
    }

    /// Stops a dispense for the client and user; what the rules say.
    pub(super) fn stop(
        &mut self,
        dispense: usize,
        (client, by): (ClientId, UserId),
        may_see: bool,
        of_patient: bool,
        key: Option<u8>,
        at: Timestamp,
    ) -> Told {
        let known = key.and_then(|key| self.keys.get(&(client, key)));
        if let Some(known) = known.filter(|known| at.duration_since(known.at) < idempotency::RETENTION) {
            return if (known.dispense, known.of_patient) == (dispense, of_patient) {
                Told::Stopped { at: known.at, by: known.by }
            } else {
                Told::Refused("The idempotency key was used for another request".to_owned())
            };
        }
        let Some(stored) = self.stored.get_mut(&dispense).filter(|_| may_see) else {
            return Told::Refused("not_found".to_owned());
        };
        if stored.status != DispenseStatus::InProgress {
            let status = stored.status.as_str();
            return Told::Refused(format!("Device dispense in status {status} cannot be stopped"));
        }
        stored.status = DispenseStatus::Stopped;
        stored.history.push((DispenseStatus::Stopped, at, by));
        if let Some(key) = key {
            self.keys.insert((client, key), Known { dispense, of_patient, at, by });
        }
        // Its id, its request and its span are the use case's own to say.
        let event = StatusChangeEvent {
            new_status: "stopped".to_owned(),
            event_time: at,
            changed_by: by,
            ..event_of(self.things[dispense].id.uuid())
        };
        self.waiting.entry(dispense).or_default().push(event);
        Told::Stopped { at, by }
    }

    /// Makes a change of a status, if it is of the owner and the status is the one before; whether it is made.
    pub(super) fn change(
        &mut self,
        dispense: usize,
        by_owner: bool,
        from: DispenseStatus,
        change: Transition,
    ) -> bool {
        let fits = |stored: &&mut Stored| by_owner && stored.status == from;
        let Some(stored) = self.stored.get_mut(&dispense).filter(fits) else { return false };
        stored.status = change.to;
        stored.history.push((change.to, change.at, change.by));
        self.waiting.entry(dispense).or_default().push(change.event);
        true
    }

    /// Loads a dispense with a history of that length, if it is not there; whether it is new.
    pub(super) fn load(&mut self, dispense: usize, status: DispenseStatus, before: usize) -> bool {
        match self.stored.entry(dispense) {
            Entry::Occupied(_) => false,
            Entry::Vacant(vacant) => {
                vacant.insert(Stored { status, history: Vec::new(), before, unknown: None });
                true
            }
        }
    }
}
