//! How safe the connections to the configured servers are.

use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use esoz_tls::Transport;

use super::bus::KAFKA;
use super::stores::{MONGODB, POSTGRESQL, Stores};
use crate::config::{Bus, Config};

/// What to do about a connection that is not safe.
pub(crate) const REMEDY: &str = "anybody on the way can read health data, or pass for the server: use TLS and check its certificate \
    (postgres.url with sslmode=verify-full, mongodb.uri with tls=true, kafka.tls=on), or an isolated network";

/// The connections to the servers that are in use.
pub(crate) struct Transports {
    stores: Stores,
    kafka: Option<Transport>,
    /// What was found last.
    last: Mutex<Vec<(&'static str, Transport)>>,
}

impl Transports {
    pub(crate) fn new(config: &Config, stores: &Stores) -> Result<Self> {
        let kafka = match config.bus()? {
            Bus::Log => None,
            Bus::Kafka => Some(config.kafka()?.transport()),
        };
        Ok(Self { stores: stores.clone(), kafka, last: Mutex::default() })
    }

    /// Finds out how each connection is made now, by the name of its component: the URL of PostgreSQL may be a file that is replaced. Warns of what is
    /// not safe, if it was not found so before.
    pub(crate) fn check(&self) -> Vec<(&'static str, Transport)> {
        let Stores { postgres, mongo, .. } = &self.stores;
        let found = [
            (POSTGRESQL, postgres.as_ref().and_then(|postgres| postgres.transport().ok())),
            (MONGODB, mongo.as_ref().map(|mongo| mongo.transport())),
            (KAFKA, self.kafka),
        ];
        let found: Vec<_> =
            found.into_iter().filter_map(|(component, transport)| Some((component, transport?))).collect();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        for (component, transport) in &found {
            if let Transport::Weak(why) = transport
                && !last.contains(&(*component, *transport))
            {
                tracing::warn!(
                    component,
                    why,
                    remedy = REMEDY,
                    "the connection to a server is not encrypted or not verified"
                );
            }
        }
        last.clone_from(&found);
        found
    }
}
