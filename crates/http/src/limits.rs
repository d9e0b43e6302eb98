use std::time::Duration;

use crate::server::ConnectionLimits;

/// Limits of the size and duration of requests and connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpLimits {
    /// The largest request body, in bytes.
    pub body_max_bytes: usize,
    /// The largest request body with a signed document, or with a dispense to record, in bytes.
    pub signed_body_max_bytes: usize,
    /// The size of all request headers, names and values, in bytes. Above 128 KiB the connection is closed whatever is set here.
    pub headers_max_bytes: usize,
    /// The number of request headers. Above 96 the framework answers 431 itself, without the envelope, and closes the connection.
    pub headers_max_count: usize,
    /// The time limit of a TLS handshake, and then of the head of a request, in milliseconds.
    pub head_timeout_ms: u64,
    /// The time limit of the body of a request, in milliseconds.
    pub body_timeout_ms: u64,
    /// The time limit from the head of a request to its answer, in milliseconds.
    pub request_timeout_ms: u64,
    /// The time for which an idle connection is kept, in milliseconds.
    pub keep_alive_ms: u64,
    /// Concurrent connections of each worker.
    pub max_connections: usize,
    /// Worker threads.
    pub workers: usize,
    /// The time limit of requests in flight at shutdown, in seconds.
    pub shutdown_timeout_s: u64,
}

impl HttpLimits {
    /// The largest request body of any kind, in bytes.
    pub(crate) fn any_body_max_bytes(&self) -> usize {
        self.body_max_bytes.max(self.signed_body_max_bytes)
    }

    /// The limits of connections.
    pub(crate) fn of_connections(&self) -> ConnectionLimits {
        ConnectionLimits {
            workers: self.workers,
            max_connections: self.max_connections,
            head_timeout: Duration::from_millis(self.head_timeout_ms),
            keep_alive: Duration::from_millis(self.keep_alive_ms),
            idle_timeout: self.idle_timeout(),
            shutdown_timeout_s: self.shutdown_timeout_s,
        }
    }

    /// The time for which a connection may have no request that is being answered: being idle, and then sending the head of the next one; or
    /// taking an answer.
    fn idle_timeout(&self) -> Duration {
        let idle = self.keep_alive_ms.saturating_add(self.head_timeout_ms);
        Duration::from_millis(idle.max(self.body_timeout_ms))
    }
}
