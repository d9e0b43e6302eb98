//! Encrypted connections: whom they trust, who they are, and what happens when files are replaced while the service runs.

use esoz_kernel::{SecretString, StoreErrorKind};
use esoz_legal_entity::LegalEntities as _;
use esoz_store_postgres::{PostgresSettings, PostgresStore, migrate};
use esoz_test_servers::{Authority, Durability, Issued, Postgres, PostgresTls};
use esoz_testkit::wait::wait_for;
use esoz_tls::{CertificateFiles, ClientTls, SecretSource, Transport};

use crate::support::{DEADLINE, applied, end_sessions, fixture, patient, update};

/// TLS alone comes in, and without a password.
const TLS_ALONE: &str = "hostssl all all 127.0.0.1/32 trust";

/// A server for `localhost`, and an empty database on it.
struct Place {
    authority: Authority,
    server: PostgresTls,
    database: String,
}

impl Place {
    fn new(hba: &str) -> Self {
        Self::showing(hba, |authority| authority.issue(&["localhost"]).unwrap())
    }

    fn showing(hba: &str, issue: impl FnOnce(&Authority) -> Issued) -> Self {
        let authority = Authority::new().unwrap();
        let server = PostgresTls::start(&authority, &issue(&authority), hba).unwrap();
        let database = server.server().create_database().unwrap();
        Self { authority, server, database }
    }

    fn url(&self, host: &str, mode: &str) -> String {
        format!("{}?sslmode={mode}", self.server.over_tcp(&self.database, host, "postgres"))
    }

    /// As an operator would set it up: this authority, verify-full.
    fn settings(&self) -> PostgresSettings {
        trusting(Some(&self.authority), &self.url("localhost", "verify-full"))
    }

    fn admin(&self, sql: &str) -> String {
        self.server.server().address().query_in(&self.database, sql).unwrap()
    }
}

fn trusting(authority: Option<&Authority>, url: &str) -> PostgresSettings {
    let root_certificate_file = authority.map(Authority::root_file);
    PostgresSettings { tls: ClientTls { root_certificate_file, certificate: None }, ..patient(url) }
}

/// Migrates, to have the role of the service, and asks over a connection of the service.
async fn answers(settings: &PostgresSettings) -> Result<(), String> {
    migrate(settings).await.map_err(|error| error.with_causes())?;
    PostgresStore::connect(settings).unwrap().ping().await.map_err(|error| error.with_causes())
}

