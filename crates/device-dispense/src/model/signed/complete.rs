use esoz_kernel::{CivilDate, StoreError, Timestamp, time::rfc3339_millis};
use serde_json::{Map, Value};

use super::content::{NOTE, PAYMENT_AMOUNT, PAYMENT_ID};
use super::equality::difference;
use super::{ChangeRefusal, SignedChange};
use crate::model::dispense::{Dispense, WHEN_HANDED_OVER};
use crate::model::request::{DeviceRequest, DeviceRequestStatus};
use crate::model::status::{DispenseStatus, Trigger};
use crate::ports::{Cause, DEVICE_REQUEST, DispenseFacts, DispenseUpdate};

/// Whether a dispense is completed, and what becomes of it (K06 to K13).
#[derive(Debug, Clone)]
pub struct CompleteFacts {
    /// The change.
    pub change: SignedChange,
    /// The day in Ukraine on which it was handed over, if the content says so.
    pub handed_over: Option<CivilDate>,
    /// Whether only who recorded a dispense may complete it (K10).
    pub is_author_required: bool,
}

impl CompleteFacts {
    /// The fields that a client sets when it completes a dispense (K13).
    pub const FREE: [&str; 4] = [WHEN_HANDED_OVER, PAYMENT_AMOUNT, PAYMENT_ID, NOTE];

    /// Decides what becomes of the dispense at that time: the first rule that fails answers.
    ///
    /// # Errors
    /// [`StoreError`] of kind corrupt when the caller may see the dispense, and it or its request cannot be read. Inside, [`ChangeRefusal`].
    pub fn decide(
        &self,
        mut found: DispenseFacts,
        at: Timestamp,
    ) -> Result<Result<DispenseUpdate, ChangeRefusal>, StoreError> {
        let dispense = match self.change.dispense(&mut found)? {
            Ok(dispense) => dispense,
            Err(hidden) => return Ok(Err(hidden)),
        };
        let has_program = dispense.record.get("program").is_some_and(|program| !program.is_null());
        if has_program && !self.change.content.fields.contains_key(PAYMENT_AMOUNT) {
            return Ok(Err(ChangeRefusal::PaymentMissing));
        }
        // From K08 on the request is read.
        let request = found.request.transpose()?;
        Ok(self.decide_on(&dispense, request.as_ref(), at))
    }

    /// K08 to K13.
    fn decide_on(
        &self,
        dispense: &Dispense,
        request: Option<&DeviceRequest>,
        at: Timestamp,
    ) -> Result<DispenseUpdate, ChangeRefusal> {
        let SignedChange { content, today, cause, patient, .. } = &self.change;
        let last_day = request.map_or(*today, |request| request.dispense_valid_to.min(*today));
        if self.handed_over.is_none_or(|day| day > last_day) {
            return Err(ChangeRefusal::Period);
        }
        let is_active = |request: &&DeviceRequest| request.status == DeviceRequestStatus::Active;
        let request = request.filter(is_active).ok_or(ChangeRefusal::RequestNotActive)?;
        let author = dispense.record.get("inserted_by").and_then(Value::as_str);
        if self.is_author_required && author.and_then(|author| author.parse().ok()) != Some(cause.by) {
            return Err(ChangeRefusal::NotAuthor);
        }
        let to = DispenseStatus::Completed;
        if !to.sources(Trigger::Complete).contains(&dispense.status) {
            return Err(ChangeRefusal::CannotBeCompleted(dispense.status));
        }
        if content.status.as_deref() != Some(to.as_str()) {
            return Err(ChangeRefusal::SignedStatus);
        }
        if let Some(field) = difference(&content.fields, dispense, *patient, &Self::FREE) {
            return Err(ChangeRefusal::Mismatch(field));
        }
        Ok(self.update(dispense, request, at))
    }

    fn update(&self, dispense: &Dispense, request: &DeviceRequest, at: Timestamp) -> DispenseUpdate {
        let change = &self.change;
        let given =
            Self::FREE.iter().filter_map(|name| Some((*name, change.content.fields.get(*name)?.clone())));
        let mut set: Map<String, Value> = given.map(|(name, value)| (name.to_owned(), value)).collect();
        if let Some(time) = change.content.when_handed_over {
            set.insert(WHEN_HANDED_OVER.to_owned(), rfc3339_millis(time).into());
        }
        let mut update = change.update(dispense, (DispenseStatus::Completed, at), set);
        update.is_request_compared = true;
        update.completed_request = request.quantity.is_some().then(|| {
            let [_, id] = change.event_ids;
            Cause { at, ..change.cause.clone() }.event(
                id,
                (DEVICE_REQUEST, request.id.uuid()),
                DeviceRequestStatus::Completed.as_str(),
            )
        });
        update
    }
}
