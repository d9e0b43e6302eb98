use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use esoz_device_dispense::{
    DeviceDispenses, DispenseFacts, DispenseStatus, DispenseWrites, MockDeviceDispenses, MockDispenseWrites,
    StoredDispense,
};
use esoz_events::{EventPublisher, MockEventPublisher, PublishError};
use esoz_kernel::system::SystemClock;
use esoz_kernel::{
    Clock, DeviceRequestId, DispenseId, IdempotencyRecords, StoreError, StoreErrorKind, Timestamp, Uuid,
};
use esoz_testkit::builders::{at_millis, create_of, dispense, signed_change, update_of};
use tracing::field::{Field, Visit};
use tracing::instrument::WithSubscriber as _;
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry;

use super::*;
use crate::components::{MONGODB, POSTGRESQL};
use crate::telemetry::metrics::Metrics;

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

type Fields = BTreeMap<String, String>;

/// Keeps what spans say.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<BTreeMap<u64, (String, Fields)>>>);

struct Into<'a>(&'a mut Fields);

impl Visit for Into<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

impl<S: tracing::Subscriber> Layer<S> for Kept {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        let mut fields = Fields::new();
        attributes.record(&mut Into(&mut fields));
        let name = attributes.metadata().name().to_owned();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id.into_u64(), (name, fields));
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, _: Context<'_, S>) {
        let mut spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        record.record(&mut Into(&mut spans.get_mut(&id.into_u64()).unwrap().1));
    }
}

#[tokio::test]
async fn each_call_is_timed_by_its_outcome_and_is_a_span_that_names_no_one() {
    let (metrics, kept) = (Arc::new(Metrics::on().unwrap()), Kept::default());
    let mut inner = MockDeviceDispenses::new();
    let id = DispenseId::new(Uuid::from_u128(0xabcd_ef01));
    inner.expect_find().times(2).returning(|_| Ok(None));
    inner.expect_find().returning(|_| Err(StoreError::new(StoreErrorKind::Unavailable, "testing")));
    let inner: Arc<dyn DeviceDispenses> = Arc::new(inner);
    let observed: Arc<dyn DeviceDispenses> =
        Instrumented::new(&inner, MONGODB, &metrics.instruments(&clock()));
    async {
        for _ in 0..3 {
            // That it fails is what is observed.
            let _ = observed.find(id).await;
        }
    }
    .with_subscriber(registry().with(kept.clone()))
    .await;

    let text = metrics.text();
    for (outcome, count) in [("ok", 2), ("unavailable", 1)] {
        let labels = format!(
            "{{store=\"mongodb\",port=\"device_dispenses\",operation=\"find\",outcome=\"{outcome}\"}}"
        );
        let line = format!("esoz_store_operation_duration_seconds_count{labels} {count}\n");
        assert!(text.contains(&line), "{line}{text}");
    }
    let spans: Vec<_> = kept.0.lock().unwrap().values().cloned().collect();
    let outcomes: Vec<&str> = spans.iter().map(|(_, fields)| fields["outcome"].as_str()).collect();
    assert_eq!(outcomes, ["\"ok\"", "\"ok\"", "\"unavailable\""]);
    for (name, fields) in &spans {
        assert_eq!(name, "store.device_dispenses.find");
        assert_eq!(fields.keys().collect::<Vec<_>>(), ["operation", "outcome", "store"]);
        assert_eq!((fields["store"].as_str(), fields["operation"].as_str()), ("\"mongodb\"", "\"find\""));
    }
}

/// A store that does not answer.
struct Hangs;

