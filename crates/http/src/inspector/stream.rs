//! Server-sent events: what is new on the page, while somebody looks at it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use actix_web::web::Bytes;
use futures_util::stream::{self, Stream};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::timeout;

use super::Inspector;
use super::html::request_row;
use super::latest_events::POLL;
use crate::Api;
use crate::middleware::SlowClientGuard;

/// The longest silence on a stream: proxies close silent connections.
const MAX_SILENCE: Duration = Duration::from_secs(10);

/// A listener of the stream.
pub(crate) struct Listener {
    api: Api,
    inspector: Arc<Inspector>,
    request: HttpRequest,
    newest: watch::Receiver<u64>,
    /// The sequence of the last request that was sent.
    after: u64,
    /// The events as they were sent last.
    events: Option<Arc<str>>,
    sent_at: Instant,
    _place: OwnedSemaphorePermit,
}

impl Listener {
    /// Listens for what comes after that request, on a place that was taken.
    pub(crate) fn new(
        api: Api,
        inspector: Arc<Inspector>,
        request: HttpRequest,
        after: u64,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let newest = inspector.requests.subscribe();
        let sent_at = Instant::now();
        Self { api, inspector, request, newest, after, events: None, sent_at, _place: place }
    }

    /// The stream. It ends when the server begins to stop.
    pub(crate) fn stream(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        stream::unfold(self, |mut listener| async move {
            let text = listener.next().await?;
            Some((Ok(Bytes::from(text)), listener))
        })
    }

    async fn next(&mut self) -> Option<String> {
        let silence = MAX_SILENCE.min(self.api.limits.of_connections().idle_timeout / 2);
        while !self.api.health.is_shutting_down() {
            self.newest.borrow_and_update();
            let mut text = String::new();
            for logged in self.inspector.requests.after(self.after) {
                self.after = logged.sequence;
                text += &message("request", &request_row(&logged));
            }
            if let Some(latest) = &self.inspector.events {
                let events = latest.rows().await;
                if self.events.as_ref() != Some(&events) {
                    text += &message("events", &events);
                    self.events = Some(events);
                }
            }
            if text.is_empty() && self.sent_at.elapsed() >= silence {
                text += ": keep-alive\n\n";
            }
            if !text.is_empty() {
                self.sent_at = Instant::now();
                // A listener that takes what it is sent is no slow client, however long its answer lasts.
                drop(self.request.conn_data::<SlowClientGuard>().map(SlowClientGuard::answering));
                return Some(text);
            }
            // Either way there may be something new.
            let _ = timeout(POLL.min(silence), self.newest.changed()).await;
        }
        None
    }
}

/// A message of the stream. A line end in its data would end it.
fn message(event: &str, data: &str) -> String {
    let data = data.replace(['\r', '\n'], "\ndata: ");
    format!("event: {event}\ndata: {data}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_cannot_end_their_message() {
        assert_eq!(message("request", "<tr>"), "event: request\ndata: <tr>\n\n");
        assert_eq!(
            message("request", "a\n\nevent: b\rid: c"),
            "event: request\ndata: a\ndata: \ndata: event: b\ndata: id: c\n\n"
        );
    }
}
