use std::collections::BTreeSet;

use esoz_kernel::{StoreError, Timestamp};
use serde_json::{Map, Value};

use super::content::{EXPLANATORY_LETTER, STATUS_REASON};
use super::equality::difference;
use super::{ChangeRefusal, SignedChange};
use crate::model::dispense::Dispense;
use crate::model::status::{DispenseStatus, Trigger};
use crate::ports::{DispenseFacts, DispenseUpdate};

/// Whether a dispense is marked in error, and what becomes of it (E05, E08 to E11).
#[derive(Debug, Clone)]
pub struct MarkInErrorFacts {
    /// The change.
    pub change: SignedChange,
    /// The dictionary of reasons (`device_dispense_mark_in_error_reasons`).
    pub reasons: BTreeSet<String>,
}

impl MarkInErrorFacts {
    /// The fields that a client sets when it marks a dispense in error (E11).
    pub const FREE: [&str; 2] = [STATUS_REASON, EXPLANATORY_LETTER];

    /// Decides what becomes of the dispense at that time: the first rule that fails answers.
    ///
    /// # Errors
    /// [`StoreError`] of kind corrupt when the caller may see the dispense, and it cannot be read. Inside, [`ChangeRefusal`].
    pub fn decide(
        &self,
        mut found: DispenseFacts,
        at: Timestamp,
    ) -> Result<Result<DispenseUpdate, ChangeRefusal>, StoreError> {
        let dispense = self.change.dispense(&mut found)?;
        Ok(dispense.and_then(|dispense| self.decide_on(&dispense, at)))
    }

    fn decide_on(&self, dispense: &Dispense, at: Timestamp) -> Result<DispenseUpdate, ChangeRefusal> {
        let SignedChange { content, patient, .. } = &self.change;
        let to = DispenseStatus::EnteredInError;
        if !to.sources(Trigger::MarkInError).contains(&dispense.status) {
            return Err(ChangeRefusal::CannotBeMarkedInError(dispense.status));
        }
        if content.status.as_deref() != Some(to.as_str()) {
            return Err(ChangeRefusal::SignedStatus);
        }
        let reason = content.fields.get(STATUS_REASON);
        let codings = reason.and_then(|reason| reason.get("coding")).and_then(Value::as_array);
        let is_known = |coding: &Value| {
            coding.get("code").and_then(Value::as_str).is_some_and(|code| self.reasons.contains(code))
        };
        if !codings.is_some_and(|codings| codings.iter().all(is_known)) {
            return Err(ChangeRefusal::Reason);
        }
        if let Some(field) = difference(&content.fields, dispense, *patient, &Self::FREE) {
            return Err(ChangeRefusal::Mismatch(field));
        }
        let letter = content.fields.get(EXPLANATORY_LETTER);
        let set = letter.map(|letter| (EXPLANATORY_LETTER.to_owned(), letter.clone())).into_iter();
        let update = self.change.update(dispense, (to, at), set.collect::<Map<_, _>>());
        Ok(DispenseUpdate { reason: reason.cloned(), ..update })
    }
}