#[async_trait]
impl IdempotencyRecords for Hangs {
    async fn purge_expired(&self, _until: Timestamp, _most: u32) -> Result<u64, StoreError> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_any_longer_is_cancelled() {
    let (metrics, kept) = (Arc::new(Metrics::on().unwrap()), Kept::default());
    let inner: Arc<dyn IdempotencyRecords> = Arc::new(Hangs);
    let observed = Instrumented::new(&inner, POSTGRESQL, &metrics.instruments(&clock()));
    let call = observed.purge_expired(Timestamp::UNIX_EPOCH, 1);
    let waited =
        tokio::time::timeout(Duration::ZERO, call).with_subscriber(registry().with(kept.clone())).await;
    assert!(waited.is_err());

    let text = metrics.text();
    assert!(text.contains("operation=\"purge_expired\",outcome=\"cancelled\"} 1\n"), "{text}");
    let spans: Vec<_> = kept.0.lock().unwrap().values().cloned().collect();
    let outcomes: Vec<&str> = spans.iter().map(|(_, fields)| fields["outcome"].as_str()).collect();
    assert_eq!(outcomes, ["\"cancelled\""]);
    assert!(OUTCOMES.contains(&CANCELLED));
}

#[tokio::test]
async fn a_bus_that_takes_not_all_events_is_told_apart() {
    let metrics = Arc::new(Metrics::on().unwrap());
    let mut inner = MockEventPublisher::new();
    inner.expect_publish().times(1).returning(|_| vec![Ok(())]);
    let refused = || Err(PublishError::Unavailable("testing".to_owned()));
    inner.expect_publish().returning(move |_| vec![Ok(()), refused()]);
    let inner: Arc<dyn EventPublisher> = Arc::new(inner);
    let observed: Arc<dyn EventPublisher> = Instrumented::new(&inner, KAFKA, &metrics.instruments(&clock()));
    for _ in 0..2 {
        observed.publish(&[]).await;
    }
    let text = metrics.text();
    for outcome in ["ok", "undelivered"] {
        assert!(text.contains(&format!("operation=\"publish\",outcome=\"{outcome}\"}} 1\n")), "{text}");
    }
}

#[tokio::test]
async fn a_write_of_a_dispense_wakes_the_relay_unless_a_rule_refused_it() {
    let one = dispense().build();
    let create = create_of(&one, DeviceRequestId::new(Uuid::nil()), at_millis(1));
    let change = signed_change(&one, &update_of(&one, DispenseStatus::Completed, at_millis(1)));
    for (outcome, wakes) in [("ok", true), ("refused", false), ("recalled", true), ("unavailable", true)] {
        let metrics = Arc::new(Metrics::on().unwrap());
        let mut inner = MockDispenseWrites::new();
        let failed = || StoreError::new(StoreErrorKind::Unavailable, "testing");
        let answered = one.clone();
        inner.expect_create().returning(move |_| match outcome {
            "ok" => Ok(Written::Applied(answered.clone())),
            "refused" => Ok(Written::Refused(CreateRefusal::WrongCode)),
            "recalled" => Ok(Written::KeyReused),
            _ => Err(failed()),
        });
        let answered = one.clone();
        inner.expect_change().returning(move |_| match outcome {
            "ok" => Ok(Written::Applied(answered.clone())),
            "refused" => Ok(Written::Refused(ChangeRefusal::Mismatch("details"))),
            "recalled" => Ok(Written::Replayed(answered.clone())),
            _ => Err(failed()),
        });
        let inner: Arc<dyn DispenseWrites> = Arc::new(inner);
        let instruments = metrics.instruments(&clock());
        let observed: Arc<dyn DispenseWrites> = Instrumented::new(&inner, SQLITE, &instruments);
        let is_woken = async || {
            tokio::time::timeout(Duration::ZERO, instruments.dispense_committed.notified()).await.is_ok()
        };
        drop(observed.create(&create).await);
        assert_eq!(is_woken().await, wakes, "create: {outcome}");
        drop(observed.change(&change).await);
        assert_eq!(is_woken().await, wakes, "change: {outcome}");
        let text = metrics.text();
        for operation in ["create", "change"] {
            let labels =
                format!("port=\"dispense_writes\",operation=\"{operation}\",outcome=\"{outcome}\"}} 1\n");
            assert!(text.contains(&labels), "{labels}{text}");
        }
    }
}

#[tokio::test]
async fn a_dispense_that_cannot_be_read_is_corrupt_among_the_facts_as_well() {
    let metrics = Arc::new(Metrics::on().unwrap());
    let mut inner = MockDispenseWrites::new();
    inner.expect_facts().times(1).returning(|_| Ok(DispenseFacts::default()));
    inner.expect_facts().returning(|id| {
        let sound = StoredDispense::from(dispense().build());
        let dispense = Err(StoreError::corrupt("device_dispenses", id, "status"));
        let stored = Some(StoredDispense { dispense, ..sound });
        Ok(DispenseFacts { stored, ..DispenseFacts::default() })
    });
    let inner: Arc<dyn DispenseWrites> = Arc::new(inner);
    let observed: Arc<dyn DispenseWrites> = Instrumented::new(&inner, SQLITE, &metrics.instruments(&clock()));
    for _ in 0..2 {
        drop(observed.facts(DispenseId::new(Uuid::nil())).await);
    }
    let text = metrics.text();
    for outcome in ["ok", "corrupt"] {
        let line = format!("operation=\"facts\",outcome=\"{outcome}\"}} 1\n");
        assert!(text.contains(&line), "{line}{text}");
    }
}

#[test]
fn when_nobody_may_ask_nothing_is_counted() {
    let metrics = Arc::new(Metrics::off());
    (metrics.instruments(&clock()).durations)([SQLITE, "outbox", "claim", "ok"]).record(1.0);
    assert_eq!(metrics.text(), "");
}
