//! Whom the verifier `cms` trusts: files that can be replaced while a server runs.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use esoz_kernel::Clock;
use esoz_signature_cms::{
    CmsSettings, CmsVerifier, KeyUsagePolicy, RevocationPolicy, ValidityTime, certificates_in,
    revocation_lists_in,
};
use tokio::sync::Mutex;

use crate::config::Config;
use crate::read_files::read_files;

/// Builds the verifier `cms`, and what reloads its files.
pub(super) fn verifier(config: &Config, clock: &Arc<dyn Clock>) -> Result<(Arc<CmsVerifier>, TrustReload)> {
    let section = &config.sections.signature;
    let (authorities, revocation_lists) = trusted(config)?;
    let settings = CmsSettings {
        authorities,
        revocation_lists,
        revocation: if section.revocation_required {
            RevocationPolicy::Required
        } else {
            RevocationPolicy::WhereListed
        },
        validity_time: if section.validity_time == "signing_time" {
            ValidityTime::SigningTime
        } else {
            ValidityTime::Now
        },
        key_usage: if section.non_repudiation {
            KeyUsagePolicy::NonRepudiation
        } else {
            KeyUsagePolicy::Signature
        },
    };
    let verifier = CmsVerifier::try_new(&settings, clock.clone()).context("section `signature`")?;
    let verifier = Arc::new(verifier);
    let files = TrustFiles { config: config.clone(), verifier: verifier.clone() };
    Ok((verifier, TrustReload(Arc::new(Mutex::new(files)))))
}

/// Certificates or lists in DER.
type Ders = Vec<Vec<u8>>;

/// Reads the authorities and the revocation lists.
fn trusted(config: &Config) -> Result<(Ders, Ders)> {
    let section = &config.sections.signature;
    let read = |key: &'static str, file: &str| {
        let context = || config.problem(key, "names a file that cannot be read");
        fs::read(Path::new(file)).with_context(context)
    };
    let authorities = read("signature.authorities_file", &section.authorities_file)?;
    let authorities = certificates_in(&authorities)
        .with_context(|| config.problem("signature.authorities_file", "cannot be used"))?;
    if section.revocation_lists_file.is_empty() {
        return Ok((authorities, Vec::new()));
    }
    let lists = read("signature.revocation_lists_file", &section.revocation_lists_file)?;
    let lists = revocation_lists_in(&lists)
        .with_context(|| config.problem("signature.revocation_lists_file", "cannot be used"))?;
    Ok((authorities, lists))
}

/// Reloads the files of the verifier `cms`.
#[derive(Clone)]
pub(crate) struct TrustReload(Arc<Mutex<TrustFiles>>);

/// The files, by the configuration of the start, and who uses them.
struct TrustFiles {
    config: Config,
    verifier: Arc<CmsVerifier>,
}

impl TrustReload {
    /// Reads the files again, and logs what became of it.
    pub(crate) async fn reload(&self) {
        match read_files(&self.0, |files| files.reload()).await.flatten() {
            Ok(()) => {
                tracing::info!("SIGHUP: the authorities and revocation lists of signatures were reloaded");
            }
            Err(error) => {
                let error = format!("{error:#}");
                tracing::error!(
                    error,
                    "SIGHUP: the authorities and revocation lists of signatures were not reloaded; the old ones stay in force"
                );
            }
        }
    }
}

impl TrustFiles {
    fn reload(&self) -> Result<()> {
        let (authorities, lists) = trusted(&self.config)?;
        self.verifier.replace_trusted(&authorities, &lists).context("section `signature`")
    }
}
