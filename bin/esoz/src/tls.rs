//! TLS: the certificate and its private key, read from their files, and again when those change.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{Error, InconsistentKeys, ServerConfig};
use zeroize::Zeroizing;

/// What to do about files that cannot be used.
pub(crate) const MEND: &str = "tls.certificate_file must hold the server's certificate and then those that vouch for it, \
    tls.private_key_file the private key of the first; both in PEM, and readable by the server";

/// Where the certificate and its private key are.
#[derive(Debug, Clone)]
pub(crate) struct PairFiles {
    certificate: PathBuf,
    private_key: PathBuf,
}

/// What the files hold.
#[derive(PartialEq, Eq)]
struct Pair {
    certificate: Vec<u8>,
    private_key: Zeroizing<Vec<u8>>,
}

impl PairFiles {
    pub(crate) fn new(certificate: impl Into<PathBuf>, private_key: impl Into<PathBuf>) -> Self {
        Self { certificate: certificate.into(), private_key: private_key.into() }
    }

    /// Whether a server could use them.
    pub(crate) fn check(&self) -> Result<()> {
        self.key_of(&self.read()?).map(drop)
    }

    fn read(&self) -> Result<Pair> {
        let read = |path: &Path| std::fs::read(path).with_context(|| format!("reading {}", path.display()));
        Ok(Pair {
            certificate: read(&self.certificate)?,
            private_key: Zeroizing::new(read(&self.private_key)?),
        })
    }

    /// The key with its certificates, if they are what they should be and belong together.
    fn key_of(&self, pair: &Pair) -> Result<CertifiedKey> {
        let (certificate, private_key) = (self.certificate.display(), self.private_key.display());
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pair.certificate).collect();
        // What is wrong with a private key is not repeated: it might quote it.
        let chain = chain.map_err(|_| ()).unwrap_or_default();
        if chain.is_empty() {
            bail!("{certificate} holds no certificate in PEM");
        }
        let Ok(key) = PrivateKeyDer::from_pem_slice(&pair.private_key) else {
            bail!("{private_key} holds no private key in PEM");
        };
        CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                anyhow::anyhow!(
                    "the private key in {private_key} is not that of the first certificate in {certificate}"
                )
            }
            Error::InvalidCertificate(error) => {
                anyhow::anyhow!("the first certificate in {certificate} cannot be used: {error}")
            }
            _ => anyhow::anyhow!("the private key in {private_key} is of no kind that TLS takes here"),
        })
    }
}

/// The cryptography of the whole program.
pub(crate) fn provider() -> CryptoProvider {
    ring::default_provider()
}

/// The certificate in force: what each new connection is shown.
struct InForce(RwLock<Arc<CertifiedKey>>);

impl InForce {
    fn get(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, by: CertifiedKey) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(by);
    }
}

impl fmt::Debug for InForce {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("InForce")
    }
}

impl ResolvesServerCert for InForce {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.get())
    }
}

/// Reads the files; gives what a server is configured with, and what looks after the files from then on.
pub(crate) fn load(files: PairFiles, every: Duration) -> Result<(ServerConfig, Reload)> {
    let pair = files.read()?;
    let in_force = Arc::new(InForce(RwLock::new(Arc::new(files.key_of(&pair)?))));
    let config = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .context("TLS 1.2 and 1.3")?
        .with_no_client_auth()
        .with_cert_resolver(in_force.clone());
    Ok((config, Reload { files, every, in_force, pair, trouble: None }))
}

/// Looks after the files. Connections that are open keep the certificate that they were opened with.
pub(crate) struct Reload {
    files: PairFiles,
    every: Duration,
    in_force: Arc<InForce>,
    /// What is in force, as the files held it.
    pair: Pair,
    /// What was wrong at the last look, and whether it was told.
    trouble: Option<(String, bool)>,
}

impl Reload {
    /// Looks over and over.
    pub(crate) async fn run(mut self) {
        loop {
            tokio::time::sleep(self.every).await;
            let looked = tokio::task::spawn_blocking(move || {
                self.look();
                self
            });
            match looked.await {
                Ok(reload) => self = reload,
                Err(error) => {
                    tracing::error!(%error, "the TLS certificate is not looked after any more");
                    return;
                }
            }
        }
    }

    fn look(&mut self) {
        match self.news() {
            Ok(None) => self.trouble = None,
            Ok(Some((pair, key))) => {
                self.in_force.replace(key);
                self.pair = pair;
                self.trouble = None;
                tracing::info!("new connections are shown the new TLS certificate");
            }
            Err(error) => self.note(format!("{error:#}")),
        }
    }

    fn news(&self) -> Result<Option<(Pair, CertifiedKey)>> {
        let pair = self.files.read()?;
        if pair == self.pair {
            return Ok(None);
        }
        let key = self.files.key_of(&pair)?;
        Ok(Some((pair, key)))
    }

    /// Tells what is wrong once, and not before a second look finds the same: between two files that are replaced there is a moment in
    /// which they do not go together.
    fn note(&mut self, found: String) {
        match &mut self.trouble {
            Some((known, told)) if *known == found => {
                if !*told {
                    tracing::error!(error = found, mend = MEND, "the old TLS certificate stays in force");
                    *told = true;
                }
            }
            _ => self.trouble = Some((found, false)),
        }
    }
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
