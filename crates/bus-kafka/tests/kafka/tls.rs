//! Encrypted connections: whom they trust, who they are, and what happens when files are replaced while the service runs.

use std::path::Path;
use std::time::Duration;

use esoz_bus_kafka::{
    BusError, KafkaConsumer, KafkaPublisher, KafkaSettings, PasswordMechanism, Sasl, ensure_topic,
};
use esoz_events::{EventPublisher as _, StatusChangeEvent, wire};
use esoz_kernel::SecretString;
use esoz_test_servers::{Authority, Issued, Proof, SecureKafka};
use esoz_testkit::{builders, wait::wait_for};
use esoz_tls::{CertificateFiles, ClientTls, SecretSource};

use crate::patient;
use crate::support::topic_name;

const DEADLINE: Duration = Duration::from_mins(1);

/// The names that a broker's certificate must have: where clients begin, and where the broker sends them.
const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

struct Place {
    authority: Authority,
    server: SecureKafka,
}

impl Place {
    fn new(proof: Proof) -> Self {
        Self::showing(proof, |authority| authority.issue(&NAMES).unwrap())
    }

    fn showing(proof: Proof, issue: impl FnOnce(&Authority) -> Issued) -> Self {
        let authority = Authority::new().unwrap();
        let server = SecureKafka::start(&authority, &issue(&authority), proof).unwrap();
        Self { authority, server }
    }

    /// As an operator would set it up: this authority.
    fn settings(&self) -> KafkaSettings {
        let root_certificate_file = Some(self.authority.root_file());
        patient(KafkaSettings {
            tls: Some(ClientTls { root_certificate_file, certificate: None }),
            ..KafkaSettings::new(format!("localhost:{}", self.server.port()), topic_name())
        })
    }

    fn by(&self, sasl: Sasl) -> KafkaSettings {
        KafkaSettings { sasl: Some(sasl), ..self.settings() }
    }
}

fn password(mechanism: PasswordMechanism, username: &str, password: SecretSource) -> Sasl {
    Sasl::Password { mechanism, username: username.to_owned(), password }
}

fn inline(secret: &str) -> SecretSource {
    SecretSource::Inline(SecretString::new(secret))
}

async fn refusal(settings: &KafkaSettings) -> String {
    // Some refusals end with the time.
    match KafkaPublisher::new(&KafkaSettings { request_timeout_ms: 2_000, ..settings.clone() }) {
        Ok(publisher) => publisher.ping().await.unwrap_err().to_string(),
        Err(error) => error.to_string(),
    }
}

async fn publish(publisher: &KafkaPublisher) -> StatusChangeEvent {
    let event = builders::event_of(builders::fresh());
    wait_for("the event to be published", DEADLINE, async || {
        publisher.publish(std::slice::from_ref(&event)).await.remove(0)
    })
    .await;
    event
}

/// Waits until this event was read. What was read before may come again: it is read at least once.
async fn read(consumer: &KafkaConsumer, event: &StatusChangeEvent) {
    let expected = wire::json(event);
    wait_for("the event", DEADLINE, async || {
        consumer.ready().await;
        let messages = consumer.read(10).map_err(|error| error.to_string())?;
        consumer.mark_processed();
        let is_there = messages.iter().any(|message| message.payload == expected.as_bytes());
        if is_there { Ok(()) } else { Err(format!("{} others are there", messages.len())) }
    })
    .await;
}

