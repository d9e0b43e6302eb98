//! Dispenses and requests as they are stored at one instant.

use std::collections::{BTreeMap, BTreeSet};

use esoz_kernel::{DeviceRequestId, DispenseId, Timestamp, UserId};
use serde_json::{Map, Value};

use crate::watch::{LIFETIME, SYSTEM_USER};

/// Dispenses and requests as they are stored at one instant.
pub(crate) struct Stored {
    pub(crate) dispenses: BTreeMap<DispenseId, Map<String, Value>>,
    /// The requests that are completed.
    pub(crate) completed: BTreeSet<DeviceRequestId>,
}

impl Stored {
    /// The status of the dispense, if it is stored.
    pub(crate) fn status(&self, dispense: DispenseId) -> Option<&str> {
        Some(self.dispenses.get(&dispense)?["status"].as_str().expect("a status"))
    }

    /// Whether that dispense, which is stored, is overdue by a clock that shows that time, if it is in progress.
    pub(crate) fn is_overdue(&self, dispense: DispenseId, now: Timestamp) -> bool {
        let inserted_at = self.dispenses[&dispense]["inserted_at"].as_str().expect("text");
        inserted_at.parse::<Timestamp>().expect("a time").saturating_add(LIFETIME) < now
    }

    /// Every change of the dispense since the simulation began, its creation included: to which status, by whom.
    pub(crate) fn history(&self, dispense: DispenseId) -> Vec<(String, UserId)> {
        let text = |entry: &Value, field: &str| entry[field].as_str().expect("text").to_owned();
        let change = |entry| (text(entry, "status"), text(entry, "inserted_by").parse().expect("a user"));
        self.entries(dispense).iter().map(change).collect()
    }

    /// When the dispense expired, if it did, by the clock of the server that expired it.
    pub(crate) fn expired_at(&self, dispense: DispenseId) -> Option<Timestamp> {
        let mut entries = self.entries(dispense).iter();
        let expiry = entries.find(|entry| entry["inserted_by"] == SYSTEM_USER.to_string())?;
        expiry["inserted_at"].as_str()?.parse().ok()
    }

    fn entries(&self, dispense: DispenseId) -> &[Value] {
        let document = self.dispenses.get(&dispense);
        document.map_or(&[], |document| document["status_history"].as_array().expect("a history"))
    }
}
