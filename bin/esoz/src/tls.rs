//! TLS: loads the certificate and its private key from files, and reloads them when the files change.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use esoz_kernel::system::SystemClock;
use esoz_kernel::time::rfc3339_millis;
use esoz_kernel::{Clock as _, Timestamp};
use esoz_tls::{CertificateContents, CertificateFiles, Validity, provider};
use jiff::SignedDuration;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use tokio::sync::Mutex;

use crate::read_files::read_files;

/// The remedy for files that cannot be used.
pub(crate) const REMEDY: &str = "tls.certificate_file must hold the server's certificate and then its chain, \
    tls.private_key_file the private key of the first; both in PEM, and readable by the server";

/// The remedy for a certificate that is not valid now, or will not be for long.
pub(crate) const RENEWAL_REMEDY: &str =
    "renew it and replace both files; a running server takes them over by itself (tls.reload_ms)";

/// The rest of its period below which a certificate is warned of.
const EXPIRES_SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Whether a certificate can be shown.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fitness {
    Valid,
    ExpiresSoon(String),
    Invalid(String),
}

/// Judges the first certificate of a chain at that time. One whose period cannot be read counts as valid.
pub(crate) fn fitness(key: &CertifiedKey, at: Timestamp) -> Fitness {
    let Some(validity) = Validity::of_key(key) else { return Fitness::Valid };
    match validity.refusal(at) {
        Some(why) => Fitness::Invalid(why),
        None if validity.not_after.duration_since(at) < EXPIRES_SOON => {
            Fitness::ExpiresSoon(format!("the certificate expires at {}", rfc3339_millis(validity.not_after)))
        }
        None => Fitness::Valid,
    }
}

/// Logs a certificate that clients refuse, or soon will.
fn warn_of(key: &CertifiedKey, at: Timestamp) {
    match fitness(key, at) {
        Fitness::Valid => {}
        Fitness::ExpiresSoon(why) => {
            tracing::warn!(
                why,
                remedy = RENEWAL_REMEDY,
                "the TLS certificate is valid for less than 14 days"
            );
        }
        Fitness::Invalid(why) => {
            tracing::error!(
                why,
                remedy = RENEWAL_REMEDY,
                "the TLS certificate is not valid: clients refuse it"
            );
        }
    }
}

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
    let key = files.parse(&contents)?;
    warn_of(&key, SystemClock.now());
    let current = Arc::new(CurrentCertificate(RwLock::new(Arc::new(key))));
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
    current: Arc<CurrentCertificate>,
    reload: Arc<Mutex<WatchedCertificate>>,
}

impl CertificateReload {
    pub(crate) fn new(reload: WatchedCertificate) -> Self {
        let (interval, current) = (reload.interval, reload.current.clone());
        Self { interval, current, reload: Arc::new(Mutex::new(reload)) }
    }

    /// When the certificate that is shown expires, if that can be read.
    pub(crate) fn expires_at(&self) -> Option<Timestamp> {
        Validity::of_key(&self.current.get()).map(|validity| validity.not_after)
    }

    /// Checks the files periodically, until aborted.
    pub(crate) async fn run(self) {
        let mut was_read = true;
        loop {
            tokio::time::sleep(self.interval).await;
            let read = read_files(&self.reload, WatchedCertificate::check).await;
            if let Err(error) = &read
                && was_read
            {
                log_unchanged(&error.to_string());
            }
            was_read = read.is_ok();
        }
    }

    /// Checks the files now, and logs the result.
    pub(crate) async fn reload(&self) {
        if let Err(error) = read_files(&self.reload, WatchedCertificate::check_now).await {
            log_unchanged(&error.to_string());
        }
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
    fn apply(&mut self) -> Result<bool> {
        let Some((contents, key)) = self.changed()? else { return Ok(false) };
        let now = SystemClock.now();
        if let Fitness::Invalid(why) = fitness(&key, now)
            && !matches!(fitness(&self.current.get(), now), Fitness::Invalid(_))
        {
            bail!("{} holds one that clients would refuse: {why}", self.files.certificate().display());
        }
        warn_of(&key, now);
        *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
        self.contents = contents;
        tracing::info!("the TLS certificate was reloaded; new connections use the new one");
        Ok(true)
    }

    /// The contents of the files with the parsed certificate, if they have changed.
    fn changed(&self) -> Result<Option<(CertificateContents, CertifiedKey)>> {
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
