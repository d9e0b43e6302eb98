use std::io;
use std::net::{SocketAddr, TcpListener};

use actix_server::{Server, ServerHandle};
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::{App, Error, web};
use rustls::ServerConfig;

use crate::listening::Listening;
use crate::middleware::request::handle;
use crate::openapi::document;
use crate::routes::openapi_json::Document;
use crate::server::listen;
use crate::telemetry::RouteWords;
use crate::workers::Workers;
use crate::{Api, routes};

/// Builds the application: every route, behind the middleware.
pub fn app(
    api: Api,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = Error,
        InitError = (),
    >,
> {
    let document: Document = document::rendered;
    let (serves_events, has_inspector) = (api.serves_events, api.inspector.is_some());
    App::new()
        .app_data(web::Data::new(api))
        .app_data(web::Data::new(document))
        .app_data(RouteWords::of(&routes::route_patterns()))
        .configure(move |config| routes::configure(config, serves_events, has_inspector))
        .wrap(from_fn(handle))
}

/// A server that is listening.
pub struct Running {
    /// The address it is bound to.
    pub address: SocketAddr,
    /// Its socket. Dropped before the server is stopped, so that the socket is closed then.
    pub listening: Listening,
    /// Finishes when the server has stopped.
    pub server: Server,
    /// Stops the server: `handle.stop(true)` lets requests in flight finish.
    pub handle: ServerHandle,
    /// Its worker threads.
    pub workers: Workers,
}

/// Serves on a listening socket, by TLS if it is configured. Signals are left to the caller.
///
/// # Errors
/// [`io::Error`] when the socket cannot be used.
pub fn serve(listener: TcpListener, api: Api, tls: Option<ServerConfig>) -> io::Result<Running> {
    let (address, listening) = (listener.local_addr()?, Listening::share(&listener)?);
    let limits = api.limits.of_connections();
    let workers = Workers::default();
    let registry = workers.clone();
    let server = listen(listener, limits, tls, move || {
        registry.register();
        app(api.clone())
    })?;
    Ok(Running { address, listening, handle: server.handle(), server, workers })
}
