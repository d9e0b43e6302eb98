//! The contract that every media storage keeps.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use esoz_media_storage::{FolderSettings, MediaStore, S3Settings};
use esoz_test_servers::S3Bucket;
use esoz_testkit::contract::{MediaStorageUnderTest, RawMediaStorage};

mod in_a_folder {
    use super::*;

    struct RawFolder(PathBuf);

    #[async_trait]
    impl RawMediaStorage for RawFolder {
        async fn put(&self, name: &str) {
            let path = self.0.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "foreign").unwrap();
        }
    }

    async fn fresh() -> MediaStorageUnderTest {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("media");
        MediaStorageUnderTest {
            storage: Arc::new(MediaStore::folder(&FolderSettings::new(&path)).unwrap()),
            raw: Arc::new(RawFolder(path)),
            keep: Box::new(folder),
        }
    }

    esoz_testkit::media_storage_contract!(fresh);
}

/// With a prefix and without one, what is below is the same.
macro_rules! in_a_bucket {
    ($module:ident, $prefix:literal) => {
        mod $module {
            use super::*;

            struct RawBucket(Arc<S3Bucket>);

            #[async_trait]
            impl RawMediaStorage for RawBucket {
                async fn put(&self, name: &str) {
                    self.0.put(&format!("{}{name}", $prefix), b"foreign");
                }
            }

            async fn fresh() -> MediaStorageUnderTest {
                let bucket = Arc::new(S3Bucket::start().unwrap());
                let (endpoint, key) = (bucket.endpoint(), bucket.access_key_id());
                let settings = S3Settings {
                    prefix: $prefix.trim_end_matches('/').to_owned(),
                    ..S3Settings::new(endpoint, bucket.name(), "us-east-1", key, "secret")
                };
                // What lies beside the prefix is somebody else's.
                bucket.put(&format!("other/{}2026-01-31/x", $prefix), b"foreign");
                MediaStorageUnderTest {
                    storage: Arc::new(MediaStore::s3(&settings).unwrap()),
                    raw: Arc::new(RawBucket(Arc::clone(&bucket))),
                    keep: Box::new(bucket),
                }
            }

            esoz_testkit::media_storage_contract!(fresh);
        }
    };
}

in_a_bucket!(in_a_bucket, "");
in_a_bucket!(below_a_prefix, "esoz/containers/");
