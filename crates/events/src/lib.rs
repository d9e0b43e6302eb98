#![doc = include_str!("../README.md")]

mod backoff;
mod event;
mod ports;
mod relay;
mod set_aside;
pub mod wire;

pub use backoff::Backoff;
pub use event::{EntityType, EventRef, InvalidEntityType, StatusChangeEvent};
pub use ports::{Backlog, Claim, Claimed, EventPublisher, Outbox, PublishError};
pub use relay::{Relay, RelayLimits, RelayRound};
pub use set_aside::{Refused, SetAside, Which, readable};

#[cfg(any(test, feature = "mock"))]
pub use ports::{MockEventPublisher, MockOutbox};
