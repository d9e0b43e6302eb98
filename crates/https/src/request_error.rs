use esoz_kernel::StoreErrorKind;
use hyper::StatusCode;

/// Why a server's answer is not available. Holds nothing that the server or the caller sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The time limit of the request passed.
    #[error("no complete answer within {0} ms")]
    TimedOut(u64),
    /// The server cannot be reached, or closed the connection before the end of its response.
    #[error("the connection failed: {0}")]
    Connection(String),
    /// The response body is larger than the limit.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// A status that answers nothing.
    #[error("the answer has the status {status}: {meaning}", status = .status.as_u16())]
    Status {
        /// The status.
        status: StatusCode,
        /// What an operator can do about it.
        meaning: &'static str,
    },
    /// The body is not JSON: something in front of the server answered, such as a maintenance page.
    #[error("the answer is not JSON")]
    NotJson,
    /// The body is JSON without the required members, or with members of another form.
    #[error("the answer {0}")]
    InvalidAnswer(&'static str),
}

impl RequestError {
    /// Creates the error of an unexpected status.
    pub fn status(status: StatusCode) -> Self {
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
    /// settings: they are internal errors, never a verdict on what was asked about.
    pub fn kind(&self) -> StoreErrorKind {
        match self {
            Self::TimedOut(_) | Self::Connection(_) | Self::NotJson => StoreErrorKind::Unavailable,
            Self::Status { status, .. } if may_pass(*status) => StoreErrorKind::Unavailable,
            Self::Status { .. } | Self::TooLarge(_) | Self::InvalidAnswer(_) => StoreErrorKind::Unexpected,
        }
    }
}

fn may_pass(status: StatusCode) -> bool {
    status.is_server_error()
        || status.is_redirection()
        || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}
