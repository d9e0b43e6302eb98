#![doc = include_str!("../README.md")]

mod backoff;
mod event;
mod event_log;
mod ingest;
mod logged_event;
mod operations;
mod period;
mod ports;
mod relay;
mod retention;
mod set_aside;
pub mod wire;

pub use backoff::Backoff;
pub use event::{EntityType, EventRef, InvalidEntityType, StatusChangeEvent};
pub use event_log::{Attribute, AttributeError, EventFilter, EventLog};
pub use ingest::{EventIngestion, Ingested};
pub use logged_event::{EventPosition, LoggedEvent, Properties};
pub use operations::*;
pub use period::{Period, PeriodError};
pub use ports::{Backlog, Claim, Claimed, EventPublisher, Outbox, PublishError};
pub use relay::{Relay, RelayFailure, RelayLimits, RelayRound};
pub use retention::Retention;
pub use set_aside::{Refused, SetAside, Which, readable};

#[cfg(any(test, feature = "mock"))]
pub use event_log::MockEventLog;
#[cfg(any(test, feature = "mock"))]
pub use ports::{MockEventPublisher, MockOutbox};
