use std::time::Duration;

use async_trait::async_trait;
use esoz_kernel::{StoreError, Timestamp, Uuid};

use crate::{EventRef, StatusChangeEvent};

/// A relay's request for work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The relay that asks; every running relay has an id of its own.
    pub by: Uuid,
    /// The time now.
    pub now: Timestamp,
    /// How long the claim holds. A relay that died keeps others from its events no longer than this.
    pub lease: Duration,
    /// The most entities to hand out.
    pub max_entities: u32,
}

impl Claim {
    /// The instant at which the claim ends by itself.
    pub fn until(&self) -> Timestamp {
        self.now.saturating_add(self.lease)
    }
}

/// How much waits in an outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// How many events.
    pub depth: u64,
    /// The time of the oldest, if there is one.
    pub oldest: Option<Timestamp>,
}

/// Where events wait for delivery. A store puts an event there in the commit that makes the change.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Hands out waiting events, the longest-waiting entities first.
    ///
    /// For every entity handed out it MUST give all its waiting events, in the order of their commits, and MUST give none of
    /// them to another relay before the claim ends: by [`Outbox::remove`], by [`Outbox::release`], or by itself. What the
    /// asking relay holds already is handed out again.
    async fn claim(&self, claim: &Claim) -> Result<Vec<StatusChangeEvent>, StoreError>;

    /// Forgets delivered events; ends the claim on those of their entities that have nothing else waiting. Events that are
    /// not there any more are passed over.
    async fn remove(&self, delivered: &[EventRef]) -> Result<(), StoreError>;

    /// Ends every claim of that relay: what it did not deliver is free for others at once.
    async fn release(&self, by: Uuid) -> Result<(), StoreError>;

    /// How much waits, claimed or not.
    async fn backlog(&self) -> Result<Backlog, StoreError>;
}

/// An event that was not delivered, or not surely.
#[derive(Debug, thiserror::Error)]
#[error("the event was not delivered: {reason}")]
pub struct PublishError {
    /// What the bus said, free of the event's content.
    pub reason: String,
}

/// Where events go.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
#[async_trait]
pub trait EventPublisher: Send + Sync {
    /// Publishes events of different entities, in the form of [`crate::wire`]; one answer each in their order.
    ///
    /// `Ok` MUST mean that the event survives a crash of anything on the other side. An event published twice may arrive twice.
    /// MUST answer within a bounded time.
    async fn publish(&self, events: &[StatusChangeEvent]) -> Vec<Result<(), PublishError>>;
}
