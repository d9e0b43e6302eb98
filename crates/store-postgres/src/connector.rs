//! Turns a new TCP connection into the stream that the driver speaks on: asks for TLS, if there is to be any, and monitors the messages.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_postgres::Socket;
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::either::Either;

use crate::endpoint::TlsRequest;
use crate::sqlstate::{MonitoredStream, SqlstateMonitor};

/// The message that asks for TLS: its length, and the code that stands for the request.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// A connection with TLS. Its channel binding ties the login by SCRAM to the certificate that was shown.
type TlsConnection = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;

/// A connection, plain or with TLS, whose state is large.
type Stream = Either<Socket, Box<TlsConnection>>;

/// TLS was asked for and did not come about. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error(
        "the server offers no TLS: turn it on there (`ssl = on`), or add sslmode=disable to the url if the network between is trusted"
    )]
    NotOffered,
    #[error("the server answered the request for TLS with neither yes nor no; is it PostgreSQL?")]
    NoAnswer,
    /// The handshake failed, or the connection was closed meanwhile.
    #[error("TLS with the server failed: {0}{remedy}", remedy = remedy(.0))]
    Handshake(io::Error),
}

impl From<io::Error> for TlsError {
    fn from(error: io::Error) -> Self {
        Self::Handshake(error)
    }
}

/// What to do about a certificate that is not believed.
fn remedy(error: &io::Error) -> &'static str {
    match error.get_ref().and_then(|error| error.downcast_ref()) {
        Some(rustls::Error::InvalidCertificate(_)) => {
            "; root_certificate_file must hold the authority that issued the server's certificate, and the url name a host that the certificate is for"
        }
        _ => "",
    }
}

/// Makes the stream of each socket that the driver tries. Each has its own monitor, so that errors of hosts that the driver skips are not
/// attributed to the connection that it opens.
#[derive(Clone)]
pub(crate) struct Connector {
    tls: Option<TlsRequest>,
    /// The monitor of the latest socket.
    latest: Arc<Mutex<Arc<SqlstateMonitor>>>,
}

impl Connector {
    pub(crate) fn new(tls: Option<TlsRequest>) -> Self {
        Self { tls, latest: Arc::default() }
    }

    /// The monitor of the latest socket.
    pub(crate) fn monitor(&self) -> Arc<SqlstateMonitor> {
        Arc::clone(&self.latest.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn fresh_monitor(&self) -> Arc<SqlstateMonitor> {
        let monitor = Arc::new(SqlstateMonitor::default());
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&monitor);
        monitor
    }
}

impl MakeTlsConnect<Socket> for Connector {
    type Stream = MonitoredStream<Stream>;
    type TlsConnect = HostConnector;
    type Error = Infallible;

    fn make_tls_connect(&mut self, host: &str) -> Result<HostConnector, Infallible> {
        Ok(HostConnector { connector: self.clone(), host: host.to_owned() })
    }
}

/// A [`Connector`] with the name of the host that is connected to.
pub(crate) struct HostConnector {
    connector: Connector,
    host: String,
}

impl TlsConnect<Socket> for HostConnector {
    type Stream = MonitoredStream<Stream>;
    type Error = TlsError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Stream, TlsError>> + Send>>;

    fn connect(self, socket: Socket) -> Self::Future {
        Box::pin(async move {
            let stream = match &self.connector.tls {
                None => Either::Left(socket),
                Some(request) => negotiate(socket, request, &self.host).await?,
            };
            Ok(MonitoredStream::new(stream, self.connector.fresh_monitor()))
        })
    }
}

/// Asks for TLS and shakes hands. Reads no byte beyond the server's answer: what follows in the clear could be anybody's.
async fn negotiate(mut socket: Socket, request: &TlsRequest, host: &str) -> Result<Stream, TlsError> {
    if !request.is_direct {
        socket.write_all(&SSL_REQUEST).await?;
        match socket.read_u8().await? {
            b'S' => {}
            b'N' if request.is_optional => return Ok(Either::Left(socket)),
            b'N' => return Err(TlsError::NotOffered),
            _ => return Err(TlsError::NoAnswer),
        }
    }
    let mut rustls = MakeRustlsConnect::new(request.config.as_ref().clone());
    let Ok(connector) = MakeTlsConnect::<Socket>::make_tls_connect(&mut rustls, host);
    Ok(Either::Right(Box::new(connector.connect(socket).await?)))
}

/// The driver takes a stream of ours only as one with TLS, be it plain or not.
impl TlsStream for MonitoredStream<Stream> {
    fn channel_binding(&self) -> ChannelBinding {
        match self.stream() {
            Either::Left(_) => ChannelBinding::none(),
            Either::Right(tls) => tls.channel_binding(),
        }
    }
}
