#![doc = include_str!("../README.md")]

mod client;
pub mod json;
mod proxy;
mod remote_client;
mod remote_server;
mod request_error;
mod settings;

pub use client::{HttpsClient, client, connector};
pub use proxy::{Proxies, ProxyConnector};
pub use remote_client::{Answer, RemoteClient};
pub use remote_server::RemoteServer;
pub use request_error::RequestError;
pub use settings::{SettingsError, address, encrypted_address, in_range, not_empty};
