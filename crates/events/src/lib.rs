#![doc = include_str!("../README.md")]

mod backoff;
mod event;
mod ports;
mod relay;
pub mod wire;

pub use backoff::Backoff;
pub use event::{EntityType, EventRef, InvalidEntityType, StatusChangeEvent};
pub use ports::{Backlog, Claim, EventPublisher, Outbox, PublishError};
pub use relay::{Relay, RelayLimits, RelayRound};

#[cfg(any(test, feature = "mock"))]
pub use ports::{MockEventPublisher, MockOutbox};
