//! TLS as a client sees it: what is spoken, which certificate is shown, and what becomes of it when the files change.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use anyhow::Result;
use esoz_kernel::Clock as _;
use esoz_kernel::system::SystemClock;
use esoz_testkit::wait::wait_for;
use esoz_tests::process::{Process, esoz};
use esoz_tests::{DEADLINE, Kind, TestStores};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::HOST;
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion};
use serde_json::Value;
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::{environment, with};

pub(crate) type Made = CertifiedKey<KeyPair>;

pub(crate) fn made() -> Made {
    generate_simple_self_signed(["localhost".to_owned()]).unwrap()
}

/// A server with TLS, and the files that it takes its certificate from.
pub(crate) struct Server {
    pub(crate) process: Process,
    address: SocketAddr,
    variables: Vec<(String, String)>,
    pub(crate) folder: TempDir,
    _stores: TestStores,
}

impl Server {
    async fn start(made: &Made) -> Self {
        Self::start_with(made, &[]).await
    }

    pub(crate) async fn start_with(made: &Made, more: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let stores = TestStores::fresh(Kind::Sqlite).await;
        let mut variables = environment(&stores);
        for (key, file) in [("CERTIFICATE_FILE", "certificate.pem"), ("PRIVATE_KEY_FILE", "key.pem")] {
            let path = folder.path().join(file);
            variables = with(variables, &format!("ESOZ_TLS__{key}"), path.to_str().unwrap());
        }
        variables = with(variables, "ESOZ_TLS__RELOAD_MS", "100");
        for (name, value) in more {
            variables = with(variables, name, value);
        }
        write(&folder, &made.cert.pem(), &made.signing_key.serialize_pem());
        let (process, base) = Process::serve(&variables);
        let address = base.strip_prefix("https://").unwrap().parse().unwrap();
        Self { process, address, variables, folder, _stores: stores }
    }

    async fn connect(&self, trusted: &Made) -> Result<Connection> {
        Connection::open(self.address, trusted, &[&TLS12, &TLS13]).await
    }

    /// A connection on which nothing is said yet.
    pub(crate) async fn stream(&self, trusted: &Made) -> TlsStream<tokio::net::TcpStream> {
        connect(self.address, trusted, &[&TLS13]).await.unwrap()
    }

    /// Waits until new connections are shown that certificate.
    pub(crate) async fn until_shown(&self, made: &Made) -> Connection {
        wait_for("the new certificate", DEADLINE, async || {
            self.connect(made).await.map_err(|error| format!("{error:#}"))
        })
        .await
    }
}

pub(crate) fn write(folder: &TempDir, certificate: &str, key: &str) {
    for (file, text) in [("certificate.pem", certificate), ("key.pem", key)] {
        // Replaced in one step, as certificates should be.
        let fresh = folder.path().join("fresh");
        std::fs::write(&fresh, text).unwrap();
        std::fs::rename(&fresh, folder.path().join(file)).unwrap();
    }
}

/// A connection by TLS, on which nothing is said yet.
async fn connect(
    address: SocketAddr,
    trusted: &Made,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<TlsStream<tokio::net::TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.cert.der().clone())?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = tokio::net::TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost")?;
    Ok(TlsConnector::from(Arc::new(config)).connect(name, stream).await?)
}

/// One connection by TLS, on which one request follows the other.
pub(crate) struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    version: ProtocolVersion,
}

impl Connection {
    async fn open(
        address: SocketAddr,
        trusted: &Made,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Result<Self> {
        let stream = connect(address, trusted, versions).await?;
        let version = stream.get_ref().1.protocol_version().unwrap();
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender, version })
    }

    async fn get(&mut self, path: &str) -> (HeaderMap, Value) {
        self.sender.ready().await.unwrap();
        let request = Request::get(path).header(HOST, "localhost").body(Empty::new()).unwrap();
        let answer = self.sender.send_request(request).await.unwrap();
        let (head, body) = answer.into_parts();
        (head.headers, serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap())
    }

    async fn assert_alive(&mut self) {
        let (_, body) = self.get("/health/live").await;
        assert_eq!(body["data"]["live"], true, "{body}");
    }
}

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
    assert!(server.connect(&self::made()).await.is_err());
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
