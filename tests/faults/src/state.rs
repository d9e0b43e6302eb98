//! What was loaded before a run, and what stores, audit and topic hold after it.

use std::collections::BTreeMap;

/// What was there before the first operation.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// The dispenses, all in progress.
    pub dispenses: Vec<String>,
    /// Dispenses, all in progress, that are overdue before the run ends. No request is about them.
    pub overdue: Vec<String>,
    /// Contract divisions with the pair of contract and division that each held.
    pub records: BTreeMap<String, Pair>,
    /// How long a revoked token may still be let in, in microseconds.
    pub revocation_bound_us: u64,
}

/// A contract and a division.
pub type Pair = (String, String);

/// What is there after the last operation.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The dispenses.
    pub dispenses: BTreeMap<String, StoredDispense>,
    /// The contract divisions.
    pub records: BTreeMap<String, StoredRecord>,
    /// The audit of contract divisions, in the order of its writing.
    pub audit: Vec<Audited>,
    /// The topic; messages of one key in their order. Deliveries may be repeated.
    pub topic: Vec<Delivered>,
    /// The ids of the events in the event log; `None`: it is not held against the topic.
    pub log: Option<Vec<String>>,
}

/// A dispense as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDispense {
    /// Its status.
    pub status: String,
    /// When it was changed last: ISO 8601, milliseconds.
    pub updated_at: String,
    /// By whom.
    pub updated_by: String,
    /// Its history, from the beginning.
    pub entries: Vec<Entry>,
    /// How many of its events still wait for delivery.
    pub waiting: usize,
}

/// One entry of a status history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The status.
    pub status: String,
    /// Since when.
    pub at: String,
    /// By whom.
    pub by: String,
}

/// A contract division as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// The pair that it holds.
    pub pair: Pair,
    /// When it was changed last: ISO 8601, microseconds.
    pub updated_at: String,
    /// By whom.
    pub updated_by: String,
}

/// An audit row about a contract division.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audited {
    /// The contract division.
    pub record: String,
    /// `INSERT`, `UPDATE` or `DELETE`.
    pub action: String,
    /// By whom.
    pub by: String,
    /// The request.
    pub request_id: Option<String>,
    /// The changed columns before: `contract_id`, `division_id`, `updated_at` and the like.
    pub before: BTreeMap<String, String>,
    /// The same after.
    pub after: BTreeMap<String, String>,
}

/// A message of the topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The event's id, by which deliveries of the same event are told.
    pub id: String,
    /// The key of the message.
    pub dispense: String,
    /// The new status.
    pub status: String,
    /// When it was changed.
    pub at: String,
    /// By whom.
    pub by: String,
    /// The request.
    pub request_id: String,
}
