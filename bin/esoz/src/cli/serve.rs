use anyhow::Result;
use tokio::signal::unix::SignalKind;
use tokio::task::JoinSet;

use super::any_signal;
use crate::compose::{self, Parts, bus};
use crate::config::Config;
use crate::open_files;
use crate::reload::Reload;
use crate::server::EsozServer;
use crate::service_manager;
use crate::telemetry::logging::LogLevel;

/// Runs the server until SIGTERM or SIGINT. Reloads on SIGHUP.
pub(crate) async fn run(config: &Config, level: LogLevel) -> Result<()> {
    let reload = Reload::new(config, level)?;
    compose::check(config, true).await?;
    config.warn_of_exposed_secret_files()?;
    open_files::warn_of_shortage(config)?;
    bus::warn_of_single_replica(config)?;
    if config.sections.http.inspector {
        tracing::warn!(
            "`http.inspector` is on: anybody who reaches this server sees at / the latest requests of all clients, and the latest events; \
             turn it off where data are real"
        );
    }
    let listener = config.bind()?.listen()?;
    let (parts, trust) = Parts::with_reload(config).await?;
    // Before the first request is taken, which a signal would cut off.
    let stop = any_signal(&[SignalKind::terminate(), SignalKind::interrupt()])?;
    let server = EsozServer::start(config, parts, listener)?;
    let listening = format!("listening on {}://{}", server.scheme(), server.address());
    tracing::info!("{listening}");
    // Aborted when it is dropped.
    let mut tasks = JoinSet::new();
    tasks.spawn(reload.run(server.certificate(), trust, listening.clone()));
    let workers = server.workers();
    tasks.spawn(async move {
        workers.started().await;
        service_manager::ready(&listening);
        service_manager::feed_watchdog(workers).await;
    });
    server.run(stop, service_manager::stopping).await
}
