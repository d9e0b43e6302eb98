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
    client::{Logs, blocking},
    error::{is_refusal, reason},
};

/// librdkafka itself gives up a message in its time, and looks about once a second which. This is how much longer its
/// answer is waited for.
const GRACE: Duration = Duration::from_secs(5);

/// Publishes events to a Kafka topic. Must be used inside a Tokio runtime.
pub struct KafkaPublisher {
    settings: KafkaSettings,
    producer: FutureProducer<Logs>,
}

impl KafkaPublisher {
    /// Prepares to publish. Waits for no broker: that none is there is noticed by the first event.
    ///
    /// # Errors
    /// [`BusError::Settings`].
    pub fn new(settings: &KafkaSettings) -> Result<Self, BusError> {
        let producer = settings.producer_config()?.create_with_context(Logs);
        let producer = producer.map_err(|error| BusError::new("making a producer", &error))?;
        Ok(Self { settings: settings.clone(), producer })
    }

    /// Asks the brokers about the topic.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] when none answers in [`KafkaSettings::request_timeout_ms`]; [`BusError::Refused`] when
    /// the topic cannot be used, e.g. is not there.
    pub async fn ping(&self) -> Result<(), BusError> {
        let (producer, topic) = (self.producer.clone(), self.settings.topic.clone());
        let within = self.settings.request_timeout();
        blocking("asking about the topic", move || {
            let attempted = format!("asking about the topic {topic}");
            let metadata = producer.client().fetch_metadata(Some(&topic), within);
            let metadata = metadata.map_err(|error| BusError::new(&attempted, &error))?;
            match metadata.topics().iter().find_map(rdkafka::metadata::MetadataTopic::error) {
                Some(error) => Err(BusError::of_code(attempted, error.into())),
                None => Ok(()),
            }
        })
        .await?
    }

    /// Waits until nothing is on its way any more, at most as long as an event may be. For an orderly stop: what was
    /// handed over by a [`publish`](EventPublisher::publish) that nobody waited for to its end still goes out.
    /// Dropping the publisher without it gives that up, which loses nothing: it stays in the outbox.
    pub async fn close(&self) {
        let (producer, within) = (self.producer.clone(), self.settings.delivery_timeout());
        let flushed = blocking("sending what is on its way", move || producer.flush(within)).await;
        if let Ok(Err(error)) = flushed {
            tracing::warn!(
                code = reason(&error),
                "events were still on their way to Kafka; they stay in the outbox"
            );
        }
    }

    fn enqueue(&self, event: &StatusChangeEvent) -> Result<DeliveryFuture, KafkaError> {
        let (key, payload) = (wire::key(event), wire::json(event));
        let request_id = Header { key: wire::REQUEST_ID_HEADER, value: Some(event.request_id.as_str()) };
        let mut headers = OwnedHeaders::new_with_capacity(2).insert(request_id);
        if let Some(trace) = event.trace {
            headers = headers.insert(Header { key: TraceContext::HEADER, value: Some(&trace.to_string()) });
        }
        let record = FutureRecord::to(&self.settings.topic).key(&key).payload(&payload).headers(headers);
        self.producer.send_result(record).map_err(|(error, _)| error)
    }
}

#[async_trait]
impl EventPublisher for KafkaPublisher {
    /// A broker refuses a batch of messages as a whole. So what it refused in company is published again alone, as long as there is time.
    async fn publish(&self, events: &[StatusChangeEvent]) -> Vec<Result<(), PublishError>> {
        let until = Instant::now() + self.settings.delivery_timeout() + GRACE;
        let mut answers = self.publish_together(events, until).await;
        if events.len() > 1 {
            for (event, answer) in events.iter().zip(&mut answers) {
                if matches!(answer, Err(PublishError::Refused(_))) {
                    let alone = self.publish_together(std::slice::from_ref(event), until).await;
                    if let Some(alone) = alone.into_iter().next() {
                        *answer = alone;
                    }
                }
            }
        }
        answers
    }
}

impl KafkaPublisher {
    async fn publish_together(
        &self,
        events: &[StatusChangeEvent],
        until: Instant,
    ) -> Vec<Result<(), PublishError>> {
        let enqueued: Vec<_> = events.iter().map(|event| self.enqueue(event)).collect();
        let answers = join_all(enqueued.into_iter().map(|enqueued| delivered(enqueued, until))).await;
        answers.into_iter().map(|answer| answer.map_err(PublishError::from)).collect()
    }
}

/// Why an event was not delivered.
enum Failure {
    Kafka(KafkaError),
    Ended,
    NoAnswer,
}

impl From<Failure> for PublishError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Kafka(error) if is_refusal(&error) => Self::Refused(reason(&error)),
            Failure::Kafka(error) => Self::NotNow(reason(&error)),
            Failure::Ended => Self::NotNow(String::from("the Kafka producer ended")),
            Failure::NoAnswer => Self::NotNow(String::from("the Kafka producer gave no answer in time")),
        }
    }
}

async fn delivered(enqueued: Result<DeliveryFuture, KafkaError>, until: Instant) -> Result<(), Failure> {
    match timeout_at(until, enqueued.map_err(Failure::Kafka)?).await {
        Ok(Ok(Ok(_))) => Ok(()),
        Ok(Ok(Err((error, _)))) => Err(Failure::Kafka(error)),
        Ok(Err(_)) => Err(Failure::Ended),
        Err(_) => Err(Failure::NoAnswer),
    }
}
