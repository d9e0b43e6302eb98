use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    types::RDKafkaErrorCode,
};

use crate::{
    BusError, KafkaSettings,
    client::{Logs, blocking},
};

/// Creates the topic with these numbers of partitions and replicas unless it exists. A partition keeps the events of an entity in
/// order, so the number of partitions should not change later. An existing topic requires no right to create one.
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
    let logs = Logs::default();
    let client: AdminClient<Logs> = settings
        .client_config()?
        .create_with_context(logs.clone())
        .map_err(|error| BusError::new(&attempted, &error))?;

    let topic = settings.topic.clone();
    let (client, existed) = blocking(&attempted, move || {
        // Lists all topics: a request for one may create it with the broker's default numbers.
        let existed = client.inner().fetch_metadata(None, within).map(|metadata| {
            metadata.topics().iter().any(|known| known.name() == topic && known.error().is_none())
        });
        // Dropping a client blocks until its threads end.
        (matches!(existed, Ok(false)).then_some(client), existed)
    })
    .await?;
    existed.map_err(|error| logs.explain(BusError::new("looking up the topic", &error)))?;
    let Some(client) = client else { return Ok(()) };

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
