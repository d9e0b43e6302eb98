use std::any::Any;
use std::fmt;
use std::mem;
use std::sync::Arc;

use async_trait::async_trait;
use esoz_events::{EntityType, StatusChangeEvent};
use esoz_kernel::{
    DeviceRequestId, DispenseId, IdempotentRequest, LegalEntityId, Pseudonym, Stamps, StoreError, Timestamp,
    UserId, Written,
};
use serde_json::{Map, Value};

use crate::{
    ChangeRefusal, CreateRefusal, DeviceRequest, Dispense, DispenseStatus, RequestFacts, StoredDispense,
};

/// The type of a device request, in events.
pub const DEVICE_REQUEST: EntityType = EntityType::new("DeviceRequest");

/// The version of the facts that a store gave (optimistic concurrency control): the store compares it to learn whether they still hold. Only the store
/// that made it can read it.
#[derive(Clone, Default)]
pub struct Basis(Option<Arc<dyn Any + Send + Sync>>);

impl Basis {
    /// Wraps what the store compares.
    pub fn new(compared: impl Any + Send + Sync) -> Self {
        Self(Some(Arc::new(compared)))
    }

    /// Returns it; `None` when there is nothing of that type.
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.as_deref()?.downcast_ref()
    }
}

/// Whether one is a clone of the other, or both are empty.
impl PartialEq for Basis {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(this), Some(other)) => Arc::ptr_eq(this, other),
            (this, other) => this.is_none() && other.is_none(),
        }
    }
}

impl Eq for Basis {}

impl fmt::Debug for Basis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Basis(…)")
    }
}

/// What a store is asked about the request of a new dispense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestQuery {
    /// The request.
    pub request: DeviceRequestId,
    /// The id of the new dispense.
    pub id: DispenseId,
    /// The instant before which a dispense in progress must have been recorded to count no more; `None`: each counts.
    pub active_since: Option<Timestamp>,
    /// The instant at or before which a wrong code must have been given to count no more.
    pub codes_since: Timestamp,
}

impl RequestQuery {
    /// Whether a dispense in progress that was recorded at this time still counts as active (N36). One whose time cannot be read (`None`) counts.
    pub fn counts_as_active(&self, recorded: Option<Timestamp>) -> bool {
        match (self.active_since, recorded) {
            (Some(since), Some(recorded)) => recorded >= since,
            (None, _) | (_, None) => true,
        }
    }
}

/// Decides what is recorded. Depends on its argument alone.
pub type DecideCreate = Arc<dyn Fn(&RequestFacts) -> Result<Dispense, CreateRefusal> + Send + Sync>;

/// A create, with the decision that the store takes on facts that hold until it commits.
#[derive(Clone)]
pub struct Create {
    /// What the store is asked.
    pub query: RequestQuery,
    /// What it answered a moment ago, to be decided on first if it still holds.
    pub seen: RequestFacts,
    /// The legal entity and the patient of the new dispense: a repetition is answered to them alone.
    pub owner: LegalEntityId,
    /// The pseudonym of the patient.
    pub subject: Pseudonym,
    /// Decides.
    pub decide: DecideCreate,
    /// The time of the create, in milliseconds; the idempotency key is kept since then.
    pub at: Timestamp,
    /// The user.
    pub by: UserId,
    /// The event to publish.
    pub event: StatusChangeEvent,
    /// The idempotency key of the request, if it has one.
    pub idempotency: Option<IdempotentRequest>,
}

impl fmt::Debug for Create {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Create")
            .field("query", &self.query)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// A dispense and the request that it is based on, as of one instant.
#[derive(Debug, Default)]
pub struct DispenseFacts {
    /// The dispense, if there is one with that id.
    pub stored: Option<StoredDispense>,
    /// The request, if there is one with the id that the dispense names (`based_on`).
    /// An error if it is corrupt. Only a rule that reads the request returns it: not to a caller who may not see the dispense, and not in mark in error.
    pub request: Option<Result<DeviceRequest, StoreError>>,
    /// Their version.
    pub basis: Basis,
}

impl DispenseFacts {
    /// Decides on them, and keeps their version with the decision, as [`Change::decided`] wants it.
    ///
    /// # Errors
    /// Those of [`DecideChange`].
    pub fn decide(
        mut self,
        decide: &DecideChange,
    ) -> Result<Result<(Basis, DispenseUpdate), ChangeRefusal>, StoreError> {
        let basis = mem::take(&mut self.basis);
        Ok(decide(self)?.map(|update| (basis, update)))
    }
}

/// What becomes of a dispense: the new values, and what commits with them. `Debug` hides what was signed.
#[derive(Clone, PartialEq)]
pub struct DispenseUpdate {
    /// The status that it gets.
    pub to: DispenseStatus,
    /// The reason, which becomes `status_reason` and stands in the entry of the history; `None`: `status_reason` stays.
    pub reason: Option<Value>,
    /// Further fields of the record that are set.
    pub set: Map<String, Value>,
    /// What is appended to `signed_content_links`.
    pub link: String,
    /// The event to publish. Its id identifies the change.
    pub event: StatusChangeEvent,
    /// Whether the decision rests on the request, which must be as it was read when the change commits.
    pub is_request_compared: bool,
    /// The event of the request, if that becomes `completed`; its entity is the request.
    pub completed_request: Option<StatusChangeEvent>,
}

impl DispenseUpdate {
    /// When it happens: the time of its event.
    pub const fn at(&self) -> Timestamp {
        self.event.event_time
    }
}

impl fmt::Debug for DispenseUpdate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DispenseUpdate").field("to", &self.to).finish_non_exhaustive()
    }
}

