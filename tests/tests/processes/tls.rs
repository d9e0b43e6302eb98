//! TLS as a client sees it: what is spoken, which certificate is shown, and what becomes of it when the files change.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use esoz_kernel::Clock as _;
use esoz_kernel::system::SystemClock;
use esoz_tests::process::esoz;
use esoz_tests::{DEADLINE, Kind, TestStores};
use rcgen::{CertificateParams, KeyPair};
use rustls::ProtocolVersion;
use rustls::version::{TLS12, TLS13};
use time::{Duration, OffsetDateTime};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::tls_server::{Connection, Made, Server, connect, made, write};
use crate::{environment, with};

#[tokio::test(flavor = "multi_thread")]
async fn tls_1_2_and_1_3_are_spoken() {
    let made = made();
    let server = Server::start(&made).await;
    for (version, expected) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        let mut connection = Connection::open(server.address, &made, &[version]).await.unwrap();
        assert_eq!(connection.version, expected);
        let (headers, body) = connection.get("/health/live").await;
        assert_eq!(headers["strict-transport-security"], "max-age=31536000");
        assert_eq!(body["meta"]["url"], "https://localhost/health/live");
        let (headers, body) = connection.get("/nothing").await;
        assert_eq!(headers["strict-transport-security"], "max-age=31536000");
        assert_eq!(body["error"]["type"], "not_found");
    }
    // Whoever trusts another certificate is not connected.
    assert!(server.connect(&crate::tls_server::made()).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_shown_to_new_connections_and_old_ones_live_on() {
    let (old, new) = (made(), made());
    let server = Server::start(&old).await;
    let mut before = server.connect(&old).await.unwrap();
    before.assert_alive().await;
    write(&server.folder, &new.cert.pem(), &new.signing_key.serialize_pem());
    server.until_shown(&new).await.assert_alive().await;
    assert!(server.connect(&old).await.is_err());
    before.assert_alive().await;
    server.process.wait_for_log("the TLS certificate was reloaded; new connections use the new one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_that_cannot_be_used_leaves_the_old_one_in_force() {
    let (old, new) = (made(), made());
    let server = Server::start(&old).await;
    write(&server.folder, &new.cert.pem(), &old.signing_key.serialize_pem());
    let line = server.process.wait_for_log("the TLS certificate was not reloaded; the old one stays in use");
    assert!(
        line.contains("is not that of the first certificate in") && line.contains("tls.private_key_file"),
        "{line}"
    );
    server.connect(&old).await.unwrap().assert_alive().await;
    // It is told once. `doctor` tells it too, and the server is not ill of it.
    let doctor = esoz(&server.variables, &["doctor"]);
    assert!(
        !doctor.status.success() && doctor.stdout.contains("WRONG  TLS certificate"),
        "{}",
        doctor.stdout
    );
    write(&server.folder, &new.cert.pem(), &new.signing_key.serialize_pem());
    server.until_shown(&new).await.assert_alive().await;
    let told = server.process.stderr().iter().filter(|line| line.contains("stays in use")).count();
    assert_eq!(told, 1);
    assert!(esoz(&server.variables, &["doctor"]).stdout.contains("ok     TLS certificate"));
}

/// A pair that is valid between these days from now.
fn valid_between(from: i64, until: i64) -> Made {
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let now = OffsetDateTime::from_unix_timestamp(SystemClock.now().as_second()).unwrap();
    (params.not_before, params.not_after) = (now + Duration::days(from), now + Duration::days(until));
    let signing_key = KeyPair::generate().unwrap();
    Made { cert: params.self_signed(&signing_key).unwrap(), signing_key }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_certificate_is_not_shown_while_the_old_one_is_valid_and_is_told() {
    let (old, expired) = (valid_between(-1, 13), valid_between(-2, -1));
    let server = Server::start_with(&old, &[("ESOZ_METRICS__BIND", "127.0.0.1:0")]).await;
    server.process.wait_for_log("the TLS certificate is valid for less than 14 days");
    let doctor = esoz(&server.variables, &["doctor"]);
    assert!(
        doctor.stdout.contains("UNSAFE TLS certificate: the certificate expires at "),
        "{}",
        doctor.stdout
    );
    let line = server.process.wait_for_log("metrics are at http://");
    let metrics = line.split('"').find(|text| text.starts_with("metrics are at ")).unwrap();
    let metrics = reqwest::get(metrics.trim_start_matches("metrics are at ")).await.unwrap();
    let metrics = metrics.text().await.unwrap();
    let left = metrics
        .lines()
        .find_map(|line| line.strip_prefix(r#"esoz_certificate_expires_seconds{component="tls"} "#));
    let left: f64 = left.unwrap().parse().unwrap();
    assert!((12.9 * 86_400.0..13.0 * 86_400.0).contains(&left), "{left}");

    write(&server.folder, &expired.cert.pem(), &expired.signing_key.serialize_pem());
    let line = server.process.wait_for_log("the TLS certificate was not reloaded; the old one stays in use");
    assert!(line.contains("the certificate expired at "), "{line}");
    server.connect(&old).await.unwrap().assert_alive().await;
    let doctor = esoz(&server.variables, &["doctor"]);
    assert!(
        !doctor.status.success()
            && doctor.stdout.contains("WRONG  TLS certificate: the certificate expired at "),
        "{}",
        doctor.stdout
    );
}

/// Sends that as it is.
fn say(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

/// The first words of a client that speaks nothing newer than TLS 1.`minor - 1`.
fn hello(minor: u8) -> Vec<u8> {
    let mut hello = vec![3, minor];
    // Random; no session; ECDHE with ECDSA and AES-128-GCM; no compression.
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xc0, 0x2b, 1, 0]);
    // The groups x25519 and P-256, plain points, signatures with P-256 and SHA-256, the extended master secret.
    hello.extend([0, 28]);
    hello.extend([0, 10, 0, 6, 0, 4, 0, 29, 0, 23, 0, 11, 0, 2, 1, 0, 0, 13, 0, 4, 0, 2, 4, 3, 0, 23, 0, 0]);
    let length = u8::try_from(hello.len()).unwrap();
    let mut record = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.extend(hello);
    record
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_speaks_something_else_is_refused_and_harms_nobody() {
    let made = made();
    let server = Server::start(&made).await;
    let mut answer = Vec::new();
    let plain =
        say(server.address, b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n").read_to_end(&mut answer);
    // However it is closed, it is closed; at most after an alert of TLS.
    assert!(plain.is_ok() || plain.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
    assert!(answer.first().is_none_or(|kind| *kind == 21), "{answer:?}");

    let mut record = [0; 7];
    say(server.address, &hello(2)).read_exact(&mut record).unwrap();
    assert_eq!(
        (record[0], &record[5..]),
        (21, &[2, 70][..]),
        "a fatal alert: protocol_version, not {record:?}"
    );
    // The same of a client that speaks TLS 1.2 is answered by the server's hello.
    say(server.address, &hello(3)).read_exact(&mut record).unwrap();
    assert_eq!((record[0], record[5]), (22, 2), "{record:?}");
    server.connect(&made).await.unwrap().assert_alive().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_request_after_a_whole_one_keeps_no_connection() {
    let made = made();
    let quick = ["HEAD_TIMEOUT", "KEEP_ALIVE", "BODY_TIMEOUT"].map(|key| format!("ESOZ_HTTP__{key}_MS"));
    let server = Server::start_with(&made, &quick.each_ref().map(|key| (key.as_str(), "1000"))).await;
    let mut stream = connect(server.address, &made, &[&TLS13]).await.unwrap();
    stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"}}") {
        assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "{}", String::from_utf8_lossy(&answer));
    }
    stream.write_all(b"G").await.unwrap();
    // However it is closed, it is closed.
    let _ = tokio::time::timeout(DEADLINE, stream.read_buf(&mut answer)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_health_command_asks_its_own_server_by_tls() {
    let server = Server::start(&made()).await;
    let variables = with(server.variables.clone(), "ESOZ_HTTP__BIND", &server.address.to_string());
    assert!(esoz(&variables, &["health", "--live"]).assert_success().stdout.contains("\"live\":true"));
    // Also when the files are of another pair than the server shows, or of none.
    write(&server.folder, "", "");
    esoz(&variables, &["health", "--live"]).assert_success();
    // A server elsewhere must be vouched for.
    let url = format!("https://localhost:{}", server.address.port());
    esoz(&variables, &["health", "--live", "--url", &url]).assert_failure("invalid peer certificate");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_pair_to_begin_with_no_server_starts() {
    let folder = tempfile::tempdir().unwrap();
    let stores = TestStores::fresh(Kind::Sqlite).await;
    let path = |file: &str| folder.path().join(file).to_str().unwrap().to_owned();
    let half = with(environment(&stores), "ESOZ_TLS__CERTIFICATE_FILE", &path("certificate.pem"));
    esoz(&half, &["config", "check"]).assert_failure("`tls.private_key_file` is not set");
    let whole = with(half, "ESOZ_TLS__PRIVATE_KEY_FILE", &path("key.pem"));
    let (one, other) = (made(), made());
    write(&folder, &one.cert.pem(), &other.signing_key.serialize_pem());
    for command in [&["config", "check"][..], &["serve"]] {
        esoz(&whole, command).assert_failure("is not that of the first certificate in");
    }
    write(&folder, &one.cert.pem(), &one.signing_key.serialize_pem());
    esoz(&whole, &["config", "check"]).assert_success();
}
