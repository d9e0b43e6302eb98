//! How signed documents are verified and where they are kept.

use std::sync::Arc;

use anyhow::Result;
use async_trait::async_trait;
use esoz_https::{RemoteServer, SettingsError};
use esoz_kernel::{CivilDate, Clock, StoreError, StoreErrorKind};
use esoz_media_storage::{FolderSettings, MediaStore, S3Settings};
use esoz_signature_service::ServiceVerifier;
use esoz_signed_content::{Container, Drfo, MediaKey, MediaStorage, SignatureVerifier, UnsignedDocuments};

use super::trust::{self, TrustReload};
use crate::config::{Config, MediaKind, VerifierKind, number, optional};

/// Builds the configured verifier, and what reloads its files if it has any.
pub(crate) fn verifier(
    config: &Config,
    clock: &Arc<dyn Clock>,
) -> Result<(Arc<dyn SignatureVerifier>, Option<TrustReload>)> {
    let section = &config.sections.signature;
    let verifier: Arc<dyn SignatureVerifier> = match config.verifier_kind()? {
        VerifierKind::None => Arc::new(NotConfigured),
        VerifierKind::Cms => {
            let (verifier, reload) = trust::verifier(config, clock)?;
            return Ok((verifier, Some(reload)));
        }
        VerifierKind::Service => {
            let server = RemoteServer {
                timeout_ms: section.timeout_ms,
                max_answer_bytes: number(section.max_answer_bytes)?,
                max_concurrent_requests: number(section.max_concurrent_requests)?,
                root_certificate_file: optional(&section.root_certificate_file),
                proxies: config.proxies.clone(),
                ..ServiceVerifier::settings(&section.url)
            };
            let refused = |error: SettingsError| {
                config.refuse(&format!("signature.{}", error.setting()), error.reason())
            };
            Arc::new(ServiceVerifier::try_new(&server).map_err(refused)?)
        }
        VerifierKind::Unsigned => {
            tracing::warn!(
                "signature.verifier is \"unsigned\": whoever has a token can complete dispenses and mark them in error without a signature; \
                 this is for demos alone"
            );
            Arc::new(UnsignedDocuments::new(Drfo::parse(&section.unsigned_drfo)))
        }
    };
    Ok((verifier, None))
}

/// Builds the configured media storage. A folder is created if its parent is there; of a bucket nothing is asked yet. Without a verifier nothing can be
/// kept, and nothing is created.
pub(crate) fn media(config: &Config) -> Result<Arc<dyn MediaStorage>> {
    if config.verifier_kind()? == VerifierKind::None {
        return Ok(Arc::new(NotConfigured));
    }
    Ok(Arc::new(media_store(config)?))
}

/// Opens the configured media storage, whether anything can be kept there or not.
pub(crate) fn media_store(config: &Config) -> Result<MediaStore> {
    let section = &config.sections.media;
    let refused = |error: SettingsError| {
        let setting = if error.setting() == "path" { "folder" } else { error.setting() };
        config.refuse(&format!("media.{setting}"), error.reason())
    };
    let store = match config.media_kind()? {
        MediaKind::Folder => MediaStore::folder(&FolderSettings {
            timeout_ms: section.timeout_ms,
            max_concurrent_operations: number(section.max_concurrent_operations)?,
            ..FolderSettings::new(&section.folder)
        }),
        MediaKind::S3 => {
            let secret = config.secret_access_key()?;
            MediaStore::s3(&S3Settings {
                prefix: section.prefix.clone(),
                root_certificate_file: optional(&section.root_certificate_file),
                proxies: config.proxies.clone(),
                timeout_ms: section.timeout_ms,
                max_concurrent_operations: number(section.max_concurrent_operations)?,
                ..S3Settings::new(
                    &section.endpoint,
                    &section.bucket,
                    &section.region,
                    &section.access_key_id,
                    secret.expose(),
                )
            })
        }
    };
    store.map_err(refused)
}

/// Stands where no verifier is configured: no document can be judged, so that none is accepted.
struct NotConfigured;

impl NotConfigured {
    fn error() -> StoreError {
        let attempted = "using signed documents: `signature.verifier` is `none`; configure one";
        StoreError::new(StoreErrorKind::Unavailable, attempted)
    }
}

#[async_trait]
impl SignatureVerifier for NotConfigured {
    async fn verify(&self, _: &[u8]) -> Result<Result<Container, &'static str>, StoreError> {
        Err(Self::error())
    }
}

#[async_trait]
impl MediaStorage for NotConfigured {
    async fn put(&self, _: &MediaKey, _: &[u8]) -> Result<(), StoreError> {
        Err(Self::error())
    }

    async fn get(&self, _: &MediaKey) -> Result<Option<Vec<u8>>, StoreError> {
        Err(Self::error())
    }

    async fn delete(&self, _: &MediaKey) -> Result<(), StoreError> {
        Err(Self::error())
    }

    async fn list(&self, _: CivilDate, _: Option<MediaKey>, _: usize) -> Result<Vec<MediaKey>, StoreError> {
        Ok(Vec::new())
    }
}
