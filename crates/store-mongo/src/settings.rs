use std::path::PathBuf;

use esoz_kernel::SecretString;

/// Where MongoDB is and how long to wait for it. `Debug` hides the connection string, and it is wiped when dropped: it may hold a
/// password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MongoSettings {
    /// The connection string, `mongodb://…` or `mongodb+srv://…`, naming a replica set. What is said below, the concerns and the retrying
    /// of writes override what it says of them. Unless it says `tls=false`, TLS is on for a host that is not this machine.
    pub uri: SecretString,
    /// A PEM file with the certificate authorities that are trusted, and no others; turns TLS on. Without one, TLS trusts those of the platform.
    pub root_certificate_file: Option<PathBuf>,
    /// A PEM file with the client's certificate and its private key; turns TLS on. Both files are read once, when the client is made.
    pub client_certificate_file: Option<PathBuf>,
    /// The database.
    pub database: String,
    /// The most connections to one server.
    pub max_pool_size: u32,
    /// The longest a new connection may take, in milliseconds.
    pub connect_timeout_ms: u64,
    /// How long to look for a primary before giving up, in milliseconds.
    pub server_selection_timeout_ms: u64,
    /// The longest one operation may take in all, in milliseconds: looking for a primary, waiting for a connection,
    /// the driver's own retry and the majority's acknowledgement included.
    pub operation_timeout_ms: u64,
}

impl MongoSettings {
    /// Settings for this connection string and database; everything else as follows: 64 connections, 2 s to connect,
    /// 2 s to find a primary, 5 s for an operation.
    pub fn new(uri: impl Into<String>, database: impl Into<String>) -> Self {
        Self {
            uri: SecretString::new(uri),
            root_certificate_file: None,
            client_certificate_file: None,
            database: database.into(),
            max_pool_size: 64,
            connect_timeout_ms: 2_000,
            server_selection_timeout_ms: 2_000,
            operation_timeout_ms: 5_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compiles only while it wipes itself.
    #[test]
    fn the_connection_string_is_wiped_when_dropped() {
        fn wiped<T: zeroize::ZeroizeOnDrop>(_: &T) {}
        wiped(&MongoSettings::new("mongodb://me:canary@host/", "esoz").uri);
    }

    #[test]
    fn the_connection_string_hides_from_debug() {
        let shown = format!("{:?}", MongoSettings::new("mongodb://me:secret@host/", "esoz"));
        assert!(!shown.contains("secret") && !shown.contains("host"), "{shown}");
        assert!(shown.contains("esoz"), "{shown}");
    }
}
