//! The settings of both adapters.

use std::path::PathBuf;

use esoz_https::{Proxies, SettingsError, encrypted_address, in_range, not_empty};
use esoz_kernel::SecretString;

/// The largest container that is stored or read: 64 MiB, far above what a request may have.
pub const MAX_CONTAINER_BYTES: usize = 64 << 20;

/// Where the folder is, and the limits of its use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderSettings {
    /// The folder. It is created if its parent is there.
    pub path: PathBuf,
    /// The time limit of an operation in milliseconds. 1 to 60 000.
    pub timeout_ms: u64,
    /// The maximum number of concurrent operations; further ones wait, within their own time limit. 1 to 256.
    pub max_concurrent_operations: usize,
}

impl FolderSettings {
    /// Creates settings with the defaults: 10 s an operation, 16 concurrent operations.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), timeout_ms: 10_000, max_concurrent_operations: 16 }
    }

    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        in_range("timeout_ms", self.timeout_ms, 1, 60_000)?;
        in_range("max_concurrent_operations", self.max_concurrent_operations, 1, 256)
    }
}

/// A bucket of a storage that speaks S3's protocol, the key to it, and the limits of its use.
///
/// The bucket must be private: no public access, no anonymous policy. `Debug` hides the secret, and the endpoint, which may hold a password
/// although such a URL is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Settings {
    /// The URL of the storage: `https://…`, without user, password, query or fragment. The bucket's name is added to its path.
    pub endpoint: SecretString,
    /// The bucket. It must be there.
    pub bucket: String,
    /// The region that requests are signed for; storages without regions take `us-east-1`.
    pub region: String,
    /// The id of the access key.
    pub access_key_id: String,
    /// The secret of the access key.
    pub secret_access_key: SecretString,
    /// What the names of all objects begin with, without `/` at either end: `esoz/containers`. Empty for nothing.
    pub prefix: String,
    /// Allows `http://` to a host other than this machine. The network then can read containers.
    pub allow_plain_http: bool,
    /// A PEM file with the certificate authorities to trust, in place of those of the platform. Read once, at the start.
    pub root_certificate_file: Option<PathBuf>,
    /// The proxies on the way.
    pub proxies: Proxies,
    /// The time limit of an operation in milliseconds, repeated requests included. 1 to 60 000.
    pub timeout_ms: u64,
    /// How often a request is repeated that the storage did not answer or could not serve. A write is repeated only if it cannot have taken effect. 0 to 10.
    pub max_retries: usize,
    /// The maximum number of concurrent operations; further ones wait, within their own time limit. 1 to 1 024.
    pub max_concurrent_operations: usize,
}

impl S3Settings {
    /// Creates settings with the defaults: no prefix, https only, the platform's authorities, 10 s an operation, 2 retries, 64 concurrent operations.
    pub fn new(
        endpoint: impl Into<String>,
        bucket: impl Into<String>,
        region: impl Into<String>,
        access_key_id: impl Into<String>,
        secret_access_key: impl Into<String>,
    ) -> Self {
        Self {
            endpoint: SecretString::new(endpoint),
            bucket: bucket.into(),
            region: region.into(),
            access_key_id: access_key_id.into(),
            secret_access_key: SecretString::new(secret_access_key),
            prefix: String::new(),
            allow_plain_http: false,
            root_certificate_file: None,
            proxies: Proxies::default(),
            timeout_ms: 10_000,
            max_retries: 2,
            max_concurrent_operations: 64,
        }
    }

    /// Checks every setting and returns the endpoint without a `/` at its end.
    pub(crate) fn checked(&self) -> Result<String, SettingsError> {
        in_range("timeout_ms", self.timeout_ms, 1, 60_000)?;
        in_range("max_retries", self.max_retries, 0, 10)?;
        in_range("max_concurrent_operations", self.max_concurrent_operations, 1, 1_024)?;
        let is_name =
            |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        if !is_name(&self.bucket) || !(3..=63).contains(&self.bucket.len()) {
            return Err(SettingsError::new("bucket", "must be 3 to 63 letters, digits, - . or _"));
        }
        if !is_name(&self.region) || self.region.is_empty() {
            return Err(SettingsError::new("region", "must be letters, digits, - . or _, such as us-east-1"));
        }
        not_empty("access_key_id", &self.access_key_id)?;
        not_empty("secret_access_key", self.secret_access_key.expose())?;
        let is_segment = |part: &str| is_name(part) && !matches!(part, "" | "." | "..");
        if !self.prefix.is_empty() && !self.prefix.split('/').all(is_segment) {
            let reason =
                "must be letters, digits, - . or _ with / between, none at its ends, and no .. in it";
            return Err(SettingsError::new("prefix", reason));
        }
        let uri = encrypted_address("endpoint", self.endpoint.expose(), self.allow_plain_http)?;
        if uri.query().is_some() {
            return Err(SettingsError::new("endpoint", "must have no query"));
        }
        Ok(uri.to_string().trim_end_matches('/').to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> S3Settings {
        S3Settings::new("https://s3.example/", "containers", "eu-north-1", "id", "canary")
    }

    #[test]
    fn an_endpoint_is_taken_without_its_last_slash() {
        assert_eq!(settings().checked().unwrap(), "https://s3.example");
        let below = S3Settings { endpoint: SecretString::new("https://s3.example/storage/v1"), ..settings() };
        assert_eq!(below.checked().unwrap(), "https://s3.example/storage/v1");
    }

    #[test]
    fn every_setting_has_its_bounds() {
        let endpoint = |url: &str| S3Settings { endpoint: SecretString::new(url), ..settings() };
        for (setting, refused) in [
            ("endpoint", endpoint("http://s3.example")),
            ("endpoint", endpoint("https://s3.example/?x=1")),
            ("endpoint", endpoint("https://me:canary@s3.example/")),
            ("bucket", S3Settings { bucket: "a/b".to_owned(), ..settings() }),
            ("bucket", S3Settings { bucket: String::new(), ..settings() }),
            ("region", S3Settings { region: String::new(), ..settings() }),
            ("access_key_id", S3Settings { access_key_id: " ".to_owned(), ..settings() }),
            ("secret_access_key", S3Settings { secret_access_key: SecretString::default(), ..settings() }),
            ("prefix", S3Settings { prefix: "/a".to_owned(), ..settings() }),
            ("prefix", S3Settings { prefix: "a/../b".to_owned(), ..settings() }),
            ("timeout_ms", S3Settings { timeout_ms: 0, ..settings() }),
            ("max_retries", S3Settings { max_retries: 11, ..settings() }),
            ("max_concurrent_operations", S3Settings { max_concurrent_operations: 0, ..settings() }),
        ] {
            let error = refused.checked().unwrap_err();
            assert_eq!(error.setting(), setting);
            assert!(!format!("{error} {error:?} {refused:?}").contains("canary"), "{setting}");
        }
        let plain = S3Settings { allow_plain_http: true, ..endpoint("http://s3.example") };
        assert!(plain.checked().is_ok());
    }
}
