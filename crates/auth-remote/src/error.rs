//! Errors of a token server, and their translation into [`StoreError`].

use esoz_https::RequestError;
use esoz_kernel::{StoreError, StoreErrorKind};

/// Why a server's answer about a token is not available. Holds nothing that the server or the caller sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RemoteError {
    /// The request failed, or its answer is none about a token.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// There are no signing keys, or only expired ones, and the next fetch is not due yet.
    #[error("there are no signing keys that are fresh enough")]
    NoKeys,
}

impl RemoteError {
    /// Translates the error. `server` is the URL without its path, which may hold a token.
    pub(crate) fn store_error(self, server: &str) -> StoreError {
        let kind = match &self {
            Self::Request(error) => error.kind(),
            Self::NoKeys => StoreErrorKind::Unavailable,
        };
        StoreError::new(kind, format!("asking {server} about access tokens")).because(self)
    }
}
