//! A server with TLS, and clients that trust its certificate.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use esoz_testkit::wait::wait_for;
use esoz_tests::process::Process;
use esoz_tests::{DEADLINE, Kind, TestStores};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::HOST;
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion};
use serde_json::Value;
use tempfile::TempDir;
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
    pub(crate) address: SocketAddr,
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) folder: TempDir,
    _stores: TestStores,
}

impl Server {
    pub(crate) async fn start(made: &Made) -> Self {
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

    pub(crate) async fn connect(&self, trusted: &Made) -> Result<Connection> {
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
pub(crate) async fn connect(
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
    pub(crate) version: ProtocolVersion,
}

impl Connection {
    pub(crate) async fn open(
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

    pub(crate) async fn get(&mut self, path: &str) -> (HeaderMap, Value) {
        self.sender.ready().await.unwrap();
        let request = Request::get(path).header(HOST, "localhost").body(Empty::new()).unwrap();
        let answer = self.sender.send_request(request).await.unwrap();
        let (head, body) = answer.into_parts();
        (head.headers, serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap())
    }

    pub(crate) async fn assert_alive(&mut self) {
        let (_, body) = self.get("/health/live").await;
        assert_eq!(body["data"]["live"], true, "{body}");
    }
}
