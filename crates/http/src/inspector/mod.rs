//! The request inspector: a page for people who try the API, with the latest requests, their outcomes, and the latest events.
//!
//! It shows to anybody what others did, so it is for invented data: off unless it is configured. Of a request it keeps what the log has of
//! it, and the text of its refusal; no header, no body, and no path but one that the log has. Where it is off, nothing is kept.

mod html;
mod latest_events;
mod request_log;
mod samples;
pub(crate) mod stream;

use std::sync::Arc;

use esoz_events::EventLog;
use esoz_kernel::{Clock, Uuid};
use latest_events::LatestEvents;
use request_log::RequestLog;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(crate) use html::{PAGE, SCRIPT, STREAM, STYLE, page};
pub(crate) use request_log::EndedRequest;
pub use samples::{SampleCall, SampleCaller, SampleRecord, Samples};

/// The most listeners of the stream at once. Each takes a connection while it listens.
pub(crate) const MAX_LISTENERS: usize = 16;

/// The latest requests of a server, for [`Api::inspector`](crate::Api::inspector).
pub struct Inspector {
    pub(crate) requests: RequestLog,
    /// `None` where the event log is not served.
    pub(crate) events: Option<LatestEvents>,
    /// What a visitor may try requests with.
    pub(crate) samples: Option<Samples>,
    listeners: Arc<Semaphore>,
}

impl Inspector {
    /// Creates an empty inspector. Its page shows the samples, tokens included, to anybody, and the events of the log, if there is one.
    pub fn new(clock: Arc<dyn Clock>, log: Option<Arc<dyn EventLog>>, samples: Option<Samples>) -> Self {
        Self {
            requests: RequestLog::new(clock),
            events: log.map(LatestEvents::new),
            samples,
            listeners: Arc::new(Semaphore::new(MAX_LISTENERS)),
        }
    }

    /// Takes a place of the stream for as long as the permit is held; `None` when there is none.
    pub(crate) fn listen(&self) -> Option<OwnedSemaphorePermit> {
        self.listeners.clone().try_acquire_owned().ok()
    }
}

/// A request that the inspector shows when it has ended.
pub(crate) struct InspectedRequest {
    inspector: Arc<Inspector>,
    /// The id in the place of the record's.
    record: Option<Uuid>,
}

impl InspectedRequest {
    /// Begins a request; `None` unless it is one to the API, or no route matches.
    pub(crate) fn begin(inspector: &Arc<Inspector>, route: Option<&str>, path: &str) -> Option<Self> {
        let segments = route.unwrap_or_default().split('/').zip(path.split('/'));
        let record =
            segments.into_iter().find(|(name, _)| *name == "{id}").and_then(|(_, id)| id.parse().ok());
        let is_shown = route.is_none_or(|route| route.starts_with("/api/"));
        is_shown.then(|| Self { inspector: inspector.clone(), record })
    }

    /// The record that the path names, if it was found or refused for what it is. Any other id may be that of a patient, by mistake.
    pub(crate) fn found_record(&self, status: u16) -> Option<Uuid> {
        self.record.filter(|_| matches!(status, ..300 | 409))
    }

    pub(crate) fn record(&self, request: EndedRequest) {
        self.inspector.requests.record(request);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use request_log::tests::Noon;

    #[test]
    fn a_record_is_named_once_it_is_found() {
        let inspector = Arc::new(Inspector::new(Arc::new(Noon), None, None));
        let (route, id) = (Some("/api/patients/{patient_id}/device_dispenses/{id}"), Uuid::from_u128(7));
        let path = format!("/api/patients/{}/device_dispenses/{id}", Uuid::from_u128(8));
        let request = InspectedRequest::begin(&inspector, route, &path).unwrap();
        let found = [200, 409, 401, 403, 404, 422, 499, 503].map(|status| request.found_record(status));
        assert_eq!(found, [Some(id), Some(id), None, None, None, None, None, None]);
        assert!(InspectedRequest::begin(&inspector, None, "/nothing").is_some());
        assert!(InspectedRequest::begin(&inspector, Some("/docs"), "/docs").is_none());
    }
}
