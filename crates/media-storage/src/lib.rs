#![doc = include_str!("../README.md")]

mod error;
mod folder;
mod media_store;
mod s3;
mod s3_http;
mod settings;

pub use esoz_https::SettingsError;
pub use media_store::MediaStore;
pub use settings::{FolderSettings, MAX_CONTAINER_BYTES, S3Settings};
