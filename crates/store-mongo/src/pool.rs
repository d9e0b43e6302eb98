//! The state of the connection pool, from the driver's events.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use esoz_kernel::PoolStatus;
use mongodb::event::EventHandler;
use mongodb::event::cmap::CmapEvent;
use mongodb::options::ServerAddress;

/// The callback for the time that a call waited for a connection.
type Waited = Box<dyn Fn(Duration) + Send + Sync>;

/// A connection id; the driver numbers the connections of each server.
type Id = (ServerAddress, u32);

/// The connections, by id: for a call that is cancelled at the wrong moment the driver emits only one of two events, so counters would drift.
pub(crate) struct Pool {
    connections: Mutex<Connections>,
    max: usize,
    waited: OnceLock<Waited>,
}

#[derive(Default)]
struct Connections {
    open: HashSet<Id>,
    in_use: HashSet<Id>,
}

impl Pool {
    pub(crate) fn new(max: u32) -> Self {
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        Self { connections: Mutex::default(), max, waited: OnceLock::new() }
    }

    /// The handler for the driver's events.
    pub(crate) fn event_handler(pool: &Arc<Self>) -> EventHandler<CmapEvent> {
        let pool = pool.clone();
        EventHandler::callback(move |event| pool.note(event))
    }

    pub(crate) fn on_waited(&self, told: Waited) {
        // Only the first callback counts.
        let _ = self.waited.set(told);
    }

    pub(crate) fn status(&self, waiting: usize) -> PoolStatus {
        let connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        let (open, in_use) = (connections.open.len(), connections.in_use.len());
        PoolStatus { idle: open.saturating_sub(in_use), in_use, max: self.max, waiting }
    }

    fn note(&self, event: CmapEvent) {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            CmapEvent::ConnectionCreated(event) => {
                connections.open.insert((event.address, event.connection_id));
            }
            CmapEvent::ConnectionCheckedOut(event) => {
                connections.in_use.insert((event.address, event.connection_id));
                drop(connections);
                self.tell(event.duration);
            }
            CmapEvent::ConnectionCheckoutFailed(event) => {
                drop(connections);
                self.tell(event.duration);
            }
            CmapEvent::ConnectionCheckedIn(event) => {
                connections.in_use.remove(&(event.address, event.connection_id));
            }
            CmapEvent::ConnectionClosed(event) => {
                let id = (event.address, event.connection_id);
                connections.in_use.remove(&id);
                connections.open.remove(&id);
            }
            // Events of the whole pool, and of connections that were not made.
            _ => {}
        }
    }

    fn tell(&self, waited: Duration) {
        if let Some(told) = self.waited.get() {
            told(waited);
        }
    }
}
