//! The server: accepts connections, by TLS if it is configured, and bounds each of them.

use std::future::ready;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::time::Duration;

use actix_http::body::MessageBody;
use actix_http::error::DispatchError;
use actix_http::{Extensions, HttpService, Protocol, Request, Response};
use actix_server::{GracefulShutdownSignal, Server};
use actix_service::{IntoServiceFactory, ServiceFactoryExt as _, apply_fn_factory, fn_service, map_config};
use actix_tls::accept::rustls_0_23::{Acceptor, TlsStream};
use actix_tls::accept::{TlsError, max_concurrent_tls_connect};
use actix_web::Error;
use actix_web::dev::{AppConfig, Service, ServiceFactory};
use actix_web::rt::net::TcpStream;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::middleware::SlowClientGuard;
use crate::pipelining::{PacedStream, Pipeline, ResponseBody};

/// The protocol of a connection, as TLS negotiates it.
const HTTP_1_1: &[u8] = b"http/1.1";

/// How long the end of a connection may take.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Limits of the connections of a server.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// Worker threads.
    pub workers: usize,
    /// Concurrent connections of each worker.
    pub max_connections: usize,
    /// The time limit of a TLS handshake, and then of the head of the first request.
    pub head_timeout: Duration,
    /// The time for which an idle connection is kept.
    pub keep_alive: Duration,
    /// The time for which a connection may have no request that is being answered.
    pub idle_timeout: Duration,
    /// The time limit of requests in flight at shutdown, in seconds.
    pub shutdown_timeout_s: u64,
}

/// Serves an application on a listening socket, HTTP/1 alone. It is what [`actix_web::HttpServer`] does, on connections that bound pipelined
/// requests and slow clients. Signals are left to the caller.
///
/// # Errors
/// [`io::Error`] when the socket cannot be used.
pub fn listen<F, I, S, B>(
    listener: TcpListener,
    limits: ConnectionLimits,
    tls: Option<ServerConfig>,
    app: F,
) -> io::Result<Server>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Error> + 'static,
    S::InitError: std::fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    S::Service: 'static,
    <S::Service as Service<Request>>::Future: 'static,
    B: MessageBody + 'static,
{
    // Concurrent TLS handshakes: with fewer, a few silent clients would block all others.
    max_concurrent_tls_connect(limits.max_connections);
    let builder = Server::build()
        .workers(limits.workers)
        .max_concurrent_connections(limits.max_connections)
        .shutdown_timeout(limits.shutdown_timeout_s)
        .disable_signals();
    let shutdown = builder.graceful_shutdown_signal();
    let address = listener.local_addr()?;
    let builder = match tls {
        None => builder.listen(address.to_string(), listener, move || {
            let http = http_service(app.clone(), limits, address, shutdown.clone(), |tcp| tcp);
            fn_service(|tcp: TcpStream| {
                let peer = tcp.peer_addr().ok();
                ready(Ok::<_, DispatchError>((PacedStream::new(tcp), Protocol::Http1, peer)))
            })
            .and_then(http)
        })?,
        Some(mut tls) => {
            tls.alpn_protocols.insert(0, HTTP_1_1.to_vec());
            builder.listen(address.to_string(), listener, move || {
                let http = http_service(app.clone(), limits, address, shutdown.clone(), encrypted);
                let mut acceptor = Acceptor::new(tls.clone());
                acceptor.set_handshake_timeout(limits.head_timeout);
                acceptor
                    .map_err(TlsError::into_service_error)
                    .map(|tls: TlsStream<TcpStream>| {
                        let peer = encrypted(&tls).peer_addr().ok();
                        (PacedStream::new(tls), Protocol::Http1, peer)
                    })
                    .and_then(http.map_err(TlsError::Service))
            })?
        }
    };
    Ok(builder.run())
}

/// The connection that TLS encrypts.
fn encrypted(tls: &TlsStream<TcpStream>) -> &TcpStream {
    tls.get_ref().0
}

/// The HTTP/1 service of an application, whose requests are counted on their connection.
fn http_service<T, F, I, S, B>(
    app: F,
    limits: ConnectionLimits,
    address: SocketAddr,
    shutdown: GracefulShutdownSignal,
    tcp_of: fn(&T) -> &TcpStream,
) -> impl ServiceFactory<
    (PacedStream<T>, Protocol, Option<SocketAddr>),
    Config = (),
    Response = (),
    Error = DispatchError,
    InitError = (),
>
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
    F: Fn() -> I,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Error> + 'static,
    S::InitError: std::fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    S::Service: 'static,
    <S::Service as Service<Request>>::Future: 'static,
    B: MessageBody + 'static,
{
    let app = app().into_factory().map_err(|error| error.into().error_response());
    let app = map_config(app, |()| AppConfig::default());
    let counted = apply_fn_factory(app, |request: Request, app| {
        let answering = request.conn_data::<SlowClientGuard>().map(SlowClientGuard::answering);
        let pipeline = request.conn_data::<Rc<Pipeline>>().cloned().unwrap_or_default();
        let (request, in_use) = pipeline.start(request);
        let answer = app.call(request);
        async move {
            let answer: Response<B> = answer.await?.into();
            drop(answering);
            Ok(answer.map_body(|_, body| ResponseBody::new(body, in_use)))
        }
    });
    HttpService::build()
        .graceful_shutdown_signal(move || {
            let shutdown = shutdown.clone();
            async move { shutdown.notified().await }
        })
        .keep_alive(limits.keep_alive)
        .client_request_timeout(limits.head_timeout)
        .client_disconnect_timeout(DISCONNECT_TIMEOUT)
        .h1_allow_half_closed(true)
        .local_addr(address)
        .on_connect_ext(move |connection: &PacedStream<T>, data: &mut Extensions| {
            data.insert(connection.pipeline().clone());
            if let Some(guard) = SlowClientGuard::watch(tcp_of(connection.get_ref()), limits.idle_timeout) {
                data.insert(guard);
            }
        })
        .finish(counted)
}
