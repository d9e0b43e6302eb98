use std::time::Duration;

use async_trait::async_trait;
use esoz_events::{EventPublisher, PublishError, StatusChangeEvent, wire};
use esoz_kernel::TraceContext;
use futures_util::future::join_all;
use rdkafka::{
    error::KafkaError,
    message::{Header, OwnedHeaders},
    producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer as _},
};
use tokio::time::{Instant, timeout_at};

use crate::{
    BusError, KafkaSettings,
    client::{Context, blocking},
    credentials::Credentials,
    error::{is_refusal, reason},
    renewal::Renewed,
};

/// Wait for librdkafka's answer beyond the delivery timeout: it checks about once a second which messages have timed out.
const GRACE: Duration = Duration::from_secs(5);

/// Publishes events to a Kafka topic. Must be used inside a Tokio runtime.
pub struct KafkaPublisher {
    settings: KafkaSettings,
    producer: Renewed<FutureProducer<Context>>,
    context: Context,
}

impl KafkaPublisher {
    /// Creates a producer. Does not wait for a broker; if none is reachable, the first event fails.
    ///
    /// # Errors
    /// [`BusError::Settings`] when a setting is invalid, or a file of theirs cannot be used.
    pub fn new(settings: &KafkaSettings) -> Result<Self, BusError> {
        let context = Context::new(settings);
        let producer = Renewed::new(settings, make(&context))?;
        Ok(Self { settings: settings.clone(), producer, context })
    }

    fn producer(&self) -> FutureProducer<Context> {
        self.producer.renewed(make(&self.context))
    }

    /// Checks that the brokers answer and that the topic can be used.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] when no broker answers within [`KafkaSettings::request_timeout_ms`]; [`BusError::Refused`] when
    /// the topic cannot be used, e.g. does not exist.
    pub async fn ping(&self) -> Result<(), BusError> {
        let (producer, context, topic) = (self.producer(), self.context.clone(), self.settings.topic.clone());
        let within = self.settings.request_timeout();
        blocking("asking about the topic", move || {
            let attempted = format!("asking about the topic {topic}");
            let metadata = producer.client().fetch_metadata(Some(&topic), within);
            let metadata = metadata.map_err(|error| context.explain(BusError::new(&attempted, &error)))?;
            context.forget_failure();
            match metadata.topics().iter().find_map(rdkafka::metadata::MetadataTopic::error) {
                Some(error) => Err(BusError::of_code(attempted, error.into())),
                None => Ok(()),
            }
        })
        .await?
    }

    fn enqueue(
        &self,
        producer: &FutureProducer<Context>,
        event: &StatusChangeEvent,
    ) -> Result<DeliveryFuture, KafkaError> {
        let (key, payload) = (wire::key(event), wire::json(event));
        let request_id = Header { key: wire::REQUEST_ID_HEADER, value: Some(event.request_id.as_str()) };
        let mut headers = OwnedHeaders::new_with_capacity(2).insert(request_id);
        if let Some(trace) = event.trace {
            headers = headers.insert(Header { key: TraceContext::HEADER, value: Some(&trace.to_string()) });
        }
        let record = FutureRecord::to(&self.settings.topic).key(&key).payload(&payload).headers(headers);
        producer.send_result(record).map_err(|(error, _)| error)
    }
}

#[async_trait]
impl EventPublisher for KafkaPublisher {
    /// Publishes a batch. A broker refuses a batch as a whole, so each refused event is published again alone while time remains.
    async fn publish(&self, events: &[StatusChangeEvent]) -> Vec<Result<(), PublishError>> {
        let until = Instant::now() + self.settings.delivery_timeout() + GRACE;
        let mut answers = self.publish_batch(events, until).await;
        if events.len() > 1 {
            for (event, answer) in events.iter().zip(&mut answers) {
                if matches!(answer, Err(PublishError::Refused(_))) {
                    let retried = self.publish_batch(std::slice::from_ref(event), until).await;
                    if let Some(retried) = retried.into_iter().next() {
                        *answer = retried;
                    }
                }
            }
        }
        answers
    }
}

impl KafkaPublisher {
    async fn publish_batch(
        &self,
        events: &[StatusChangeEvent],
        until: Instant,
    ) -> Vec<Result<(), PublishError>> {
        let producer = self.producer();
        let enqueued: Vec<_> = events.iter().map(|event| self.enqueue(&producer, event)).collect();
        join_all(enqueued.into_iter().map(|enqueued| delivered(enqueued, until))).await
    }
}

/// How a producer is made.
fn make(
    context: &Context,
) -> impl FnOnce(&KafkaSettings, &Credentials) -> Result<FutureProducer<Context>, BusError> + use<> {
    let context = context.clone();
    move |settings, credentials| {
        let producer = settings.producer_config(credentials)?.create_with_context(context);
        producer.map_err(|error| BusError::new("creating a producer", &error))
    }
}

/// Waits until an event is delivered, or has failed.
async fn delivered(enqueued: Result<DeliveryFuture, KafkaError>, until: Instant) -> Result<(), PublishError> {
    let failed = |error: KafkaError| {
        let kind = if is_refusal(&error) { PublishError::Refused } else { PublishError::Unavailable };
        kind(reason(&error))
    };
    let unavailable = |why| Err(PublishError::Unavailable(String::from(why)));
    match timeout_at(until, enqueued.map_err(failed)?).await {
        Ok(Ok(Ok(_))) => Ok(()),
        Ok(Ok(Err((error, _)))) => Err(failed(error)),
        Ok(Err(_)) => unavailable("the Kafka producer ended"),
        Err(_) => unavailable("the Kafka producer gave no answer in time"),
    }
}
