mod fingerprint;
mod writes;

use std::fmt;

use async_trait::async_trait;
use esoz_events::{EntityType, StatusChangeEvent};
use esoz_kernel::{
    ClientId, Committed, DispenseId, EventId, IdempotentRequest, LegalEntityId, Page, PageRequest, PatientId,
    Put, RequestId, ScanCursor, ScanPage, StoreError, Timestamp, TraceContext, UserId, Uuid,
};

pub use fingerprint::{PseudonymFingerprint, PseudonymFingerprints};
pub use writes::*;

use crate::{Dispense, DispenseStatus, Filter, Pseudonym, StoredDispense, Trigger, concerns};

/// A change of status as data: the new values, and the conditions under which a store commits it (compare and set).
#[derive(Debug, Clone, PartialEq)]
pub struct Transition {
    /// The dispense.
    pub id: DispenseId,
    /// The legal entity that it must belong to; `None`: any.
    pub owner: Option<LegalEntityId>,
    /// The patient that it must be about; `None`: any.
    pub subject: Option<Pseudonym>,
    /// The instant before which it must have been recorded (`inserted_at`); `None`: any.
    pub inserted_before: Option<Timestamp>,
    /// The statuses of which it must have one, taken from the status model ([`DispenseStatus::sources`]).
    pub from: Vec<DispenseStatus>,
    /// The status that it gets.
    pub to: DispenseStatus,
    /// When, in milliseconds.
    pub at: Timestamp,
    /// The user.
    pub by: UserId,
    /// The event to publish. Its id identifies the transition.
    pub event: StatusChangeEvent,
    /// The idempotency key of the request, if it has one.
    pub idempotency: Option<IdempotentRequest>,
}

/// What causes a change of status: when it happens, by whom, and by which request.
#[derive(Debug, Clone)]
pub struct Cause {
    /// The time, in milliseconds.
    pub at: Timestamp,
    /// The user.
    pub by: UserId,
    /// The request, to trace events back to it.
    pub request_id: RequestId,
    /// The span that events belong to; `None` when the request is not traced.
    pub trace: Option<TraceContext>,
}

impl Cause {
    /// Creates the event that the status of an entity has changed.
    pub(crate) fn event(
        &self,
        id: EventId,
        (entity_type, entity_id): (EntityType, Uuid),
        new_status: &str,
    ) -> StatusChangeEvent {
        StatusChangeEvent {
            id,
            entity_type,
            entity_id,
            new_status: new_status.to_owned(),
            event_time: self.at,
            changed_by: self.by,
            request_id: self.request_id.clone(),
            trace: self.trace,
        }
    }
}

impl Transition {
    /// Creates the transition that a trigger causes, with its event, for a dispense of any owner and patient.
    pub(crate) fn new(
        id: DispenseId,
        to: DispenseStatus,
        trigger: Trigger,
        event_id: EventId,
        cause: &Cause,
    ) -> Self {
        Self {
            id,
            owner: None,
            subject: None,
            inserted_before: None,
            from: to.sources(trigger),
            to,
            at: cause.at,
            by: cause.by,
            event: cause.event(event_id, (EntityType::DEVICE_DISPENSE, id.uuid()), to.as_str()),
            idempotency: None,
        }
    }

    /// Whether a dispense of that legal entity about that patient is one that the transition is for ([`concerns`]).
    pub fn concerns(&self, owner: Option<LegalEntityId>, subject: Option<&Pseudonym>) -> bool {
        concerns((self.owner, self.subject.as_ref()), (owner, subject))
    }

    /// Whether the dispense meets every condition of the transition.
    pub fn applies_to(&self, dispense: &Dispense) -> bool {
        let is_before = |limit| dispense.inserted_at().is_some_and(|at| at < limit);
        self.concerns(Some(dispense.owner), Some(&dispense.subject))
            && self.from.contains(&dispense.status)
            && self.inserted_before.is_none_or(is_before)
    }
}

/// Which dispenses are overdue: those with one of the statuses that were recorded before an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverdueFilter {
    /// The statuses.
    pub from: Vec<DispenseStatus>,
    /// The instant, in milliseconds.
    pub inserted_before: Timestamp,
    /// The position after which the listing continues; `None`: it begins.
    pub after: Option<Overdue>,
}

/// A dispense that is overdue, and its position among all that are: oldest first, then by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Overdue {
    /// When it was recorded, in milliseconds.
    pub inserted_at: Timestamp,
    /// The dispense.
    pub id: DispenseId,
}

/// The store of dispenses.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
#[async_trait]
pub trait DeviceDispenses: Send + Sync {
    /// Looks up a dispense by id; `Ok(None)` when there is none.
    ///
    /// # Errors
    /// [`StoreError`]; of kind corrupt, naming collection, id and field, when the stored owner cannot be decoded. A status that
    /// cannot be decoded is an error of the same kind in [`StoredDispense::dispense`].
    async fn find(&self, id: DispenseId) -> Result<Option<StoredDispense>, StoreError>;

