//! A broker that is reached by TLS, and asks its clients who they are.

use std::{io, net::SocketAddr, sync::Arc, thread::JoinHandle};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::{oneshot, watch},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{
    certificates::{Authority, Issued},
    error::ServerError,
    kafka::Kafka,
    kafka_sasl::{Secret, Stranger},
    port::ReservedPort,
};

/// How clients prove who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// Not at all.
    Nothing,
    /// By a certificate of the authority.
    Certificate,
    /// By this user and password (`PLAIN`).
    Plain(String, String),
    /// By this token (`OAUTHBEARER`).
    Token(String),
    /// By this password, whoever it is of (`SCRAM-SHA-256`).
    ScramSha256(String),
    /// By this password, whoever it is of (`SCRAM-SHA-512`).
    ScramSha512(String),
}

/// What connections meet.
struct Terms {
    acceptor: TlsAcceptor,
    proof: Proof,
}

/// A broker behind a door of the test's own: the door speaks TLS, and checks what the broker cannot. Both end when this is dropped.
pub struct SecureKafka {
    broker: Kafka,
    authority_roots: Arc<RootCertStore>,
    terms: watch::Sender<Arc<Terms>>,
    port: ReservedPort,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl SecureKafka {
    /// Starts a broker that shows this certificate. Its clients come to `127.0.0.1` in the end, so the certificate should name that as well.
    pub fn start(authority: &Authority, shown: &Issued, proof: Proof) -> Result<Self, ServerError> {
        let port = ReservedPort::new()?;
        let broker = Kafka::start_behind(port.number())?;
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_file(authority.root_file()).map_err(unusable)?;
        roots.add(root).map_err(unusable)?;
        let authority_roots = Arc::new(roots);
        let terms = Terms { acceptor: acceptor(&authority_roots, shown, &proof)?, proof };
        let (terms, seen) = watch::channel(Arc::new(terms));
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(unusable)?;
        let (address, target) = (port.address(), SocketAddr::from(([127, 0, 0, 1], broker.port())));
        // Bound here, so that it listens when this returns.
        let listener = std::net::TcpListener::bind(address).map_err(unusable)?;
        listener.set_nonblocking(true).map_err(unusable)?;
        let thread = std::thread::Builder::new()
            .name(String::from("test-kafka-door"))
            .spawn(move || {
                runtime.block_on(async {
                    let listener = TcpListener::from_std(listener)?;
                    tokio::select! {
                        served = serve(&listener, &seen, target) => served,
                        _ = stopped => Ok(()),
                    }
                })
            })
            .map_err(unusable)?;
        Ok(Self { broker, authority_roots, terms, port, stop: Some(stop), thread: Some(thread) })
    }

    /// The TCP port for clients.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The broker behind the door. It takes connections in the clear, but tells clients to come to the door.
    pub fn broker(&self) -> &Kafka {
        &self.broker
    }

    /// Closes all connections, shows another certificate to new ones, and asks them for another proof.
    pub fn change(&self, shown: &Issued, proof: Proof) -> Result<(), ServerError> {
        let acceptor = acceptor(&self.authority_roots, shown, &proof)?;
        self.terms.send_replace(Arc::new(Terms { acceptor, proof }));
        Ok(())
    }
}

impl Drop for SecureKafka {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn acceptor(roots: &Arc<RootCertStore>, shown: &Issued, proof: &Proof) -> Result<TlsAcceptor, ServerError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?;
    let builder = if *proof == Proof::Certificate {
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), provider).build();
        builder.with_client_cert_verifier(verifier.map_err(unusable)?)
    } else {
        builder.with_no_client_auth()
    };
    let chain = vec![CertificateDer::from_pem_file(&shown.certificate).map_err(unusable)?];
    let key = PrivateKeyDer::from_pem_file(&shown.private_key).map_err(unusable)?;
    let config = builder.with_single_cert(chain, key).map_err(unusable)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn serve(
    listener: &TcpListener,
    terms: &watch::Receiver<Arc<Terms>>,
    target: SocketAddr,
) -> io::Result<()> {
    loop {
        let (client, _) = listener.accept().await?;
        let mut changed = terms.clone();
        let terms = Arc::clone(&changed.borrow_and_update());
        // A connection that fails is the client's to notice: it is closed.
        tokio::spawn(async move {
            tokio::select! {
                _ = attend(&terms, client, target) => {}
                _ = changed.changed() => {}
            }
        });
    }
}

async fn attend(terms: &Terms, client: TcpStream, target: SocketAddr) -> io::Result<()> {
    let mut client: TlsStream<TcpStream> = terms.acceptor.accept(client).await?;
    let mut broker = TcpStream::connect(target).await?;
    let secret = match &terms.proof {
        Proof::Nothing | Proof::Certificate => None,
        Proof::Plain(user, password) => Some(Secret::plain(user, password)),
        Proof::Token(token) => Some(Secret::bearer(token)),
        Proof::ScramSha256(password) => Some(Secret::scram_sha_256(password)),
        Proof::ScramSha512(password) => Some(Secret::scram_sha_512(password)),
    };
    if let Some(secret) = secret {
        let mut stranger = Stranger::new(&secret);
        while !stranger.admit(&mut client, &mut broker).await? {}
    }
    copy_bidirectional(&mut client, &mut broker).await.map(drop)
}

fn unusable(error: impl std::fmt::Display) -> ServerError {
    ServerError::new(format!("a door for Kafka cannot be made: {error}"))
}
