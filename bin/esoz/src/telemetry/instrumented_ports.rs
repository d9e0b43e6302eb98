//! Every call of a store or of the bus is timed, and is a span: beneath the caches, so that what is measured is the store itself.
//!
//! A span is called after its port and operation, e.g. `store.device_dispenses.commit`, and says which store it went to and how it
//! ended. Its target is [`SPANS`], which no log prints at its usual level.

mod outcome;
mod ports;

use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use esoz_events::EventPublisher;
use tracing::{Instrument as _, Span};

use crate::config::{Bus, Config, StoreKind, TokenSource};
use crate::server::Parts;
use crate::telemetry::metrics::{Delivery, Metrics, definitions::STORE_OPERATION_DURATION};

pub(crate) use crate::compose::stores::{MONGODB, POSTGRESQL, SQLITE};
pub(crate) use outcome::OUTCOMES;
use outcome::{CANCELLED, Outcome};
pub(crate) use ports::OPERATIONS;

/// The target of the spans. It does not begin like our modules' names, so that `log.level` does not turn them on.
pub(crate) const SPANS: &str = "stores";

pub(crate) const KAFKA: &str = "kafka";
/// Whoever issued a token that is not ours.
const TOKEN_ISSUER: &str = "token_issuer";

/// Everything that a call may go to.
pub(crate) const STORES: [&str; 5] = [SQLITE, POSTGRESQL, MONGODB, KAFKA, TOKEN_ISSUER];
/// What `/health/ready` looks at.
pub(crate) const COMPONENTS: [&str; 4] = [SQLITE, POSTGRESQL, MONGODB, KAFKA];

/// A port whose calls are observed.
struct Observed<P: ?Sized> {
    inner: Arc<P>,
    store: &'static str,
    metrics: Arc<Metrics>,
}

impl<P: ?Sized> Observed<P> {
    fn new(inner: &Arc<P>, store: &'static str, metrics: &Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self { inner: inner.clone(), store, metrics: metrics.clone() })
    }

    async fn observe<T: Outcome>(
        &self,
        port: &'static str,
        operation: &'static str,
        span: Span,
        call: impl Future<Output = T>,
    ) -> T {
        let called = [self.store, port, operation];
        let metrics = &self.metrics;
        let mut under_way = Call { called, outcome: CANCELLED, started: Instant::now(), span, metrics };
        let answer = call.instrument(under_way.span.clone()).await;
        under_way.outcome = answer.outcome();
        answer
    }
}

/// A call under way, told when it is over: also when it is dropped before its answer, as by a time limit around it.
struct Call<'a> {
    /// The store, the port and the operation.
    called: [&'static str; 3],
    outcome: &'static str,
    started: Instant,
    span: Span,
    metrics: &'a Metrics,
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let ([store, port, operation], outcome) = (self.called, self.outcome);
        self.span.record("outcome", outcome);
        let took = self.started.elapsed().as_secs_f64();
        self.metrics.histogram(&STORE_OPERATION_DURATION, [store, port, operation, outcome]).record(took);
    }
}

/// The parts with every port observed that requests and the relay use.
pub(crate) fn observed(config: &Config, parts: Parts, metrics: &Arc<Metrics>) -> Result<Parts> {
    let (contracts, dispenses) = match config.store_kind()? {
        StoreKind::Sqlite => (SQLITE, SQLITE),
        StoreKind::Servers => (POSTGRESQL, MONGODB),
    };
    let tokens = match config.token_source()? {
        TokenSource::Store => contracts,
        TokenSource::Jwt | TokenSource::Introspection | TokenSource::Esoz => TOKEN_ISSUER,
    };
    let bus = match config.bus()? {
        Bus::Log => SQLITE,
        Bus::Kafka => KAFKA,
    };
    let mut parts = parts;
    let stores = &mut parts.stores;
    stores.access_tokens = Observed::new(&stores.access_tokens, tokens, metrics);
    stores.api_keys = Observed::new(&stores.api_keys, contracts, metrics);
    stores.legal_entities = Observed::new(&stores.legal_entities, contracts, metrics);
    stores.contract_divisions = Observed::new(&stores.contract_divisions, contracts, metrics);
    stores.dispenses = Observed::new(&stores.dispenses, dispenses, metrics);
    for (store, outbox) in &mut stores.outboxes {
        *outbox = Observed::new(outbox, store, metrics);
    }
    for (store, keys) in &mut stores.keys {
        *keys = Observed::new(keys, store, metrics);
    }
    let publisher: Arc<dyn EventPublisher> = Observed::new(&parts.publisher, bus, metrics);
    parts.publisher = Arc::new(Delivery::new(publisher, &parts.clock, metrics));
    Ok(parts)
}

#[cfg(test)]
mod tests;
