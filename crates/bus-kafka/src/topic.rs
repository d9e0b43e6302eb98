use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    types::RDKafkaErrorCode,
};

use crate::{
    BusError, KafkaSettings,
    client::{Logs, blocking},
};

/// What [`ensure_topic`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicOutcome {
    /// It was not there and is now.
    Created,
    /// It was there, and stays as it was.
    Existed,
}

/// Creates the topic with so many partitions and so many replicas of each, unless it is there. Partitions keep the events
/// of one entity in order; their number should not change later. A topic that is there needs no right to create one.
///
/// # Errors
/// [`BusError::Refused`] when the brokers do not take the numbers, e.g. there are fewer brokers than replicas, or the right
/// is missing; [`BusError::Unavailable`] when there is no answer in [`KafkaSettings::request_timeout_ms`].
pub async fn ensure_topic(
    settings: &KafkaSettings,
    partitions: u16,
    replication: u16,
) -> Result<TopicOutcome, BusError> {
    let within = settings.request_timeout();
    let attempted = format!(
        "creating the topic {} with {partitions} partitions and replication {replication}",
        settings.topic
    );
    let client: AdminClient<Logs> = settings
        .client_config()?
        .create_with_context(Logs)
        .map_err(|error| BusError::new(&attempted, &error))?;

    let topic = settings.topic.clone();
    let (client, existed) = blocking(&attempted, move || {
        // All topics: a question about one may create it, with whatever numbers the broker likes.
        let existed = client.inner().fetch_metadata(None, within).map(|metadata| {
            metadata.topics().iter().any(|known| known.name() == topic && known.error().is_none())
        });
        // Ending a client waits for its threads; so here, where waiting is allowed.
        (matches!(existed, Ok(false)).then_some(client), existed)
    })
    .await?;
    existed.map_err(|error| BusError::new("looking for the topic", &error))?;
    let Some(client) = client else { return Ok(TopicOutcome::Existed) };

    let replicas = TopicReplication::Fixed(replication.into());
    let wanted = NewTopic::new(&settings.topic, partitions.into(), replicas);
    let options = AdminOptions::new().request_timeout(Some(within)).operation_timeout(Some(within));
    let answers = client.create_topics(&[wanted], &options).await;
    blocking(&attempted, move || drop(client)).await?;
    for answer in answers.map_err(|error| BusError::new(&attempted, &error))? {
        match answer {
            Ok(_) => {}
            // Somebody else was faster.
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => return Ok(TopicOutcome::Existed),
            Err((_, code)) => return Err(BusError::of_code(attempted, code)),
        }
    }
    Ok(TopicOutcome::Created)
}
