//! The history, by request and by key.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Kind};
use crate::history::{Action, Operation, Outcome};

/// What an answer may say about a dispense that is stopped.
pub(super) const STOPPED: &str = "Device dispense in status stopped cannot be stopped";
/// What an answer may say about a pair that another record holds.
pub(super) const HELD: &str = "Contract division with such contract and division already exists";

/// The history, by request and by key.
pub(super) struct Requests<'a> {
    pub(super) history: &'a [Operation],
    by_request: BTreeMap<&'a str, &'a Operation>,
    groups: BTreeMap<&'a str, Vec<&'a Operation>>,
}

impl<'a> Requests<'a> {
    pub(super) fn new(history: &'a [Operation]) -> Self {
        let by_request = history.iter().map(|operation| (operation.request_id.as_str(), operation)).collect();
        let mut groups: BTreeMap<&str, Vec<&Operation>> = BTreeMap::new();
        for operation in history {
            groups.entry(operation.group()).or_default().push(operation);
        }
        Self { history, by_request, groups }
    }

    /// The operation with that request id.
    pub(super) fn find(&self, request_id: &str) -> Option<&'a Operation> {
        self.by_request.get(request_id).copied()
    }

    /// All operations that take effect once together.
    pub(super) fn groups(&self) -> impl Iterator<Item = (&'a str, &[&'a Operation])> {
        self.groups.iter().map(|(group, operations)| (*group, operations.as_slice()))
    }

    pub(super) fn group_of(&self, operation: &Operation) -> &[&'a Operation] {
        self.groups.get(operation.group()).map(Vec::as_slice).unwrap_or_default()
    }

    /// The latest instant at which the operation, whose effect is known, can have taken it: the first success told for it or for a
    /// repetition under its key.
    pub(super) fn effect_by(&self, operation: &Operation) -> u64 {
        let told =
            self.group_of(operation).iter().filter(|other| other.is_done()).map(|other| other.ended_us);
        told.min().unwrap_or(u64::MAX)
    }

    /// Answers that no state explains.
    pub(super) fn unexpected(&self) -> Vec<Finding> {
        self.history.iter().filter_map(unexpected).collect()
    }

    /// Requests without a clear answer that nobody got one for by asking again.
    pub(super) fn unresolved(&self) -> Vec<Finding> {
        let clear = self.history.iter().filter(|operation| !operation.is_unclear());
        let resolved: BTreeSet<u64> = clear.filter_map(|operation| operation.again).collect();
        let unclear =
            self.history.iter().filter(|operation| operation.is_unclear() && operation.again.is_none());
        let open = unclear.filter(|operation| !resolved.contains(&operation.number));
        open.map(|operation| Finding::new(Kind::Unresolved, format!("operation {operation:?}"))).collect()
    }
}

fn unexpected(operation: &Operation) -> Option<Finding> {
    let is_known = match (&operation.outcome, &operation.action) {
        (Outcome::Done { .. }, action) => !matches!(action, Action::Refused { .. }),
        (Outcome::Unanswered { .. } | Outcome::Refused { status: 401 | 503, .. }, _) => true,
        (Outcome::Refused { status, .. }, Action::Refused { expected }) => status == expected,
        (Outcome::Refused { status, message }, Action::Stop { .. }) => *status == 409 && message == STOPPED,
        (Outcome::Refused { status, message }, Action::Update { .. }) => *status == 409 && message == HELD,
        (Outcome::Refused { .. }, Action::Reopen { .. } | Action::Revoke { .. }) => false,
    };
    (!is_known).then(|| Finding::new(Kind::Unexpected, format!("{operation:?}")))
}
