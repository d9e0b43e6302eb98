//! TLS: loads the certificate and its private key from files, and reloads them when the files change.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context as _, Result};
use esoz_tls::{CertificateContents, CertificateFiles, FileError, provider};
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use tokio::task::JoinError;

/// The remedy for files that cannot be used.
pub(crate) const REMEDY: &str = "tls.certificate_file must hold the server's certificate and then its chain, \
    tls.private_key_file the private key of the first; both in PEM, and readable by the server";

/// The certificate that new connections get.
struct CurrentCertificate(RwLock<Arc<CertifiedKey>>);

impl CurrentCertificate {
    fn get(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

esoz_kernel::opaque_debug!(CurrentCertificate);

impl ResolvesServerCert for CurrentCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.get())
    }
}

/// Loads the files: the TLS configuration of a server, and the task that reloads the files at this interval.
pub(crate) fn load(
    files: CertificateFiles,
    interval: Duration,
) -> Result<(ServerConfig, WatchedCertificate)> {
    let contents = files.read()?;
    let current = Arc::new(CurrentCertificate(RwLock::new(Arc::new(files.parse(&contents)?))));
    let config = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .context("TLS 1.2 and 1.3")?
        .with_no_client_auth()
        .with_cert_resolver(current.clone());
    Ok((config, WatchedCertificate { files, interval, current, contents, problem: None }))
}

/// Reloads the files when they change. Open connections keep their certificate.
pub(crate) struct WatchedCertificate {
    files: CertificateFiles,
    interval: Duration,
    current: Arc<CurrentCertificate>,
    /// The contents of the files that the current certificate was parsed from.
    contents: CertificateContents,
    /// The problem that the last check found, and whether it was logged.
    problem: Option<(String, bool)>,
}

/// Reloads the certificate of a running server: periodically, and on demand.
#[derive(Clone)]
pub(crate) struct CertificateReload {
    interval: Duration,
    reload: Arc<Mutex<WatchedCertificate>>,
}

impl CertificateReload {
    pub(crate) fn new(reload: WatchedCertificate) -> Self {
        Self { interval: reload.interval, reload: Arc::new(Mutex::new(reload)) }
    }

    /// Checks the files periodically, until aborted.
    pub(crate) async fn run(self) {
        loop {
            tokio::time::sleep(self.interval).await;
            if let Err(error) = self.blocking(WatchedCertificate::check).await {
                tracing::error!(%error, "the TLS certificate is no longer reloaded; restart the server after replacing its files");
                return;
            }
        }
    }

    /// Checks the files now, and logs the result.
    pub(crate) async fn reload(&self) {
        // It fails only when the runtime ends as well.
        let _ = self.blocking(WatchedCertificate::check_now).await;
    }

    async fn blocking(&self, check: fn(&mut WatchedCertificate)) -> Result<(), JoinError> {
        let reload = self.reload.clone();
        tokio::task::spawn_blocking(move || check(&mut reload.lock().unwrap_or_else(PoisonError::into_inner)))
            .await
    }
}

impl WatchedCertificate {
    fn check(&mut self) {
        match self.apply() {
            Ok(_) => self.problem = None,
            Err(error) => self.log_once(error.to_string()),
        }
    }

    fn check_now(&mut self) {
        match self.apply() {
            Ok(true) => {}
            Ok(false) => tracing::info!("SIGHUP: the TLS certificate has not changed"),
            Err(error) => log_unchanged(&error.to_string()),
        }
    }

    /// Takes changed files over. Returns whether they have changed.
    fn apply(&mut self) -> Result<bool, FileError> {
        let Some((contents, key)) = self.changed()? else { return Ok(false) };
        *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
        self.contents = contents;
        tracing::info!("the TLS certificate was reloaded; new connections use the new one");
        Ok(true)
    }

    /// The contents of the files with the parsed certificate, if they have changed.
    fn changed(&self) -> Result<Option<(CertificateContents, CertifiedKey)>, FileError> {
        let contents = self.files.read()?;
        if contents == self.contents {
            return Ok(None);
        }
        let key = self.files.parse(&contents)?;
        Ok(Some((contents, key)))
    }

    /// Logs a problem once, when a second check in a row finds it: while both files are being replaced, they do not match for a moment.
    fn log_once(&mut self, found: String) {
        match &mut self.problem {
            Some((known, is_logged)) if *known == found => {
                if !*is_logged {
                    log_unchanged(known);
                    *is_logged = true;
                }
            }
            _ => self.problem = Some((found, false)),
        }
    }
}

fn log_unchanged(error: &str) {
    tracing::error!(error, remedy = REMEDY, "the TLS certificate was not reloaded; the old one stays in use");
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
