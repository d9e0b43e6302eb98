//! TLS to the bucket: who is trusted.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use esoz_kernel::StoreErrorKind;
use esoz_media_storage::{MediaStore, S3Settings};
use esoz_signed_content::MediaStorage as _;
use esoz_test_servers::{Authority, Issued, S3Bucket};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::{key, settings_at};

/// Takes TLS connections and hands on what is in them to the bucket, until the test's runtime ends.
async fn over_tls(bucket: SocketAddr, issued: &Issued) -> SocketAddr {
    let certificate = CertificateDer::from_pem_file(&issued.certificate).unwrap();
    let private_key = PrivateKeyDer::from_pem_file(&issued.private_key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], private_key)
        .unwrap();
    let (acceptor, listener) =
        (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            // A client that does not trust the server goes away.
            let Ok(mut client) = acceptor.accept(client).await else { continue };
            let mut server = TcpStream::connect(bucket).await.unwrap();
            tokio::spawn(async move { drop(tokio::io::copy_bidirectional(&mut client, &mut server).await) });
        }
    });
    address
}

fn storage(bucket: &S3Bucket, endpoint: SocketAddr, roots: Option<PathBuf>) -> MediaStore {
    let settings = settings_at(bucket, format!("https://localhost:{}", endpoint.port()));
    MediaStore::s3(&S3Settings { root_certificate_file: roots, ..settings }).unwrap()
}

#[tokio::test]
async fn a_storage_whose_authority_is_named_is_trusted_and_no_other() {
    let authority = Authority::new().unwrap();
    let issued = authority.issue(&["localhost"]).unwrap();
    let bucket = S3Bucket::start().unwrap();
    let endpoint = over_tls(bucket.address(), &issued).await;

    let trusting = storage(&bucket, endpoint, Some(authority.root_file()));
    trusting.put(&key(1), b"stored").await.unwrap();
    assert_eq!(trusting.get(&key(1)).await.unwrap().unwrap(), b"stored");

    let before = bucket.requests();
    let stranger = Authority::new().unwrap();
    for roots in [None, Some(stranger.root_file())] {
        let error = storage(&bucket, endpoint, roots).put(&key(2), b"stored").await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{}", error.with_causes());
    }
    assert_eq!(bucket.requests(), before, "whom nobody vouches for is sent nothing");
}
