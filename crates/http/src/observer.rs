use std::time::Duration;

use actix_web::http::Method;
use esoz_auth::Operation;
use esoz_kernel::{Listed, Page};

/// Observes requests and operations, e.g. to count them. Every method returns at once.
pub trait Observer: Send + Sync {
    /// Called when a request has arrived.
    fn request_began(&self);

    /// Called when a request has ended, once for each that began.
    fn request_ended(&self, request: &RequestEnded);

    /// Called when an operation has ended: with `ok` or the [`Failure::code`](esoz_kernel::Failure::code) of its error. One of [`outcomes`](crate::outcomes).
    fn operation_ended(&self, operation: &'static str, outcome: &'static str);

    /// Called for each record that a list leaves out because it cannot be read; the operation is one of [`lists`](crate::lists).
    fn record_unreadable(&self, operation: &'static str);
}

/// An observer that records nothing.
impl Observer for () {
    fn request_began(&self) {}
    fn request_ended(&self, _: &RequestEnded) {}
    fn operation_ended(&self, _: &'static str, _: &'static str) {}
    fn record_unreadable(&self, _: &'static str) {}
}

/// Counts and logs the records that an operation leaves out because they cannot be read, and returns the others.
pub(crate) fn readable<O: Operation, T>(
    observer: &dyn Observer,
    Listed { page, unreadable }: Listed<T>,
) -> Page<T> {
    for error in unreadable {
        observer.record_unreadable(O::NAME);
        let error = error.with_causes();
        tracing::warn!(
            error,
            "a record is left out of a list because it cannot be read; correct what is stored"
        );
    }
    page
}

/// A request that has ended. Each field has a bounded number of values, to be used as a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestEnded {
    /// Its method, one of [`METHODS`].
    pub method: &'static str,
    /// The pattern of its route, one of [`route_patterns`](crate::route_patterns).
    pub route: String,
    /// The status of its answer; 499 when its client closed the connection before.
    pub status: u16,
    /// Its duration.
    pub elapsed: Duration,
}

/// The label of every method that HTTP does not define.
const OTHER: &str = "_OTHER";

/// The methods as they are observed.
pub const METHODS: [&str; 10] =
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", OTHER];

/// The label of every path that no route matches.
pub const UNMATCHED: &str = "unmatched";

/// The status of a request whose client closed the connection before its answer, as nginx logs it.
pub(crate) const CLIENT_CLOSED_REQUEST: u16 = 499;

/// The outcome of success.
pub(crate) const OK: &str = "ok";
/// The name of authentication by access token.
pub(crate) const AUTHENTICATE_TOKEN: &str = "authenticate_token";
/// The name of authentication by api key.
pub(crate) const AUTHENTICATE_API_KEY: &str = "authenticate_api_key";

/// Returns the method as it is observed.
pub(crate) fn known_method(method: &Method) -> &'static str {
    METHODS.into_iter().find(|known| method.as_str() == *known).unwrap_or(OTHER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_methods_are_told_apart() {
        assert_eq!(known_method(&Method::PATCH), "PATCH");
        assert_eq!(known_method(&Method::from_bytes(b"TEAPOT").unwrap()), OTHER);
    }
}
