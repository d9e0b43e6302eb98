//! SIGHUP: reloads what can change while a server runs, and logs what was reloaded and what needs a restart.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Mutex;
use tracing::Level;

use crate::compose;
use crate::compose::trust::TrustReload;
use crate::config::Config;
use crate::read_files::read_files;
use crate::service_manager;
use crate::telemetry::logging::LogLevel;
use crate::tls::CertificateReload;

/// The key that can be reloaded.
const LOG_LEVEL: &str = "log.level";

/// Reloads the log level of the configuration, the TLS certificate, and whom the verifier of signatures trusts.
pub(crate) struct Reload {
    hangup: Signal,
    configuration: Arc<Mutex<Running>>,
}

/// The configuration that is in force.
struct Running {
    config: Config,
    log_level: LogLevel,
}

impl Reload {
    /// Takes over SIGHUP, which would end the process.
    pub(crate) fn new(config: &Config, log_level: LogLevel) -> Result<Self> {
        let hangup = signal(SignalKind::hangup()).context("listening for SIGHUP")?;
        let configuration = Arc::new(Mutex::new(Running { config: config.clone(), log_level }));
        Ok(Self { hangup, configuration })
    }

    /// Reloads whenever SIGHUP comes, until aborted. `status` is what the server does when it is ready again.
    pub(crate) async fn run(
        mut self,
        certificate: Option<CertificateReload>,
        trust: Option<TrustReload>,
        status: String,
    ) {
        while self.hangup.recv().await.is_some() {
            service_manager::reloading();
            if let Some(certificate) = &certificate {
                certificate.reload().await;
            }
            if let Some(trust) = &trust {
                trust.reload().await;
            }
            if let Err(error) = read_files(&self.configuration, Running::reload).await.flatten() {
                let error = format!("{error:#}");
                tracing::error!(
                    error,
                    "SIGHUP: the configuration was not reloaded; the old one stays in force"
                );
            }
            service_manager::ready(&status);
        }
    }
}

impl Running {
    fn reload(&mut self) -> Result<()> {
        let config = self.config.reload()?;
        let changed = self.config.sections.changed_keys(&config.sections);
        let needs_restart: Vec<&str> = changed.iter().copied().filter(|key| *key != LOG_LEVEL).collect();
        if !needs_restart.is_empty() {
            // On a thread that reads files.
            let refused = Handle::current().block_on(compose::check(&config, true));
            refused.context("a server would not start with it")?;
        }
        let (old, new) = (self.log_level.get(), config.log_level()?);
        // Logged at the more verbose of both levels.
        if new > old {
            self.log_level.set(new)?;
        }
        log(&needs_restart.join(", "), (new != old).then_some(new));
        if new < old {
            self.log_level.set(new)?;
        }
        self.config.sections.log.level = config.sections.log.level;
        Ok(())
    }
}

/// Logs what was reloaded, and which keys were not.
fn log(needs_restart: &str, log_level: Option<Level>) {
    match (log_level, needs_restart.is_empty()) {
        (Some(log_level), true) => tracing::info!(%log_level, "SIGHUP: the log level was reloaded"),
        (Some(log_level), false) => tracing::warn!(
            %log_level,
            needs_restart,
            "SIGHUP: the log level was reloaded; other keys changed as well, restart the server to apply them"
        ),
        (None, true) => tracing::info!("SIGHUP: the configuration has not changed"),
        (None, false) => tracing::warn!(
            needs_restart,
            "SIGHUP: these keys changed and cannot be reloaded; restart the server to apply them"
        ),
    }
}
