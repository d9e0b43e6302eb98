//! Metrics: what a running server shows, what the table says, and what dashboard and alerts ask for.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod outage;
mod promql;
mod queries;
mod requests;
mod shown;
mod traffic;

/// What a server on SQLite does not show: its log is not filled from a topic, nobody can wait for what a file gives at once, and there is no way to
/// another server.
const OF_SERVERS: [&str; 6] = [
    OF_TLS,
    "esoz_event_log_lag_messages",
    "esoz_event_log_messages_total",
    "esoz_event_log_partitions",
    "esoz_pool_wait_duration_seconds",
    "esoz_transport_verified",
];

/// What a server without TLS does not show.
const OF_TLS: &str = "esoz_certificate_expires_seconds";
