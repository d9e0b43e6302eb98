use std::sync::Arc;

use esoz_auth::{CallerKind, Operation, Permit};
use esoz_kernel::{EventId, StoreError, failure};

use crate::{EventLog, LoggedEvent};

failure! {
    /// Why an event was not shown.
    #[derive(Debug)]
    pub enum ShowEventError {
        /// There is no such event (M05).
        NotFound => NotFound, "not_found", "not_found";
    } wraps {
        /// The log failed.
        Store(StoreError) => "the event could not be shown";
    }
}

/// Shows an event.
#[derive(Clone)]
pub struct ShowEvent {
    /// Where the events are kept.
    pub log: Arc<dyn EventLog>,
}

impl Operation for ShowEvent {
    const NAME: &'static str = "show_event";
    const SCOPE: &'static str = "event:read";
    const CALLER: CallerKind = CallerKind::User;
    type Error = ShowEventError;
}

impl ShowEvent {
    /// Finds the event with that id; `None` is an id that was no UUID.
    ///
    /// # Errors
    /// [`ShowEventError`].
    pub async fn execute(
        &self,
        _: &Permit<Self>,
        id: Option<EventId>,
    ) -> Result<LoggedEvent, ShowEventError> {
        let id = id.ok_or(ShowEventError::NotFound)?;
        let found = self.log.find(id).await.map_err(ShowEventError::Store)?;
        found.ok_or(ShowEventError::NotFound)
    }
}

#[cfg(test)]
mod tests {
    use esoz_kernel::{ErrorKind, Failure as _, StoreErrorKind};
    use pollster::block_on;

    use super::*;
    use crate::MockEventLog;
    use crate::operations::fixtures::{event, permit};

    fn show(found: Result<Option<LoggedEvent>, StoreError>) -> Result<LoggedEvent, ShowEventError> {
        let mut log = MockEventLog::new();
        let id = event("{}").id;
        log.expect_find().withf(move |asked| *asked == id).return_once(|_| found);
        block_on(ShowEvent { log: Arc::new(log) }.execute(&permit(), Some(id)))
    }

    #[test]
    fn given_an_event_then_it_is_shown() {
        assert_eq!(show(Ok(Some(event("{}")))).unwrap(), event("{}"));
    }

    #[test]
    fn given_none_or_no_uuid_then_it_is_not_found() {
        let no_uuid = ShowEvent { log: Arc::new(MockEventLog::new()) };
        for outcome in [show(Ok(None)), block_on(no_uuid.execute(&permit(), None))] {
            let error = outcome.unwrap_err();
            assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::NotFound, "not_found"));
        }
    }

    #[test]
    fn given_a_store_that_fails_then_the_failure_is_passed_on() {
        let error = show(Err(StoreError::new(StoreErrorKind::Corrupt, "testing"))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
    }
}