/// Makes the topic, publishes and reads.
async fn goes_both_ways(settings: &KafkaSettings) {
    ensure_topic(settings, 1, 1).await.unwrap();
    let publisher = KafkaPublisher::new(settings).unwrap();
    publisher.ping().await.unwrap();
    let event = publish(&publisher).await;
    let consumer = KafkaConsumer::subscribe(settings, &settings.topic).unwrap();
    read(&consumer, &event).await;
    consumer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_go_over_tls_to_a_server_of_the_authority_and_to_no_other() {
    let place = Place::new(Proof::Nothing);
    let settings = place.settings();
    goes_both_ways(&settings).await;

    let stranger = Authority::new().unwrap();
    let trusting = |authority: &Authority| KafkaSettings {
        tls: Some(ClientTls { root_certificate_file: Some(authority.root_file()), certificate: None }),
        ..settings.clone()
    };
    let told = refusal(&trusting(&stranger)).await;
    assert!(told.contains("certificate verify failed"), "{told}");
    let told = refusal(&KafkaSettings { tls: None, ..settings.clone() }).await;
    // Its connection is closed, and the library does not tell why.
    assert!(told.contains("Kafka is unavailable"), "{told}");

    place.server.change(&place.authority.issue_expired(&NAMES).unwrap(), Proof::Nothing).unwrap();
    let told = refusal(&settings).await;
    assert!(told.contains("certificate verify failed"), "{told}");
    place.server.change(&place.authority.issue(&["elsewhere.example"]).unwrap(), Proof::Nothing).unwrap();
    let told = refusal(&settings).await;
    assert!(told.contains("certificate verify failed"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_is_shown_where_it_is_asked_for() {
    let place = Place::new(Proof::Certificate);
    let (known, unknown) = (&place.authority, Authority::new().unwrap());
    let showing = |authority: &Authority| {
        let issued = authority.issue(&["esoz"]).unwrap();
        let certificate = Some(CertificateFiles::new(issued.certificate, issued.private_key));
        let root_certificate_file = Some(place.authority.root_file());
        KafkaSettings { tls: Some(ClientTls { root_certificate_file, certificate }), ..place.settings() }
    };
    goes_both_ways(&showing(known)).await;
    for settings in [place.settings(), showing(&unknown)] {
        let told = refusal(&settings).await;
        assert!(told.contains("Kafka is unavailable"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_proved_by_each_mechanism() {
    let secret = || String::from("correct horse");
    for (mechanism, proof) in [
        (PasswordMechanism::Plain, Proof::Plain(String::from("esoz"), secret())),
        (PasswordMechanism::ScramSha256, Proof::ScramSha256(secret())),
        (PasswordMechanism::ScramSha512, Proof::ScramSha512(secret())),
    ] {
        let place = Place::new(proof);
        goes_both_ways(&place.by(password(mechanism, "esoz", inline(&secret())))).await;
        let told = refusal(&place.by(password(mechanism, "esoz", inline("canary")))).await;
        assert!(told.contains("SASL authentication error") && !told.contains("canary"), "{told}");
        let told = refusal(&place.settings()).await;
        assert!(told.contains("Kafka is unavailable"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_what_its_file_holds_now() {
    let place = Place::new(Proof::Token(String::from("first")));
    let file = tempfile::NamedTempFile::new().unwrap();
    let settings = place.by(Sasl::Token(SecretSource::File(file.path().to_owned())));
    std::fs::write(&file, "canary\n").unwrap();
    let told = refusal(&settings).await;
    assert!(told.contains("SASL authentication error") && !told.contains("canary"), "{told}");

    std::fs::write(&file, "first\n").unwrap();
    let told = ensure_topic(&settings, 1, 1).await.unwrap_err();
    assert!(matches!(&told, BusError::Refused { reason, .. } if reason.contains("OAUTHBEARER")), "{told}");
    place.server.broker().create_topic(&settings.topic, 1).unwrap();
    goes_both_ways(&settings).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_replaced_is_used_by_both_without_a_restart() {
    let user = || String::from("esoz");
    let place = Place::new(Proof::Plain(user(), String::from("old")));
    let shown = place.authority.issue(&NAMES).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let write = |secret: &str| std::fs::write(Path::new(file.path()), secret).unwrap();
    write("old");
    let source = SecretSource::File(file.path().to_owned());
    let settings = place.by(password(PasswordMechanism::Plain, "esoz", source));
    ensure_topic(&settings, 1, 1).await.unwrap();
    let publisher = KafkaPublisher::new(&settings).unwrap();
    let consumer = KafkaConsumer::subscribe(&settings, &settings.topic).unwrap();
    read(&consumer, &publish(&publisher).await).await;

    write("new");
    place.server.change(&shown, Proof::Plain(user(), String::from("new"))).unwrap();
    read(&consumer, &publish(&publisher).await).await;
    publisher.ping().await.unwrap();

    // What cannot be read leaves what was.
    std::fs::write(&file, b"\xff").unwrap();
    read(&consumer, &publish(&publisher).await).await;
    consumer.close().await;
}
