use anyhow::Result;

use crate::compose::{self, Parts};
use crate::config::Config;
use crate::server::EsozServer;

/// Runs the server until SIGTERM or SIGINT.
pub(crate) async fn run(config: &Config) -> Result<()> {
    compose::check(config, true).await?;
    let listener = config.bind()?.listen()?;
    let server = EsozServer::start(config, Parts::configured(config).await?, listener)?;
    tracing::info!("listening on {}://{}", server.scheme(), server.address());
    if let Some(metrics) = server.metrics_address() {
        tracing::info!("metrics are at http://{metrics}/metrics");
    }
    server.run_until_signal().await
}
