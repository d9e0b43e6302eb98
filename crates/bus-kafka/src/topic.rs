use std::time::Duration;

use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    producer::{FutureProducer, Producer as _},
    types::RDKafkaErrorCode,
};

use crate::{
    BusError, KafkaSettings, Sasl,
    client::{Context, blocking},
};

/// Creates the topic with these numbers of partitions and replicas unless it exists. A partition keeps the events of an entity in
/// order, so the number of partitions should not change later. An existing topic requires no right to create one. With a token
/// ([`Sasl::Token`]) it must exist: the library's client that creates topics asks for none.
///
/// # Errors
/// [`BusError::Refused`] when the brokers refuse the numbers, e.g. more replicas than brokers, or the right is missing;
/// [`BusError::Unavailable`] when no broker answers within [`KafkaSettings::request_timeout_ms`].
pub async fn ensure_topic(
    settings: &KafkaSettings,
    partitions: u16,
    replication: u16,
) -> Result<(), BusError> {
    let within = settings.request_timeout();
    let attempted = format!(
        "creating the topic {} with {partitions} partitions and replication {replication}",
        settings.topic
    );
    if exists(settings, within).await? {
        return Ok(());
    }
    if let Some(Sasl::Token(_)) = settings.sasl {
        let reason = "there is no such topic, and with OAUTHBEARER it must be created by the tools of Kafka";
        return Err(BusError::Refused { attempted, reason: reason.to_owned() });
    }
    let client: AdminClient<Context> = settings
        .client_config(&settings.credentials()?)?
        .create_with_context(Context::default())
        .map_err(|error| BusError::new(&attempted, &error))?;
    let replicas = TopicReplication::Fixed(replication.into());
    let wanted = NewTopic::new(&settings.topic, partitions.into(), replicas);
    let options = AdminOptions::new().request_timeout(Some(within)).operation_timeout(Some(within));
    let answers = client.create_topics(&[wanted], &options).await;
    blocking(&attempted, move || drop(client)).await?;
    for answer in answers.map_err(|error| BusError::new(&attempted, &error))? {
        match answer {
            Ok(_) => {}
            // Another process created it in the meantime.
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => return Ok(()),
            Err((_, code)) => return Err(BusError::of_code(attempted, code)),
        }
    }
    Ok(())
}

/// Whether the brokers know the topic. Asks a producer: only its connection fetches a token and tells why it failed.
async fn exists(settings: &KafkaSettings, within: Duration) -> Result<bool, BusError> {
    let context = Context::new(settings);
    let producer: FutureProducer<Context> = settings
        .client_config(&settings.credentials()?)?
        .create_with_context(context.clone())
        .map_err(|error| BusError::new("looking up the topic", &error))?;
    let topic = settings.topic.clone();
    blocking("looking up the topic", move || {
        // Lists all topics: a request for one may create it with the broker's default numbers.
        let known = producer.client().fetch_metadata(None, within).map(|metadata| {
            metadata.topics().iter().any(|known| known.name() == topic && known.error().is_none())
        });
        // The producer is dropped here, since that blocks until its threads end.
        known.map_err(|error| context.explain(BusError::new("looking up the topic", &error)))
    })
    .await?
}
