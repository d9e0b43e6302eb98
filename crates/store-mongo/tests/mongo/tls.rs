//! Encrypted connections to a MongoDB that takes no others.

use std::path::PathBuf;

use esoz_store_mongo::{MongoSettings, MongoStore};
use esoz_test_servers::{Authority, MongoDb};
use esoz_tls::Transport;

/// A server for `localhost` that asks for a certificate of its authority.
struct Place {
    authority: Authority,
    server: MongoDb,
}

impl Place {
    fn new() -> Self {
        let authority = Authority::new().unwrap();
        let shown = authority.issue(&["localhost"]).unwrap();
        let server = MongoDb::start_tls(&authority, &shown).unwrap();
        Self { authority, server }
    }

    fn uri(&self, host: &str) -> String {
        format!("mongodb://{host}:{}/?directConnection=true", self.server.port())
    }

    fn settings(&self, host: &str, roots: &Authority, client: Option<PathBuf>) -> MongoSettings {
        MongoSettings {
            root_certificate_file: Some(roots.root_file()),
            client_certificate_file: client,
            connect_timeout_ms: 10_000,
            ..MongoSettings::new(self.uri(host), "esoz")
        }
    }

    fn client(&self) -> PathBuf {
        self.authority.issue(&["client"]).unwrap().both
    }
}

async fn ping(settings: &MongoSettings) -> Result<(), String> {
    let store = MongoStore::connect(settings).await.map_err(|error| error.with_causes())?;
    assert_eq!(store.transport(), Transport::Local);
    store.ping().await.map_err(|error| error.with_causes())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_and_the_client_prove_who_they_are() {
    let place = Place::new();
    let stranger = Authority::new().unwrap();
    ping(&place.settings("localhost", &place.authority, Some(place.client()))).await.unwrap();

    let of_stranger = Some(stranger.issue(&["client"]).unwrap().both);
    for (what, settings) in [
        ("another authority", place.settings("localhost", &stranger, Some(place.client()))),
        ("another host", place.settings("127.0.0.1", &place.authority, Some(place.client()))),
        ("no certificate", place.settings("localhost", &place.authority, None)),
        ("a stranger's certificate", place.settings("localhost", &place.authority, of_stranger)),
        ("no TLS", MongoSettings::new(place.uri("localhost"), "esoz")),
    ] {
        assert!(ping(&settings).await.is_err(), "{what}");
    }
    // The connection string can name the files as well.
    let (roots, client) = (place.authority.root_file(), place.client().display().to_string());
    let uri = format!(
        "{}&tls=true&tlsCAFile={}&tlsCertificateKeyFile={client}",
        place.uri("localhost"),
        roots.display()
    );
    ping(&MongoSettings::new(uri, "esoz")).await.unwrap();
}
