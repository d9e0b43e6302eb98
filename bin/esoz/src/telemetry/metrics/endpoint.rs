use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context as _, Result};
use tokio::task::JoinSet;

use super::Sampled;

/// The version of the text format is part of its name.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How often measured values are tidied up when nobody asks for them.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// `GET /metrics`, on an address of its own.
pub(crate) struct Endpoint {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    handle: ServerHandle,
    _tasks: JoinSet<()>,
}

impl Endpoint {
    /// Listens there.
    pub(crate) fn start(bind: SocketAddr, sampled: Arc<Sampled>) -> Result<Self> {
        let attempted = || format!("listening on {bind} (`metrics.bind`)");
        let listener = TcpListener::bind(bind).with_context(attempted)?;
        let address = listener.local_addr().with_context(attempted)?;
        let shown = web::Data::from(sampled.clone());
        let server = HttpServer::new(move || {
            App::new().app_data(shown.clone()).route("/metrics", web::get().to(show))
        })
        .workers(1)
        .disable_signals()
        .listen(listener)
        .with_context(attempted)?
        .run();
        let handle = server.handle();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            if let Err(error) = server.await {
                tracing::error!(%error, "metrics are not shown any more");
            }
        });
        tasks.spawn(async move {
            loop {
                tokio::time::sleep(UPKEEP_EVERY).await;
                sampled.tidy();
            }
        });
        Ok(Self { address, handle, _tasks: tasks })
    }

    /// Stops to listen.
    pub(crate) async fn stop(self) {
        self.handle.stop(false).await;
    }
}

async fn show(sampled: web::Data<Sampled>) -> HttpResponse {
    HttpResponse::Ok().content_type(CONTENT_TYPE).body(sampled.text().await)
}
