//! Containers as objects of an S3 bucket.

use std::time::Duration;

use bytes::Bytes;
use esoz_https::SettingsError;
use esoz_kernel::StoreError;
use esoz_signed_content::MediaKey;
use jiff::civil::Date;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::list::{PaginatedListOptions, PaginatedListResult, PaginatedListStore as _};
use object_store::path::Path;
use object_store::{
    BackoffConfig, GetOptions, ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions, PutPayload,
    RetryConfig,
};
use tokio::sync::Semaphore;

use crate::error::{MediaError, S3Error};
use crate::s3_http::Connector;
use crate::{MAX_CONTAINER_BYTES, S3Settings};

/// The first and the longest pause before a request is repeated.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));

pub(crate) struct S3 {
    client: AmazonS3,
    prefix: String,
    name: String,
    timeout_ms: u64,
    slots: Semaphore,
}

impl S3 {
    pub(crate) fn try_new(settings: &S3Settings) -> Result<Self, SettingsError> {
        let endpoint = settings.checked()?;
        let (init_backoff, max_backoff) = BACKOFF;
        let name = format!("bucket {} at {endpoint}", settings.bucket);
        let client = AmazonS3Builder::new()
            .with_endpoint(endpoint)
            .with_bucket_name(&settings.bucket)
            .with_region(&settings.region)
            .with_access_key_id(&settings.access_key_id)
            .with_secret_access_key(settings.secret_access_key.expose())
            // Requests for several objects at once are not understood by every storage.
            .with_disable_bulk_delete(true)
            .with_retry(RetryConfig {
                backoff: BackoffConfig { init_backoff, max_backoff, base: 2.0 },
                max_retries: settings.max_retries,
                retry_timeout: Duration::from_millis(settings.timeout_ms),
            })
            .with_http_connector(Connector::try_new(settings)?)
            .build()
            .map_err(|_| SettingsError::new("endpoint", "cannot be used"))?;
        let prefix = if settings.prefix.is_empty() { String::new() } else { format!("{}/", settings.prefix) };
        let slots = Semaphore::new(settings.max_concurrent_operations);
        Ok(Self { client, prefix, name, timeout_ms: settings.timeout_ms, slots })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn object(&self, key: &MediaKey) -> String {
        format!("{}{key}", self.prefix)
    }

    /// Runs an operation within the limits of time and concurrency.
    async fn run<T>(
        &self,
        attempted: &str,
        operation: impl Future<Output = Result<T, MediaError>>,
    ) -> Result<T, StoreError> {
        let limited = async {
            let _slot = self.slots.acquire().await.map_err(|_| MediaError::TimedOut(self.timeout_ms))?;
            operation.await
        };
        tokio::time::timeout(Duration::from_millis(self.timeout_ms), limited)
            .await
            .unwrap_or(Err(MediaError::TimedOut(self.timeout_ms)))
            .map_err(|error| error.during(attempted, &self.name))
    }

    pub(crate) async fn put(
        &self,
        attempted: &str,
        key: &MediaKey,
        container: &[u8],
    ) -> Result<(), StoreError> {
        let (path, payload) =
            (Path::from(self.object(key)), PutPayload::from(Bytes::copy_from_slice(container)));
        let options = PutOptions::from(PutMode::Create);
        self.run(attempted, async {
            match self.client.put_opts(&path, payload, options).await {
                Ok(_) => Ok(()),
                Err(error) => match S3Error::within(&error) {
                    taken if taken.is_presence() => Err(MediaError::Taken),
                    error => Err(error.into()),
                },
            }
        })
        .await
    }

    pub(crate) async fn get(&self, attempted: &str, key: &MediaKey) -> Result<Option<Vec<u8>>, StoreError> {
        let path = Path::from(self.object(key));
        self.run(attempted, async {
            let found = match self.client.get_opts(&path, GetOptions::default()).await {
                Ok(found) => found,
                Err(error) => match S3Error::within(&error) {
                    absent if absent.is_absence() => return Ok(None),
                    error => return Err(error.into()),
                },
            };
            if usize::try_from(found.meta.size).map_or(true, |size| size > MAX_CONTAINER_BYTES) {
                return Err(MediaError::TooLarge);
            }
            let content = found.bytes().await.map_err(|error| S3Error::within(&error))?;
            Ok(Some(content.into()))
        })
        .await
    }

    pub(crate) async fn delete(&self, attempted: &str, key: &MediaKey) -> Result<(), StoreError> {
        let path = Path::from(self.object(key));
        self.run(attempted, async {
            match self.client.delete(&path).await.map_err(|error| S3Error::within(&error)) {
                Err(error) if !error.is_absence() => Err(error.into()),
                Ok(()) | Err(_) => Ok(()),
            }
        })
        .await
    }

    /// S3 lists names in the order of their bytes, which is that of keys.
    pub(crate) async fn list(
        &self,
        attempted: &str,
        day: Date,
        after: Option<&MediaKey>,
        limit: usize,
    ) -> Result<Vec<MediaKey>, StoreError> {
        let prefix = format!("{}{day}/", self.prefix);
        let offset = after.map(|key| self.object(key));
        self.run(attempted, async {
            let (mut keys, mut page_token) = (Vec::new(), None);
            while keys.len() < limit {
                // The same for all pages: a token belongs to the request that it came from.
                let max_keys = Some(limit.min(1_000));
                let options = PaginatedListOptions {
                    offset: offset.clone(),
                    max_keys,
                    page_token,
                    ..Default::default()
                };
                let page = self.page(&prefix, options).await?;
                let names = page.result.objects.iter().filter_map(|object| {
                    object.location.as_ref().strip_prefix(&self.prefix)?.parse::<MediaKey>().ok()
                });
                keys.extend(names.filter(|key| key.day() == day && after.is_none_or(|after| key > after)));
                page_token = page.page_token;
                if page_token.is_none() {
                    break;
                }
            }
            keys.truncate(limit);
            Ok(keys)
        })
        .await
    }

    /// Lists at most one name: the storage answers, the bucket is there, the access key is good.
    pub(crate) async fn check(&self, attempted: &str) -> Result<(), StoreError> {
        let options = PaginatedListOptions { max_keys: Some(1), ..Default::default() };
        self.run(attempted, async { self.page(&self.prefix, options).await.map(drop) }).await
    }

    async fn page(
        &self,
        prefix: &str,
        options: PaginatedListOptions,
    ) -> Result<PaginatedListResult, MediaError> {
        let page = self.client.list_paginated(Some(prefix), options).await;
        Ok(page.map_err(|error| S3Error::within(&error))?)
    }
}
