//! What a test of the event log needs beside requests.

use esoz_events::wire;
use esoz_testkit::wait::wait_for;

use crate::{DEADLINE, TestApp};

impl TestApp {
    /// Waits until nothing waits in the outboxes.
    pub(crate) async fn relayed(&self) {
        wait_for("an empty outbox", DEADLINE, async || {
            let backlog = self.stores.backlog().await.map_err(|error| error.to_string())?;
            if backlog.depth == 0 { Ok(()) } else { Err(format!("{} events wait", backlog.depth)) }
        })
        .await;
    }

    /// Waits until nothing waits in the outboxes and every event that was delivered is in the event log: no store changes any more.
    ///
    /// # Panics
    /// When that does not come to pass.
    pub async fn settled(&self) {
        self.relayed().await;
        for message in self.delivered().messages().await {
            let event = wire::read(message.json.to_string().as_bytes()).unwrap();
            wait_for("an event in the log", DEADLINE, async || {
                self.stores.event_log.find(event.id).await.unwrap()
            })
            .await;
        }
    }
}