/// Decides what becomes of a dispense, at the current time: a stale decision that is retried gets a timestamp after that of the concurrent write.
/// Depends on its argument and the clock alone.
///
/// The outer error is a dispense that the caller may see, or a request that the decision rests on, and that cannot be read: nothing is written.
pub type DecideChange =
    Arc<dyn Fn(DispenseFacts) -> Result<Result<DispenseUpdate, ChangeRefusal>, StoreError> + Send + Sync>;

/// A change of a dispense by a signed document, with the decision that the store takes on facts that hold until it commits.
#[derive(Clone)]
pub struct Change {
    /// The dispense.
    pub id: DispenseId,
    /// The legal entity and the patient of the dispense: a repetition is answered to them alone.
    pub owner: LegalEntityId,
    /// The pseudonym of the patient.
    pub subject: Pseudonym,
    /// A decision made before the write, with the version of its facts (optimistic concurrency control): the store writes it if they still hold.
    pub decided: Option<(Basis, DispenseUpdate)>,
    /// Decides when there is no decision, or its facts are stale.
    pub decide: DecideChange,
    /// The time of the request, in milliseconds; the idempotency key is kept since then.
    pub at: Timestamp,
    /// The user.
    pub by: UserId,
    /// The idempotency key of the request, if it has one.
    pub idempotency: Option<IdempotentRequest>,
}

impl fmt::Debug for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Change").field("id", &self.id).field("at", &self.at).finish_non_exhaustive()
    }
}

/// Records dispenses, and changes them together with the requests that they are based on.
///
/// A store keeps both, so that what was decided about a request holds when the dispense commits.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
#[async_trait]
pub trait DispenseWrites: Send + Sync {
    /// Looks up what the rules of a create read, as of one instant.
    ///
    /// # Errors
    /// [`StoreError`]; of kind corrupt when the request cannot be read.
    async fn request_facts(&self, query: &RequestQuery) -> Result<RequestFacts, StoreError>;

    /// Records a dispense.
    ///
    /// In one atomic, durable step the store
    /// 1. looks the idempotency key up. If a dispense was recorded under it less than [`esoz_kernel::idempotency::RETENTION`] before
    ///    [`Create::at`], nothing is written and nothing decided: the answer is [`Written::Replayed`] with the first answer, or
    ///    [`Written::KeyReused`]. If that dispense has come to another legal entity or patient since, the key counts for nothing;
    /// 2. calls [`Create::decide`] with facts that hold until the commit: of any number of concurrent creates for one request each is decided on
    ///    what those before it have recorded, and no request that has changed since is dispensed;
    /// 3. stores the dispense that it returned, with its event in the [`esoz_events::Outbox`] of the same store and, under a key, the idempotency
    ///    record: all or nothing. Nothing is stored if it refuses; but for [`CreateRefusal::WrongCode`], which the store counts for the request
    ///    ([`RequestFacts::wrong_codes`]) in the same step, so that no more codes are compared than the rule allows, however many come at once.
    ///
    /// # Errors
    /// [`StoreError`]; whether the dispense was recorded may then be unknown, but never half of it was. Of kind conflict, or when the request is
    /// corrupt, nothing was written.
    async fn create(&self, create: &Create) -> Result<Written<Dispense, CreateRefusal>, StoreError>;

    /// Looks up a dispense and its request, as of one instant.
    ///
    /// # Errors
    /// [`StoreError`]; of kind corrupt when the owner of the dispense cannot be read.
    async fn facts(&self, id: DispenseId) -> Result<DispenseFacts, StoreError>;

    /// Changes a dispense and, with it, the request that it is based on.
    ///
    /// In one atomic, durable step the store looks the idempotency key up as for [`create`](Self::create); takes [`Change::decided`] if its facts still
    /// hold, else calls [`Change::decide`] with facts that do; and stores what was decided, before the facts can change: `status`, `status_reason` if
    /// there is a reason, one entry `{status, status_reason?, inserted_at, inserted_by}` of `status_history`, the further fields, the link at the end of
    /// `signed_content_links` (a list that is started where there is none), `updated_at` and `updated_by`; with [`DispenseUpdate::completed_request`] the
    /// `status` `completed` of the request, its `updated_at` and `updated_by`; every event in the [`esoz_events::Outbox`] of the same store; and, under a
    /// key, the idempotency record. Every other stored field stays as it is, those that the store does not know included. All or nothing, even if the
    /// process dies.
    ///
    /// # Errors
    /// [`StoreError`]; whether the change took effect may then be unknown, but never half of it did. Of kind conflict or corrupt nothing was written.
    async fn change(&self, change: &Change) -> Result<Written<Dispense, ChangeRefusal>, StoreError>;
}

/// The whole record of a device request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRequestRecord {
    /// The facts that rules read.
    pub facts: DeviceRequest,
    /// The users who created and last changed it, and when, in milliseconds.
    pub stamps: Stamps,
}
