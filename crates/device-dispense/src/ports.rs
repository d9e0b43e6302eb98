use async_trait::async_trait;
use esoz_events::StatusChangeEvent;
use esoz_kernel::{
    DispenseId, IdempotentRequest, LegalEntityId, PatientId, Put, Replay, StoreError, Timestamp, UserId,
};

use crate::{Dispense, DispenseStatus, Pseudonym};

/// A decided change of status, with the facts that it was decided from.
#[derive(Debug, Clone, PartialEq)]
pub struct StatusChange {
    /// Which dispense.
    pub id: DispenseId,
    /// The legal entity it must belong to.
    pub owner: LegalEntityId,
    /// The patient it must be about.
    pub subject: Pseudonym,
    /// The status it must have.
    pub from: DispenseStatus,
    /// The status it gets.
    pub to: DispenseStatus,
    /// When, in milliseconds.
    pub at: Timestamp,
    /// By whom.
    pub by: UserId,
    /// What others are told.
    pub event: StatusChangeEvent,
    /// The key that it was asked for under, if there is one.
    pub idempotency: Option<IdempotentRequest>,
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq)]
pub enum Changed {
    /// It took effect; the dispense after it.
    Applied(Dispense),
    /// The dispense is not as the change expects it, or not there. Nothing was written.
    Stale,
    /// A change was made under the same key. Nothing was written.
    Replayed(Replay<Dispense>),
}

/// Where dispenses are kept.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
#[async_trait]
pub trait DeviceDispenses: Send + Sync {
    /// The dispense; `Ok(None)` when there is none with that id.
    ///
    /// # Errors
    /// [`StoreError`]; of kind corrupt, naming collection, id and field, when the stored status, owner or subject cannot be one
    /// that ESOZ wrote.
    async fn find(&self, id: DispenseId) -> Result<Option<Dispense>, StoreError>;

    /// Applies a change if, in the same instant, the stored dispense has the expected owner, subject and status.
    ///
    /// In one atomic, durable step it MUST set `status`, `updated_at` and `updated_by`, append one entry
    /// `{status, inserted_at, inserted_by}` to `status_history`, and put the event into the [`esoz_events::Outbox`] of the same
    /// store. It MUST leave every other stored field as it is, those it does not know included. Of any number of concurrent
    /// changes that expect the same status exactly one is applied.
    ///
    /// With a key ([`StatusChange::once`]) the same step MUST record the key with the change, unless a change was made under that key
    /// less than [`esoz_kernel::idempotency::RETENTION`] before: then it answers [`Changed::Replayed`]; or [`Changed::Stale`], if the dispense
    /// has come to another legal entity or patient since. So of any number of concurrent changes under one key exactly one is applied, and the others are told of it. A change that is not applied
    /// records nothing. The first answer holds at least the status, the history, the time and the user of that change; what other
    /// systems have written into other fields since may show.
    ///
    /// # Errors
    /// [`StoreError`]; whether the change took effect may then be unknown, but never half of it did.
    async fn change_status(&self, change: &StatusChange) -> Result<Changed, StoreError>;
}

/// Computes what stands for a patient in the store.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
pub trait PatientPseudonyms: Send + Sync {
    /// The pseudonym of the patient: always the same one for the same patient.
    fn of(&self, patient: PatientId) -> Pseudonym;
}

/// Loads dispenses that were recorded elsewhere.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
#[async_trait]
pub trait DispenseRegistry: Send + Sync {
    /// Stores the dispenses, one answer each in their order. A dispense that is there already stays as it is ([`Put::Kept`]):
    /// loading a file again never undoes what has happened since.
    ///
    /// # Errors
    /// [`StoreError`] when the store failed; which of them it took is then unknown, and loading again is safe.
    async fn put_dispenses(&self, dispenses: &[Dispense]) -> Result<Vec<Put>, StoreError>;
}
