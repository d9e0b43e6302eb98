//! SIGHUP: reloads what can change while a server runs, and logs what was reloaded and what needs a restart.

use anyhow::{Context as _, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::Level;

use crate::config::Config;
use crate::telemetry::logging::LogLevel;
use crate::tls::CertificateReload;

/// The key that can be reloaded.
const LOG_LEVEL: &str = "log.level";

/// Reloads the log level of the configuration, and the TLS certificate.
pub(crate) struct Reload {
    hangup: Signal,
    /// The configuration that is in force.
    running: Config,
    log_level: LogLevel,
}

impl Reload {
    /// Takes over SIGHUP, which would end the process.
    pub(crate) fn new(config: &Config, log_level: LogLevel) -> Result<Self> {
        let hangup = signal(SignalKind::hangup()).context("listening for SIGHUP")?;
        Ok(Self { hangup, running: config.clone(), log_level })
    }

    /// Reloads whenever SIGHUP comes, until aborted.
    pub(crate) async fn run(mut self, certificate: Option<CertificateReload>) {
        while self.hangup.recv().await.is_some() {
            if let Some(certificate) = &certificate {
                certificate.reload().await;
            }
            if let Err(error) = self.reload_configuration() {
                let error = format!("{error:#}");
                tracing::error!(
                    error,
                    "SIGHUP: the configuration was not reloaded; the old one stays in force"
                );
            }
        }
    }

    fn reload_configuration(&mut self) -> Result<()> {
        let config = self.running.reload()?;
        let changed = self.running.sections.changed_keys(&config.sections);
        let needs_restart: Vec<&str> = changed.iter().copied().filter(|key| *key != LOG_LEVEL).collect();
        let (old, new) = (self.log_level.get(), config.log_level()?);
        // Logged at the more verbose of both levels.
        if new > old {
            self.log_level.set(new)?;
        }
        log(&needs_restart.join(", "), (new != old).then_some(new));
        if new < old {
            self.log_level.set(new)?;
        }
        self.running.sections.log.level = config.sections.log.level;
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
