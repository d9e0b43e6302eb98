//! The `GET /metrics` endpoint.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpResponse, web};
use anyhow::{Context as _, Result};
use esoz_http::ConnectionLimits;
use tokio::task::JoinSet;

use super::collectors::Collectors;
use crate::config::BindAddress;

/// The content type of the Prometheus text format; the version of the format is part of it.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How often histograms are updated between scrapes.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Concurrent connections of clients that scrape it.
pub(crate) const MAX_CONNECTIONS: usize = 256;

/// What its few clients, which scrape it, need.
const LIMITS: ConnectionLimits = ConnectionLimits {
    workers: 1,
    max_connections: MAX_CONNECTIONS,
    head_timeout: Duration::from_secs(5),
    keep_alive: Duration::from_secs(5),
    idle_timeout: Duration::from_secs(10),
    shutdown_timeout_s: 0,
};

/// Serves `GET /metrics` at an address of its own.
pub(crate) struct Endpoint {
    /// The address that it listens on.
    pub(crate) address: SocketAddr,
    handle: ServerHandle,
    _tasks: JoinSet<()>,
}

impl Endpoint {
    /// Starts to listen.
    pub(crate) fn start(bind: &BindAddress, collectors: Arc<Collectors>) -> Result<Self> {
        let attempted = "serving the metrics (`metrics.bind`)";
        let listener = bind.listen()?;
        let address = listener.local_addr().context(attempted)?;
        let data = web::Data::from(collectors.clone());
        let app = move || App::new().app_data(data.clone()).route("/metrics", web::get().to(metrics));
        let server = esoz_http::listen(listener, LIMITS, None, app).context(attempted)?;
        tracing::info!("metrics are at http://{address}/metrics");
        let handle = server.handle();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            if let Err(error) = server.await {
                tracing::error!(%error, "the metrics endpoint failed; restart the server to get metrics again");
            }
        });
        tasks.spawn(async move {
            loop {
                tokio::time::sleep(UPKEEP_INTERVAL).await;
                collectors.metrics.run_upkeep();
            }
        });
        Ok(Self { address, handle, _tasks: tasks })
    }

    /// Stops listening.
    pub(crate) async fn stop(self) {
        self.handle.stop(false).await;
    }
}

async fn metrics(collectors: web::Data<Collectors>) -> HttpResponse {
    HttpResponse::Ok().content_type(CONTENT_TYPE).body(collectors.text().await)
}
