//! What the driver tells about its connections.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use esoz_kernel::PoolStatus;
use mongodb::event::EventHandler;
use mongodb::event::cmap::CmapEvent;
use mongodb::options::ServerAddress;

/// Is told how long a call waited for its connection.
type Waited = Box<dyn Fn(Duration) + Send + Sync>;

/// A connection: its number is the driver's, for each server anew.
type Id = (ServerAddress, u32);

/// The connections that there are. They are kept by name: of a call that is given up at the wrong moment the driver tells only half, so
/// that sums would go wrong for good.
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

    /// What the driver must tell its events to.
    pub(crate) fn event_handler(pool: &Arc<Self>) -> EventHandler<CmapEvent> {
        let pool = pool.clone();
        EventHandler::callback(move |event| pool.note(event))
    }

    pub(crate) fn on_waited(&self, told: Waited) {
        // Whoever was first is there already.
        let _ = self.waited.set(told);
    }

    pub(crate) fn status(&self) -> PoolStatus {
        let connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        let (open, in_use) = (connections.open.len(), connections.in_use.len());
        PoolStatus { idle: open.saturating_sub(in_use), in_use, max: self.max, waiting: None }
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
            // What the pool as a whole does, and what comes to no connection.
            _ => {}
        }
    }

    fn tell(&self, waited: Duration) {
        if let Some(told) = self.waited.get() {
            told(waited);
        }
    }
}
