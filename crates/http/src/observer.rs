use std::time::Duration;

use actix_web::http::Method;
use esoz_auth::AuthError;
use esoz_kernel::Failure as _;

use crate::routes;

/// Observes requests and operations, e.g. to count them. Every method returns at once.
pub trait Observer: Send + Sync {
    /// A request has arrived.
    fn request_began(&self);

    /// A request has ended. Called once for each that began.
    fn request_ended(&self, request: &RequestEnded);

    /// An operation has ended: `ok` or the [`Failure::code`](esoz_kernel::Failure::code) of its error. One of [`outcomes`].
    fn operation_ended(&self, operation: &'static str, outcome: &'static str);
}

/// An observer that records nothing.
impl Observer for () {
    fn request_began(&self) {}
    fn request_ended(&self, _: &RequestEnded) {}
    fn operation_ended(&self, _: &'static str, _: &'static str) {}
}

/// A request that has ended. All its values are of bounded number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestEnded {
    /// Its method, one of [`METHODS`].
    pub method: &'static str,
    /// The pattern of its route, one of [`route_patterns`].
    pub route: String,
    /// The status of its answer; 499 when its client left before it.
    pub status: u16,
    /// Its duration.
    pub elapsed: Duration,
}

/// Stands for every method that HTTP does not define.
const OTHER: &str = "_OTHER";

/// The methods that are told apart.
pub const METHODS: [&str; 10] =
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", OTHER];

/// Stands for every path that no route matches.
pub const UNMATCHED: &str = "unmatched";

/// The status of a request whose client left before its answer, as nginx logs it.
pub(crate) const CLIENT_LEFT: u16 = 499;

/// The outcome of success.
pub(crate) const OK: &str = "ok";
/// The authentication by access token, as it is counted.
pub(crate) const AUTHENTICATE_TOKEN: &str = "authenticate_token";
/// The authentication by api key, as it is counted.
pub(crate) const AUTHENTICATE_API_KEY: &str = "authenticate_api_key";

/// Every route as it is observed: its pattern, never a path, which names a patient.
pub fn route_patterns() -> Vec<String> {
    routes::patterns().into_iter().chain([UNMATCHED.to_owned()]).collect()
}

/// The method as it is observed.
pub(crate) fn known_method(method: &Method) -> &'static str {
    METHODS.into_iter().find(|known| method.as_str() == *known).unwrap_or(OTHER)
}

/// Every operation that is observed, authentication first, with its outcomes.
pub fn outcomes() -> Vec<(&'static str, Vec<&'static str>)> {
    let authentications =
        [AUTHENTICATE_TOKEN, AUTHENTICATE_API_KEY].map(|name| (name, with_ok(AuthError::codes())));
    let operations = routes::operations();
    let of_operation = |operation: esoz_auth::OperationInfo| (operation.name, with_ok(operation.outcomes()));
    authentications.into_iter().chain(operations.into_iter().map(of_operation)).collect()
}

fn with_ok(codes: Vec<&'static str>) -> Vec<&'static str> {
    [vec![OK], codes].concat()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_outcome_is_one_word_and_stands_once() {
        for (operation, outcomes) in outcomes() {
            let distinct: BTreeSet<&str> = outcomes.iter().copied().collect();
            assert_eq!(distinct.len(), outcomes.len(), "{operation}: {outcomes:?}");
            for outcome in outcomes {
                assert!(outcome.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{outcome}");
            }
        }
    }

    #[test]
    fn only_known_methods_are_told_apart() {
        assert_eq!(known_method(&Method::PATCH), "PATCH");
        assert_eq!(known_method(&Method::from_bytes(b"TEAPOT").unwrap()), OTHER);
    }
}
