use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use esoz_kernel::{Clock, Timestamp, Uuid};
use tokio::sync::watch;

/// How many requests are kept.
pub(super) const CAPACITY: usize = 100;
/// How many faults are kept of a request.
const MAX_FAULTS: usize = 8;
/// How many characters are kept of a text that may quote names out of a request.
const MAX_CHARS: usize = 300;

/// A request that has ended, as the page shows it.
#[derive(Debug, Clone)]
pub(crate) struct EndedRequest {
    pub(crate) method: &'static str,
    /// The pattern of its route; its path, where the log has it.
    pub(crate) route: String,
    /// The record that its path names, if it was found.
    pub(crate) record: Option<Uuid>,
    pub(crate) status: u16,
    /// `ok`, or the code of its failure.
    pub(crate) outcome: Option<&'static str>,
    /// Which of several causes with one answer it was.
    pub(crate) reason: Option<&'static str>,
    /// The message of its error.
    pub(crate) message: Option<String>,
    /// The parts that are at fault, each with the rule that it breaks.
    pub(crate) faults: Vec<(String, String)>,
    pub(crate) request_id: String,
    pub(crate) elapsed: Duration,
}

/// An [`EndedRequest`] with its place in the log.
#[derive(Debug, Clone)]
pub(crate) struct LoggedRequest {
    /// Counts up from 1.
    pub(crate) sequence: u64,
    /// No later than what the request did, such as its event.
    pub(crate) began_at: Timestamp,
    pub(crate) request: EndedRequest,
}

/// The latest requests, in memory alone.
pub(crate) struct RequestLog {
    clock: Arc<dyn Clock>,
    kept: Mutex<VecDeque<LoggedRequest>>,
    newest: watch::Sender<u64>,
}

impl RequestLog {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, kept: Mutex::default(), newest: watch::Sender::new(0) }
    }

    /// Adds a request, and drops the oldest one beyond the capacity.
    pub(crate) fn record(&self, mut request: EndedRequest) {
        request.faults.truncate(MAX_FAULTS);
        let quoted = request.faults.iter_mut().flat_map(|(entry, text)| [entry, text]);
        for text in quoted.chain(&mut request.message).chain([&mut request.route]) {
            if let Some((end, _)) = text.char_indices().nth(MAX_CHARS) {
                text.truncate(end);
                text.push('…');
            }
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let sequence = self.newest.borrow().saturating_add(1);
        let began_at = self.clock.now().saturating_sub(request.elapsed);
        kept.push_back(LoggedRequest { sequence, began_at, request });
        if kept.len() > CAPACITY {
            kept.pop_front();
        }
        self.newest.send_replace(sequence);
    }

    /// Lists the kept requests behind a sequence, oldest first.
    pub(crate) fn after(&self, sequence: u64) -> Vec<LoggedRequest> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().filter(|logged| logged.sequence > sequence).cloned().collect()
    }

    /// The time now.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Watches the sequence of the newest request.
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) struct Noon;

    impl Clock for Noon {
        fn now(&self) -> Timestamp {
            "2026-01-31T12:00:00.123Z".parse().unwrap()
        }
    }

    pub(crate) fn log() -> RequestLog {
        RequestLog::new(Arc::new(Noon))
    }

    pub(crate) fn refused() -> EndedRequest {
        EndedRequest {
            method: "PATCH",
            route: "/api/patients/{patient_id}/device_dispenses/{id}/actions/stop".to_owned(),
            record: Some(Uuid::from_u128(7)),
            status: 409,
            outcome: Some("not_in_progress"),
            reason: None,
            message: Some("It is stopped".to_owned()),
            faults: Vec::new(),
            request_id: "request".to_owned(),
            elapsed: Duration::from_micros(1_250),
        }
    }

    #[test]
    fn the_oldest_requests_are_dropped_and_none_is_lost_to_a_listener_that_keeps_up() {
        let log = log();
        let mut newest = log.subscribe();
        for _ in 0..CAPACITY + 5 {
            log.record(refused());
        }
        assert!(newest.has_changed().unwrap());
        assert_eq!(*newest.borrow_and_update(), 105);
        let sequences = |after| log.after(after).iter().map(|logged| logged.sequence).collect::<Vec<_>>();
        assert_eq!(sequences(0), (6..=105).collect::<Vec<_>>());
        assert_eq!(sequences(103), [104, 105]);
        assert!(sequences(105).is_empty());
    }

    #[test]
    fn a_request_is_kept_in_bounded_memory() {
        let log = log();
        let text = || "ї".repeat(10_000);
        let faults = vec![(text(), text()); 1_000];
        log.record(EndedRequest { faults, message: Some(text()), route: text(), ..refused() });
        let [logged] = &log.after(0)[..] else { panic!("one request") };
        let EndedRequest { faults, message, route, .. } = &logged.request;
        assert_eq!(faults.len(), MAX_FAULTS);
        let texts = faults.iter().flat_map(|(entry, text)| [entry, text]);
        for text in texts.chain(message).chain([route]) {
            assert_eq!(text.chars().count(), MAX_CHARS + 1);
        }
    }
}
