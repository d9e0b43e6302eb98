use std::time::Duration;

/// Bounds of what a client can make large or slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpLimits {
    /// The largest request body, in bytes.
    pub body_max_bytes: usize,
    /// All request headers together, names and values, in bytes. Above 128 KiB the connection is closed whatever is set here.
    pub headers_max_bytes: usize,
    /// The number of request headers. Above 96 the framework answers 431 itself, without the envelope, and closes the connection.
    pub headers_max_count: usize,
    /// How long a TLS handshake, and then the head of a request, may take to arrive, in milliseconds.
    pub head_timeout_ms: u64,
    /// How long the body of a request may take to arrive, in milliseconds.
    pub body_timeout_ms: u64,
    /// How long a request may take from its head to its answer, in milliseconds.
    pub request_timeout_ms: u64,
    /// How long an idle connection is kept, in milliseconds.
    pub keep_alive_ms: u64,
    /// Connections at once, for each worker.
    pub max_connections: usize,
    /// Worker threads.
    pub workers: usize,
    /// How long requests in flight may take to finish at shutdown, in seconds.
    pub shutdown_timeout_s: u64,
}

impl HttpLimits {
    /// How long a connection may be without a request that is being answered: as long as it may be idle, and then send the head of the
    /// next one; or as long as its client may take its answer.
    pub(crate) fn idle_timeout(&self) -> Duration {
        let idle = self.keep_alive_ms.saturating_add(self.head_timeout_ms);
        Duration::from_millis(idle.max(self.body_timeout_ms))
    }
}
