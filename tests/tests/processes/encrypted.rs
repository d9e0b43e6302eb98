//! The whole program beside servers that take nothing but TLS with a certificate of the client; and how it tells of a way that is not safe.

use esoz_test_servers::{Authority, MongoDb, PostgresTls, Proof, SecureKafka};
use esoz_testkit::wait::wait_for;
use esoz_tests::process::{Process, esoz};
use esoz_tests::{Addresses, DEADLINE, Kind, Setup, StopFixture, TestStores, UpdateFixture};

use crate::{environment, with};

#[tokio::test(flavor = "multi_thread")]
async fn both_methods_are_carried_out_over_tls_alone() {
    let authority = Authority::new().unwrap();
    let shown = authority.issue(&["localhost"]).unwrap();
    let client = authority.issue(&["postgres"]).unwrap();
    let postgres = PostgresTls::start(&authority, &shown, "hostssl all all 127.0.0.1/32 cert").unwrap();
    let mongodb = MongoDb::start_tls(&authority, &shown).unwrap();
    let brokers = authority.issue(&["127.0.0.1"]).unwrap();
    let kafka = SecureKafka::start(&authority, &brokers, Proof::Certificate).unwrap();
    let database = postgres.server().create_database().unwrap();
    let mongodb_uri = format!(
        "mongodb://localhost:{}/?directConnection=true&tls=true&tlsCAFile={}&tlsCertificateKeyFile={}",
        mongodb.port(),
        authority.root_file().display(),
        client.both.display()
    );
    let url_file = tempfile::NamedTempFile::new().unwrap();
    let over_tcp = postgres.over_tcp(&database, "localhost", "postgres");
    std::fs::write(&url_file, format!("{over_tcp}?sslmode=verify-full\n")).unwrap();
    let path = |path: &std::path::Path| path.display().to_string();
    let variables = [
        ("ESOZ_POSTGRES__URL", String::new()),
        ("ESOZ_POSTGRES__URL_FILE", path(url_file.path())),
        ("ESOZ_POSTGRES__ROOT_CERTIFICATE_FILE", path(&authority.root_file())),
        ("ESOZ_POSTGRES__CLIENT_CERTIFICATE_FILE", path(&client.certificate)),
        ("ESOZ_POSTGRES__CLIENT_PRIVATE_KEY_FILE", path(&client.private_key)),
        ("ESOZ_KAFKA__TLS", "on".to_owned()),
        ("ESOZ_KAFKA__ROOT_CERTIFICATE_FILE", path(&authority.root_file())),
        ("ESOZ_KAFKA__CLIENT_CERTIFICATE_FILE", path(&client.certificate)),
        ("ESOZ_KAFKA__CLIENT_PRIVATE_KEY_FILE", path(&client.private_key)),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    let stores = TestStores::on(&Addresses {
        postgres: postgres.server().address(),
        postgres_url: &database,
        mongodb: &mongodb_uri,
        kafka: &format!("127.0.0.1:{}", kafka.port()),
        kafka_tls: Some((&authority, &client)),
        variables: &variables,
    })
    .await;
    let examined = esoz(&environment(&stores), &["doctor"]);
    let told = &examined.assert_success().stdout;
    assert!(
        ["PostgreSQL", "MongoDB", "Kafka"].iter().all(|server| told.contains(&format!("ok     {server}"))),
        "{told}"
    );
    assert!(!told.contains("UNSAFE"), "{told}");

    let (mut process, base) = Process::serve(&environment(&stores));
    wait_for("a ready server", DEADLINE, async || {
        let answer = reqwest::get(format!("{base}/health/ready")).await.map_err(|error| error.to_string())?;
        if answer.status() == 200 { Ok(()) } else { Err(answer.text().await.unwrap()) }
    })
    .await;
    process.terminate();
    assert_eq!(process.wait().code(), Some(0));

    let app = Setup::new(Kind::Servers).start_on(stores).await;
    let (stop, update) = (StopFixture::load(&app).await, UpdateFixture::load(&app).await);
    assert_eq!(stop.stop(&app).await.status, 200);
    assert_eq!(app.events_of(&stop.dispense).await.len(), 1);
    assert_eq!(update.update(&app).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_that_is_not_safe_is_told_by_doctor_log_and_metric() {
    let stores = TestStores::fresh(Kind::Servers).await;
    // It need not be there to be another machine.
    let variables = with(
        environment(&stores),
        "ESOZ_MONGODB__URI",
        "mongodb://mongo.invalid/?directConnection=true&tls=false",
    );
    let variables = with(variables, "ESOZ_METRICS__BIND", "127.0.0.1:0");
    let examined = esoz(&variables, &["doctor"]);
    assert!(
        examined.stdout.contains("UNSAFE MongoDB: tls=false: nothing is encrypted"),
        "{}",
        examined.stdout
    );
    let (server, _) = Process::serve(&variables);
    let line = server.wait_for_log("the connection to a server is not encrypted or not verified");
    assert!(line.contains("mongodb") && line.contains("without tls=false"), "{line}");
    let scraped = server.scrape().await;
    for line in [
        "esoz_transport_verified{component=\"mongodb\"} 0",
        "esoz_transport_verified{component=\"postgresql\"} 1",
        "esoz_transport_verified{component=\"kafka\"} 1",
    ] {
        assert!(scraped.contains(line), "{line} is not in\n{scraped}");
    }
}
