//! Errors of a token server, and their translation into [`StoreError`].

use esoz_kernel::{StoreError, StoreErrorKind};
use hyper::StatusCode;

/// Why a server's answer about a token is not available. Holds nothing that the server or the caller sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RemoteError {
    /// The time limit of the request passed.
    #[error("no complete answer within {0} ms")]
    TimedOut(u64),
    /// The server cannot be reached, or closed the connection before the end of its response.
    #[error("the connection failed: {0}")]
    Connection(String),
    /// The response body is larger than the limit.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// A status that neither confirms nor denies the token.
    #[error("the answer has the status {status}: {meaning}", status = .status.as_u16())]
    Status { status: StatusCode, meaning: &'static str },
    /// The body is not JSON: something in front of the server answered, such as a maintenance page.
    #[error("the answer is not JSON")]
    NotJson,
    /// The body is JSON without the required members, or with members of another form.
    #[error("the answer {0}")]
    InvalidAnswer(&'static str),
    /// There are no signing keys, or only expired ones, and the next fetch is not due yet.
    #[error("there are no signing keys that are fresh enough")]
    NoKeys,
}

impl RemoteError {
    /// Creates the error of an unexpected status.
    pub(crate) fn status(status: StatusCode) -> Self {
        let meaning = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                "check what this service authenticates itself with"
            }
            _ if status.is_redirection() => "redirects are not followed; check the url",
            _ if may_pass(status) => "the server cannot answer now",
            _ => "check the url",
        };
        Self::Status { status, meaning }
    }

    /// Temporary conditions are `Unavailable`, so that the caller retries. The others last until an operator corrects the server or the
    /// settings: they are internal errors, never a verdict on the caller's token.
    fn kind(&self) -> StoreErrorKind {
        match self {
            Self::TimedOut(_) | Self::Connection(_) | Self::NotJson | Self::NoKeys => {
                StoreErrorKind::Unavailable
            }
            Self::Status { status, .. } if may_pass(*status) => StoreErrorKind::Unavailable,
            Self::Status { .. } | Self::TooLarge(_) | Self::InvalidAnswer(_) => StoreErrorKind::Unexpected,
        }
    }

    /// Translates the error. `server` is the URL without its path, which may hold a token.
    pub(crate) fn store_error(self, server: &str) -> StoreError {
        StoreError::new(self.kind(), format!("asking {server} about access tokens")).because(self)
    }
}

fn may_pass(status: StatusCode) -> bool {
    status.is_server_error()
        || status.is_redirection()
        || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}
