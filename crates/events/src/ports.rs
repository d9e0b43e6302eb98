use std::time::Duration;

use async_trait::async_trait;
use esoz_kernel::{StoreError, Timestamp, Uuid};

use crate::{EventRef, Refused, SetAside, StatusChangeEvent, Which};

/// A relay's claim on waiting events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The relay that asks; every running relay has an id of its own.
    pub by: Uuid,
    /// The time now.
    pub now: Timestamp,
    /// The lease: how long the claim holds. A relay that died keeps others from its events no longer than this.
    pub lease: Duration,
    /// The most entities to hand out.
    pub max_entities: u32,
    /// Entities to pass over: the relay backs off from them.
    pub except: Vec<Uuid>,
}

impl Claim {
    /// Returns the instant at which the claim expires.
    pub fn until(&self) -> Timestamp {
        self.now.saturating_add(self.lease)
    }

    /// Returns the latest end of another relay's claim that still counts: two leases from now. The clocks of two relays may differ by one; a claim that
    /// ends later was made before a clock was set back.
    pub fn latest_end(&self) -> Timestamp {
        self.now.saturating_add(self.lease.saturating_mul(2))
    }
}

/// The events that a claim hands out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claimed {
    /// Events to deliver, those of one entity in the order of their commits.
    pub events: Vec<StatusChangeEvent>,
    /// Events that this claim set aside as dead letters, because they cannot be read.
    pub set_aside: Vec<SetAside>,
}

/// The backlog of an outbox.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// The number of events that wait for delivery, those behind a set-aside one included.
    pub depth: u64,
    /// The time of the oldest event that can be delivered, if there is one.
    pub oldest: Option<Timestamp>,
    /// The number of events that were set aside (dead letters).
    pub set_aside: u64,
}

/// The transactional outbox: keeps events until they are delivered. A store puts an event there in the commit that makes the change.
///
/// An event that cannot be delivered is set aside as a dead letter: it stays in the store, no claim returns it, and the later events
/// of its entity wait behind it, until an operator retries or drops it. It MUST NOT keep any other entity's events from being handed out.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Hands out waiting events, the longest-waiting entities first.
    ///
    /// For every entity handed out it MUST give all its waiting events, in the order of their commits, up to the first that cannot be read, and MUST
    /// give none of them to another relay before the claim ends: by [`Outbox::remove`], by [`Outbox::release`], or by itself. What the asking relay
    /// holds already is handed out again. An event that cannot be read and is the first of its entity MUST be set aside.
    async fn claim(&self, claim: &Claim) -> Result<Claimed, StoreError>;

    /// Removes delivered events; ends the claim on those of their entities that have nothing else waiting. Events that are
    /// not there any more are passed over.
    async fn remove(&self, delivered: &[EventRef]) -> Result<(), StoreError>;

    /// Sets aside events that the bus refuses for good (dead letters), each the first waiting one of its entity; ends the claims on these
    /// entities. Events that are not there any more are passed over.
    async fn set_aside(&self, refused: &[Refused], now: Timestamp) -> Result<(), StoreError>;

    /// Releases every claim of that relay, so that others may claim what it did not deliver.
    async fn release(&self, by: Uuid) -> Result<(), StoreError>;

    /// Counts the events that wait, claimed or not.
    async fn backlog(&self) -> Result<Backlog, StoreError>;

    /// Lists the dead letters: events that were set aside, the first set aside first.
    async fn list_set_aside(&self, limit: u32) -> Result<Vec<SetAside>, StoreError>;

    /// Retries dead letters: hands set-aside events out again, as if they had not been set aside. Returns their number.
    async fn retry(&self, which: &Which) -> Result<u64, StoreError>;

    /// Drops a dead letter: deletes a set-aside event, undelivered, so that the later events of its entity go on. Returns whether it was
    /// there.
    async fn drop_set_aside(&self, id: &str) -> Result<bool, StoreError>;
}

/// Why an event was not delivered, or possibly not. The reason never holds the event's content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The bus is unavailable; the same event may be delivered later.
    #[error("the event was not delivered: {0}")]
    Unavailable(String),
    /// The bus will never accept this event, although it accepts others.
    #[error("the bus refuses the event for good: {0}")]
    Refused(String),
}

/// Publishes events to the bus.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
#[async_trait]
pub trait EventPublisher: Send + Sync {
    /// Publishes events of different entities, in the form of [`crate::wire`]; one answer each in their order.
    ///
    /// `Ok` MUST mean that the event survives a crash of anything on the other side. An event published twice may arrive twice.
    /// MUST answer within a bounded time. [`PublishError::Refused`] MUST be about that event alone, whichever others it was published with.
    async fn publish(&self, events: &[StatusChangeEvent]) -> Vec<Result<(), PublishError>>;
}
