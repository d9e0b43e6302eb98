use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use esoz_events::{EventPublisher, PublishError, StatusChangeEvent, wire};
use esoz_kernel::TraceContext;
use futures_util::future::join_all;
use rdkafka::{
    ClientConfig,
    error::KafkaError,
    message::{Header, OwnedHeaders},
    producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer as _},
};
use tokio::time::{Instant, timeout_at};

use crate::{
    BusError, KafkaSettings,
    client::{Logs, blocking},
    error::{is_about_the_producer, reason},
};

type KafkaProducer = FutureProducer<Logs>;

/// librdkafka itself gives up a message in its time, and looks about once a second which. This is how much longer its
/// answer is waited for.
const GRACE: Duration = Duration::from_secs(5);

/// Publishes events to a Kafka topic. Must be used inside a Tokio runtime.
pub struct KafkaPublisher {
    settings: KafkaSettings,
    config: ClientConfig,
    current: Mutex<Current>,
}

/// The producer in use, and the how-manieth it is.
#[derive(Clone)]
struct Current {
    producer: KafkaProducer,
    generation: u64,
}

impl KafkaPublisher {
    /// Prepares to publish. Waits for no broker: that none is there is noticed by the first event.
    ///
    /// # Errors
    /// [`BusError::Settings`].
    pub fn new(settings: &KafkaSettings) -> Result<Self, BusError> {
        let config = settings.producer_config()?;
        let current = Mutex::new(Current { producer: create(&config)?, generation: 0 });
        Ok(Self { settings: settings.clone(), config, current })
    }

    /// Asks the brokers about the topic.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] when none answers in [`KafkaSettings::request_timeout_ms`]; [`BusError::Refused`] when
    /// the topic cannot be used, e.g. is not there.
    pub async fn ping(&self) -> Result<(), BusError> {
        let (producer, topic) = (self.current().producer, self.settings.topic.clone());
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
        let (producer, within) = (self.current().producer, self.settings.delivery_timeout());
        let flushed = blocking("sending what is on its way", move || producer.flush(within)).await;
        if let Ok(Err(error)) = flushed {
            tracing::warn!(
                code = reason(&error),
                "events were still on their way to Kafka; they stay in the outbox"
            );
        }
    }

    fn current(&self) -> Current {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts a new producer in the place of one that will never deliver again. What the old one still held is given up: every
    /// event of it has been answered with an error.
    fn replace(&self, broken: Current) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.generation != broken.generation {
            return;
        }
        match create(&self.config) {
            Ok(producer) => {
                let generation = broken.generation.wrapping_add(1);
                let replaced = std::mem::replace(&mut *current, Current { producer, generation });
                tracing::warn!(
                    generation,
                    "the brokers take nothing from the Kafka producer any more; a new one takes its place"
                );
                // Ending a producer waits for its threads; so on one of its own. (Without one it ends here.)
                let _ = std::thread::Builder::new().spawn(move || drop((broken, replaced)));
            }
            Err(error) => {
                tracing::error!(%error, "no new Kafka producer could be made; the next failure tries again");
            }
        }
    }

    fn enqueue(
        &self,
        producer: &KafkaProducer,
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
    async fn publish(&self, events: &[StatusChangeEvent]) -> Vec<Result<(), PublishError>> {
        let current = self.current();
        let until = Instant::now() + self.settings.delivery_timeout() + GRACE;
        let enqueued: Vec<_> = events.iter().map(|event| self.enqueue(&current.producer, event)).collect();
        let answers = join_all(enqueued.into_iter().map(|enqueued| delivered(enqueued, until))).await;
        let is_broken = current.producer.client().fatal_error().is_some()
            || answers
                .iter()
                .any(|answer| matches!(answer, Err(Failure::Kafka(error)) if is_about_the_producer(error)));
        if is_broken {
            self.replace(current);
        }
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
        let reason = match failure {
            Failure::Kafka(error) => reason(&error),
            Failure::Ended => String::from("the Kafka producer ended"),
            Failure::NoAnswer => String::from("the Kafka producer gave no answer in time"),
        };
        Self { reason }
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

fn create(config: &ClientConfig) -> Result<KafkaProducer, BusError> {
    config.create_with_context(Logs).map_err(|error| BusError::new("making a producer", &error))
}
