//! How safe the ways to the configured servers are.

use anyhow::Result;
use esoz_tls::Transport;

use super::bus::{KAFKA, kafka_settings};
use super::stores::{MONGODB, POSTGRESQL, Stores};
use crate::config::{Bus, Config};

/// What to do about a way that is not safe.
pub(crate) const REMEDY: &str = "anybody on the way can read health data, or pass for the server: use TLS and check its certificate \
    (postgres.url with sslmode=verify-full, mongodb.uri with tls=true)";

/// The way to each server that is in use, by the name of its component.
pub(crate) fn transports(config: &Config, stores: &Stores) -> Result<Vec<(&'static str, Transport)>> {
    let mut transports = Vec::new();
    if let Some(postgres) = &stores.postgres {
        transports.push((POSTGRESQL, postgres.transport()?));
    }
    if let Some(mongo) = &stores.mongo {
        transports.push((MONGODB, mongo.transport()));
    }
    if config.bus()? == Bus::Kafka {
        transports.push((KAFKA, kafka_settings(config)?.transport()));
    }
    Ok(transports)
}