    /// Lists the dispenses that [match](Filter::matches), ascending by `inserted_at`, those without one first, and then by id.
    ///
    /// The filter names an owner or a subject, and the store MUST find the dispenses by it, without reading all that it holds. An entry of
    /// the page that cannot be decoded is an error of kind corrupt, which names collection, id and field. `total_entries` counts what
    /// matches, those included. What others insert meanwhile may be counted and not be on the page, or the other way round.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn list(
        &self,
        filter: &Filter,
        page: PageRequest,
    ) -> Result<Page<Result<Dispense, StoreError>>, StoreError>;

    /// Lists at most `limit` overdue dispenses in the order of [`Overdue`]. Fewer than `limit` are the last ones. Only a dispense whose id, status
    /// and time of recording can be read is among them; the rest of it may be corrupt.
    ///
    /// # Errors
    /// [`StoreError`] when the store failed.
    async fn overdue(&self, filter: &OverdueFilter, limit: u32) -> Result<Vec<Overdue>, StoreError>;

    /// Commits a transition if, in the same instant, the stored dispense meets its conditions.
    ///
    /// In one atomic, durable step it MUST set `status`, `updated_at` and `updated_by`, append one entry
    /// `{status, inserted_at, inserted_by}` to `status_history`, and put the event into the [`esoz_events::Outbox`] of the same
    /// store. It MUST leave every other stored field as it is, those it does not know included. Of any number of concurrent
    /// transitions from the same status exactly one is applied.
    ///
    /// With an idempotency key the same step MUST record the key, unless something was committed under it less than
    /// [`esoz_kernel::idempotency::RETENTION`] before: then the answer is [`Committed::Replayed`] or [`Committed::KeyReused`]; or
    /// [`Committed::Stale`], if the dispense has come to another legal entity or patient since, who must not see it. So of any number of
    /// concurrent transitions under one key exactly one is applied, and the others are told of it. A transition that is not applied
    /// records nothing. The first answer holds at least the status, the history, the time and the user of that transition; what other
    /// systems have written into other fields since may show.
    ///
    /// # Errors
    /// [`StoreError`]; whether the transition took effect may then be unknown, but never half of it did. Of kind corrupt only when nothing
    /// was written.
    async fn commit(&self, transition: &Transition) -> Result<Committed<Dispense>, StoreError>;
}

/// Computes pseudonyms of patients.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
pub trait PatientPseudonyms: Send + Sync {
    /// Returns the pseudonym of the patient, always the same for the same patient.
    fn of(&self, patient: PatientId) -> Pseudonym;

    /// Returns the patient of a pseudonym; `None` when the scheme is irreversible, as it is unless overridden.
    ///
    /// # Errors
    /// [`InvalidPseudonym`] when no patient has that pseudonym.
    fn patient(&self, pseudonym: &Pseudonym) -> Result<Option<PatientId>, InvalidPseudonym> {
        let _ = pseudonym;
        Ok(None)
    }
}

/// The text is no pseudonym of the scheme. Does not repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text is no pseudonym of a patient")]
pub struct InvalidPseudonym;

/// Whose dispenses of a patient a caller may list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// None: the caller is refused.
    Denied,
    /// Those of the caller's own legal entity.
    Own,
    /// Those of every legal entity.
    All,
}

/// Decides whose dispenses of a patient a caller may list.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
#[async_trait]
pub trait PatientAccess: Send + Sync {
    /// Returns the access that a user who acts for a client has to the dispenses of a patient, known or not.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn access(&self, user: UserId, client: ClientId, patient: PatientId) -> Result<Access, StoreError>;
}

/// The same access for every caller and patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StaticPatientAccess(pub Access);

#[async_trait]
impl PatientAccess for StaticPatientAccess {
    async fn access(&self, _: UserId, _: ClientId, _: PatientId) -> Result<Access, StoreError> {
        Ok(self.0)
    }
}

/// A dispense in the form in which one store keeps it, which no other needs to understand.
#[derive(Clone, PartialEq, Eq)]
pub struct EncodedDispense {
    /// Its id.
    pub id: DispenseId,
    /// The document.
    pub document: Vec<u8>,
}

impl fmt::Debug for EncodedDispense {
    /// Leaves out the document: it is health data.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("EncodedDispense").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Imports dispenses that another system recorded, and exports dispenses.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
#[async_trait]
pub trait DispenseRegistry: Send + Sync {
    /// Encodes a dispense for [`put_encoded`](Self::put_encoded). Asks no server, so that an import can do it while the store is at work.
    ///
    /// # Errors
    /// Why this store cannot hold the dispense, for the operator.
    fn encode(&self, dispense: &Dispense) -> Result<EncodedDispense, String>;

    /// Inserts dispenses that this store has encoded, and returns one outcome for each, in order. A dispense that exists stays unchanged
    /// ([`Put::Kept`]), so that importing a file again undoes no later change. An import gives them in the order of their ids, so that neighbours in
    /// an index are inserted together.
    ///
    /// # Errors
    /// [`StoreError`] when the store failed, or another store has encoded one of them; it is then unknown which were inserted, and importing them
    /// again is safe.
    async fn put_encoded(&self, dispenses: Vec<EncodedDispense>) -> Result<Vec<Put>, StoreError>;

    /// Encodes and inserts dispenses. One that the store cannot hold is [refused](Put::Refused).
    ///
    /// # Errors
    /// Those of [`put_encoded`](Self::put_encoded).
    async fn put_dispenses(&self, dispenses: &[Dispense]) -> Result<Vec<Put>, StoreError> {
        let (mut encoded, mut refusals) = (Vec::new(), Vec::new());
        for dispense in dispenses {
            let result = self.encode(dispense).map(|dispense| encoded.push(dispense));
            refusals.push(result.err().map(Put::Refused));
        }
        let mut puts = self.put_encoded(encoded).await?.into_iter();
        Ok(refusals.into_iter().map_while(|refusal| refusal.or_else(|| puts.next())).collect())
    }

    /// Reads a page of the [scan](ScanPage) of all dispenses: at most `limit` of them, at least 1, fewer if they are large. Their records are
    /// whole ([`Dispense::from_stored_whole`]).
    ///
    /// # Errors
    /// [`StoreError`] when the store failed.
    async fn scan_dispenses(
        &self,
        after: Option<ScanCursor>,
        limit: u32,
    ) -> Result<ScanPage<Dispense>, StoreError>;
}
