//! What carries events from an outbox to a publisher, well or badly.

use std::time::Duration;

use async_trait::async_trait;
use esoz_events::{Relay, RelayRound};
use esoz_kernel::StoreError;

/// What carries events. The real one is [`Relay`].
#[async_trait]
pub(crate) trait Carrier: Send + Sync {
    async fn round(&self, at: Duration) -> Result<RelayRound, StoreError>;
}

#[async_trait]
impl Carrier for Relay {
    async fn round(&self, at: Duration) -> Result<RelayRound, StoreError> {
        self.run_once(at).await.map_err(|failure| failure.error)
    }
}
