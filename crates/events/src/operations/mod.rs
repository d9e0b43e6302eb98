//! One file per operation: input, error, `execute`.

mod list;
mod show;

use std::sync::Arc;

use esoz_kernel::Clock;

pub use list::{ListEvents, ListEventsError, ListEventsInput};
pub use show::{ShowEvent, ShowEventError};

use crate::EventLog;

/// Every operation on the event log.
#[derive(Clone)]
pub struct EventOperations {
    /// Lists events.
    pub list: ListEvents,
    /// Shows an event.
    pub show: ShowEvent,
}

impl EventOperations {
    /// Builds the operations on a log. A list covers at most so many hours, and without dates those before the clock's time.
    pub fn new(log: Arc<dyn EventLog>, clock: Arc<dyn Clock>, max_period_hours: u32) -> Self {
        Self { list: ListEvents { log: log.clone(), clock, max_period_hours }, show: ShowEvent { log } }
    }
}

#[cfg(test)]
pub(crate) mod fixtures {
    use esoz_auth::{Caller, Operation, Permit, Principal, Scope, authorize};
    use esoz_kernel::{ClientId, UserId, Uuid};

    use crate::wire;

    /// A permit of a caller with the scope.
    pub(crate) fn permit<O: Operation>() -> Permit<O> {
        let (user_id, client_id) = (UserId::new(Uuid::from_u128(1)), ClientId::new(Uuid::from_u128(2)));
        let principal = Principal { user_id, client_id, scope: Scope::parse(O::SCOPE) };
        authorize(&Caller { principal, api_key: None }).unwrap()
    }

    /// An event with these properties.
    pub(crate) fn event(properties: &str) -> crate::LoggedEvent {
        let message = format!(
            r#"{{"id":"00000000-0000-0000-0000-000000000007","event_type":"StatusChangeEvent","entity_type":"DeviceDispense",
                "entity_id":"00000000-0000-0000-0000-000000000002","properties":{properties},"event_time":"2026-01-31T08:15:30.123Z",
                "changed_by":"00000000-0000-0000-0000-000000000003"}}"#
        );
        wire::read(message.as_bytes()).unwrap()
    }
}
