//! The names of the components of a server in metrics, logs and health checks.

/// The stores.
pub(crate) const SQLITE: &str = "sqlite";
pub(crate) const POSTGRESQL: &str = "postgresql";
pub(crate) const MONGODB: &str = "mongodb";
/// Their indexes.
pub(crate) const POSTGRESQL_INDEXES: &str = "postgresql_indexes";
pub(crate) const MONGODB_INDEXES: &str = "mongodb_indexes";
/// The bus.
pub(crate) const KAFKA: &str = "kafka";
/// The remote issuer of access tokens.
pub(crate) const TOKEN_ISSUER: &str = "token_issuer";
/// The registries that are asked over HTTP.
pub(crate) const REGISTRIES: &str = "registries";
/// What signed documents need.
pub(crate) const SIGNATURE_VERIFIER: &str = "signature_verifier";
pub(crate) const MEDIA_STORAGE: &str = "media_storage";
/// The collector of spans.
pub(crate) const COLLECTOR: &str = "collector";
/// The server's own TLS.
pub(crate) const TLS: &str = "tls";
