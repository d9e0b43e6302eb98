//! What can go wrong with a server, and the one place that turns it into the error of the port.

use esoz_kernel::{StoreError, StoreErrorKind};
use hyper::StatusCode;

/// Why a server's word on a token could not be had. Holds nothing that the server or the caller sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RemoteError {
    /// It took too long.
    #[error("no complete answer within {0} ms")]
    TimedOut(u64),
    /// It cannot be reached, or went away in the middle of its answer.
    #[error("the connection failed: {0}")]
    Connection(String),
    /// More than we are willing to listen to.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// A status that says neither yes nor no.
    #[error("the answer has the status {status}: {meaning}", status = .status.as_u16())]
    Status { status: StatusCode, meaning: &'static str },
    /// An answer that is no JSON: of something in front of the server, such as a page that says that it is being maintained.
    #[error("the answer is not JSON")]
    NotJson,
    /// An answer in JSON that cannot be read.
    #[error("the answer {0}")]
    InvalidAnswer(&'static str),
    /// There are no signing keys, or they are too old, and it is too soon to ask again.
    #[error("there are no signing keys that are fresh enough")]
    NoKeys,
}

impl RemoteError {
    /// What a status other than the expected ones means.
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

    /// What passes by itself is unavailability: the caller may try again. The rest goes on until somebody looks after the
    /// server or the settings, so it is an error of ours and not of the caller's token.
    fn kind(&self) -> StoreErrorKind {
        match self {
            Self::TimedOut(_) | Self::Connection(_) | Self::NotJson | Self::NoKeys => {
                StoreErrorKind::Unavailable
            }
            Self::Status { status, .. } if may_pass(*status) => StoreErrorKind::Unavailable,
            Self::Status { .. } | Self::TooLarge(_) | Self::InvalidAnswer(_) => StoreErrorKind::Unexpected,
        }
    }

    /// The error of the port; `server` is the address without a path, for a path may hold a token.
    pub(crate) fn store_error(self, server: &str) -> StoreError {
        StoreError::new(self.kind(), format!("asking {server} about access tokens")).because(self)
    }
}

fn may_pass(status: StatusCode) -> bool {
    status.is_server_error()
        || status.is_redirection()
        || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}
