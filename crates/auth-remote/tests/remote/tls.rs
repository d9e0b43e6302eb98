//! TLS: who is trusted.

use std::{path::PathBuf, sync::Arc};

use esoz_auth_remote::{EsozTokens, RemoteServer};
use esoz_kernel::StoreErrorKind;
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio_rustls::TlsAcceptor;

use crate::support::{Reply, TestServer, failure, is_refused};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/remote/fixtures").join(name)
}

async fn server() -> TestServer {
    let certificate = CertificateDer::from_pem_file(fixture("test-only-server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(fixture("test-only-server-key.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    TestServer::start_with(Reply::Json(404, String::new()), Some(TlsAcceptor::from(Arc::new(config)))).await
}

fn at(host: &str, server: &TestServer, authority: Option<&str>) -> EsozTokens {
    let settings = RemoteServer {
        root_certificate_file: authority.map(fixture),
        ..RemoteServer::new(format!("https://{host}:{}", server.port()))
    };
    EsozTokens::try_new(&settings).unwrap()
}

#[tokio::test]
async fn a_server_whose_authority_is_configured_is_trusted() {
    let server = server().await;
    assert!(is_refused(&at("localhost", &server, Some("test-only-authority.pem")), "a-token").await);
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_learns_no_token() {
    let server = server().await;
    assert_eq!(failure(&at("localhost", &server, None), "a-token").await, StoreErrorKind::Unavailable);
    // Vouched for, but as another host.
    let other_name = at("127.0.0.2", &server, Some("test-only-authority.pem"));
    assert_eq!(failure(&other_name, "a-token").await, StoreErrorKind::Unavailable);
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn plain_http_is_not_taken_for_https() {
    let server = TestServer::start(Reply::Json(404, String::new())).await;
    assert_eq!(failure(&at("127.0.0.1", &server, None), "a-token").await, StoreErrorKind::Unavailable);
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_file_without_certificates_is_refused_at_the_start() {
    for name in ["no-such-file.pem", "test-only-server-key.pem", "signatures.json"] {
        let settings = RemoteServer {
            root_certificate_file: Some(fixture(name)),
            ..RemoteServer::new("https://issuer.example/")
        };
        assert_eq!(
            EsozTokens::try_new(&settings).err().unwrap().setting(),
            "root_certificate_file",
            "{name}"
        );
    }
}