async fn refusal(settings: &PostgresSettings) -> String {
    let error = migrate(settings).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{}", error.with_causes());
    error.with_causes()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mode_checks_what_it_says_and_no_more() {
    let place = Place::new(TLS_ALONE);
    let stranger = Authority::new().unwrap();
    let (own, other) = (Some(&place.authority), Some(&stranger));
    let wrong_authority = "UnknownIssuer";
    let wrong_host = "not valid for name";
    let refused_plain = "no encryption";
    for (mode, authority, host, expected) in [
        ("verify-full", own, "localhost", None),
        ("verify-full", own, "127.0.0.1", Some(wrong_host)),
        ("verify-full", other, "localhost", Some(wrong_authority)),
        ("verify-full", None, "localhost", Some(wrong_authority)),
        ("verify-ca", own, "127.0.0.1", None),
        ("verify-ca", other, "localhost", Some(wrong_authority)),
        ("require", None, "127.0.0.1", None),
        // As libpq: an authority that is named is asked.
        ("require", own, "127.0.0.1", None),
        ("require", other, "localhost", Some(wrong_authority)),
        ("prefer", None, "127.0.0.1", None),
        ("disable", None, "127.0.0.1", Some(refused_plain)),
    ] {
        let settings = trusting(authority, &place.url(host, mode));
        let case = format!("{mode} at {host}");
        match expected {
            None => answers(&settings).await.unwrap_or_else(|error| panic!("{case}: {error}")),
            Some(expected) => {
                let refused = migrate(&settings).await.unwrap_err().with_causes();
                assert!(refused.contains(expected), "{case}: {refused}");
            }
        }
    }
    let refused = refusal(&trusting(other, &place.url("localhost", "verify-full"))).await;
    assert!(refused.contains("root_certificate_file must hold the authority"), "{refused}");
    // Without a mode: this machine may be reached in the clear, but a file with authorities is there to be used.
    let url = place.server.over_tcp(&place.database, "127.0.0.1", "postgres");
    answers(&patient(&url)).await.unwrap();
    assert!(refusal(&trusting(own, &url)).await.contains(wrong_host));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_expired_is_refused() {
    let place = Place::showing(TLS_ALONE, |authority| authority.issue_expired(&["localhost"]).unwrap());
    assert!(refusal(&place.settings()).await.contains("expired"));
    for mode in ["verify-ca", "require"] {
        let settings = trusting(Some(&place.authority), &place.url("localhost", mode));
        assert!(refusal(&settings).await.contains("expired"), "{mode}");
    }
    answers(&trusting(None, &place.url("localhost", "require"))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_is_not_spoken_to_in_the_clear() {
    let server = Postgres::start(Durability::Off).unwrap();
    let url = server.create_database().unwrap();
    let with = |mode: &str| PostgresSettings::new(format!("{url}?sslmode={mode}"));
    for mode in ["require", "verify-ca", "verify-full"] {
        let refused = refusal(&with(mode)).await;
        assert!(
            refused.contains("the server offers no TLS") && refused.contains("sslmode=disable"),
            "{refused}"
        );
    }
    for mode in ["prefer", "disable"] {
        answers(&with(mode)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_over_tls_is_stored_and_lost_connections_are_noticed() {
    let place = Place::new(TLS_ALONE);
    migrate(&place.settings()).await.unwrap();
    let store = PostgresStore::connect(&place.settings()).unwrap();
    let fixture = fixture(&store).await;
    applied(update(fixture.record.id, &fixture.to).apply(&store).await.unwrap());
    let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'esoz'";
    assert_eq!(place.admin(encrypted), "t");
    // The messages are read beneath TLS, so that a lost connection costs no call, and an error keeps its SQLSTATE.
    assert_eq!(place.admin(&end_sessions("application_name = 'esoz'")), "t");
    store.ping().await.unwrap();
    place.admin("DROP TABLE legal_entities CASCADE");
    let error = store.find(fixture.legal_entity).await.unwrap_err().with_causes();
    assert!(error.contains("SQLSTATE 42P01"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_asks_for_a_certificate_of_the_client() {
    let place = Place::new("hostssl all all 127.0.0.1/32 cert");
    assert!(refusal_of_login(&place.settings()).await.contains("certificate"));
    let with = |issued: &Issued| PostgresSettings {
        tls: ClientTls {
            root_certificate_file: Some(place.authority.root_file()),
            certificate: Some(CertificateFiles::new(&issued.certificate, &issued.private_key)),
        },
        ..place.settings()
    };
    answers(&with(&place.authority.issue(&["postgres"]).unwrap())).await.unwrap();
    let somebody = place.authority.issue(&["somebody"]).unwrap();
    assert!(refusal_of_login(&with(&somebody)).await.contains("authentication failed"));
    let stranger = Authority::new().unwrap();
    assert!(!refusal_of_login(&with(&stranger.issue(&["postgres"]).unwrap())).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_bound_to_the_certificate_that_the_server_showed() {
    let place = Place::new("hostssl all all 127.0.0.1/32 scram-sha-256");
    place
        .admin("SET password_encryption = 'scram-sha-256'; CREATE ROLE app LOGIN SUPERUSER PASSWORD 'first'");
    let url = |password: &str| {
        let login = format!("app:{password}");
        format!(
            "{}?sslmode=verify-full&channel_binding=require",
            place.server.over_tcp(&place.database, "localhost", &login)
        )
    };
    answers(&trusting(Some(&place.authority), &url("first"))).await.unwrap();
    let refused = refusal_of_login(&trusting(Some(&place.authority), &url("canary"))).await;
    assert!(refused.contains("password authentication failed") && !refused.contains("canary"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_and_certificates_are_replaced_while_the_service_runs() {
    let place = Place::new("hostssl all all 127.0.0.1/32 scram-sha-256");
    place
        .admin("SET password_encryption = 'scram-sha-256'; CREATE ROLE app LOGIN SUPERUSER PASSWORD 'first'");
    let folder = tempfile::tempdir().unwrap();
    let (url_file, root_file) = (folder.path().join("url"), folder.path().join("roots.pem"));
    let write_url = |password: &str| {
        let url = place.server.over_tcp(&place.database, "localhost", &format!("app:{password}"));
        std::fs::write(&url_file, format!("{url}?sslmode=verify-full\n")).unwrap();
    };
    write_url("first");
    std::fs::copy(place.authority.root_file(), &root_file).unwrap();
    let settings = PostgresSettings {
        url: SecretSource::File(url_file.clone()),
        tls: ClientTls { root_certificate_file: Some(root_file.clone()), certificate: None },
        ..patient("")
    };
    migrate(&settings).await.unwrap();
    let store = PostgresStore::connect(&settings).unwrap();
    store.ping().await.unwrap();
    assert_eq!(store.transport().unwrap(), Transport::Local);
    let cut = || place.admin(&end_sessions("usename = 'app'"));

    // Another password: open connections stay, new ones use it.
    place.admin("SET password_encryption = 'scram-sha-256'; ALTER ROLE app PASSWORD 'second'");
    write_url("second");
    store.ping().await.unwrap();
    cut();
    store.ping().await.unwrap();

    // Another authority, and a certificate of it.
    let other = Authority::new().unwrap();
    place.server.show(&other.issue(&["localhost"]).unwrap()).unwrap();
    wait_for("the other certificate", DEADLINE, async || {
        cut();
        let refused =
            store.ping().await.map_or_else(|error| error.with_causes(), |()| String::from("it is believed"));
        if refused.contains("UnknownIssuer") { Ok(()) } else { Err(refused) }
    })
    .await;
    std::fs::copy(other.root_file(), &root_file).unwrap();
    store.ping().await.unwrap();

    // What cannot be used leaves what was used before.
    std::fs::write(&root_file, "no certificate").unwrap();
    std::fs::remove_file(&url_file).unwrap();
    cut();
    store.ping().await.unwrap();
}

/// The server speaks TLS and lets nobody in: an error of the login, not of the way to it.
async fn refusal_of_login(settings: &PostgresSettings) -> String {
    migrate(settings).await.unwrap_err().with_causes()
}

#[test]
fn the_password_is_in_no_debug_text() {
    let settings = PostgresSettings {
        url: SecretSource::Inline(SecretString::new("postgres://me:canary@db.example/esoz")),
        ..PostgresSettings::new("")
    };
    assert!(!format!("{settings:?}").contains("canary"));
}
