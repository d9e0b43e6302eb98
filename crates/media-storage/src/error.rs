//! Translates failures of the folder and of the S3 client into [`StoreError`]s.

use std::error::Error;
use std::io;

use esoz_kernel::{StoreError, StoreErrorKind};
use hyper::StatusCode;
use rustix::io::Errno;

/// Why an operation failed. Holds nothing of a container, no credentials, and of an answer no more than its status and S3's code.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MediaError {
    /// The time limit of the operation passed.
    #[error("it took longer than {0} ms")]
    TimedOut(u64),
    /// There is a container under that key.
    #[error("there is one under this key already, which stays as it is")]
    Taken,
    /// What is stored there is larger than any container.
    #[error("it has more than {} bytes", crate::MAX_CONTAINER_BYTES)]
    TooLarge,
    /// A file or folder cannot be used.
    #[error(
        "{0}; check that the folder is there, is the service's own, and has room; a new and empty one is taken by a restart"
    )]
    Io(#[from] io::Error),
    /// The storage did not do it.
    #[error(transparent)]
    S3(#[from] S3Error),
}

/// Why a request to an S3 storage failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum S3Error {
    /// The storage cannot be reached, or closed the connection before the end of its response.
    #[error("the connection failed: {0}")]
    Connection(String),
    /// The answer says that it was not done.
    #[error("the answer is {status} {code}: {meaning}", status = .status.as_u16(), meaning = meaning(*.status))]
    Status {
        /// The status of the answer.
        status: StatusCode,
        /// S3's word for it, or nothing.
        code: String,
    },
    /// Something else stands where the storage should be, or it lists names that the client cannot read.
    #[error("the answer is not that of an S3 storage; check the endpoint")]
    NotS3,
}

fn meaning(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            "check the access key, the policy of the bucket, and the clock of this machine"
        }
        StatusCode::NOT_FOUND => "check the endpoint and the bucket",
        StatusCode::CONFLICT => "another request was changing the same object",
        _ if may_pass(status) => "the storage cannot serve requests now",
        _ => "check the endpoint, the bucket and the region",
    }
}

fn may_pass(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}

impl S3Error {
    /// Finds the cause that the HTTP client put into an error of the S3 client.
    pub(crate) fn within(error: &object_store::Error) -> Self {
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(error) = cause {
            if let Some(found) = error.downcast_ref::<Self>() {
                return found.clone();
            }
            cause = error.source();
        }
        Self::NotS3
    }

    /// Whether the answer is that the object, in a bucket that is there, is not.
    pub(crate) fn is_absence(&self) -> bool {
        matches!(self, Self::Status { status: StatusCode::NOT_FOUND, code } if code == "NoSuchKey")
    }

    /// Whether the answer is that an object is there which must not be.
    pub(crate) fn is_presence(&self) -> bool {
        matches!(self, Self::Status { status: StatusCode::PRECONDITION_FAILED, .. })
    }
}

impl MediaError {
    fn kind(&self) -> StoreErrorKind {
        match self {
            Self::TimedOut(_) | Self::S3(S3Error::Connection(_)) => StoreErrorKind::Unavailable,
            Self::S3(S3Error::Status { status, .. }) if may_pass(*status) => StoreErrorKind::Unavailable,
            Self::S3(S3Error::Status { status: StatusCode::CONFLICT, .. }) => StoreErrorKind::Conflict,
            Self::TooLarge => StoreErrorKind::Corrupt,
            Self::Io(error) if is_outage(error) => StoreErrorKind::Unavailable,
            Self::Taken | Self::S3(_) | Self::Io(_) => StoreErrorKind::Unexpected,
        }
    }

    /// Translates it; `attempted` says what the call was doing, `name` to which storage.
    pub(crate) fn during(self, attempted: &str, name: &str) -> StoreError {
        StoreError::new(self.kind(), format!("{attempted}, media storage {name}")).because(self)
    }
}

/// Whether an operator has to mend the disk or the folder, after which the same call may succeed.
fn is_outage(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    let by_kind = matches!(
        error.kind(),
        Kind::NotFound
            | Kind::NotADirectory
            | Kind::PermissionDenied
            | Kind::ReadOnlyFilesystem
            | Kind::StorageFull
            | Kind::QuotaExceeded
            | Kind::TimedOut
            | Kind::StaleNetworkFileHandle
            | Kind::NetworkDown
            | Kind::HostUnreachable
            | Kind::OutOfMemory
    );
    // An error of the device, and too many open files, have no kind that can be named.
    by_kind || matches!(Errno::from_io_error(error), Some(Errno::IO | Errno::MFILE | Errno::NFILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of_status(status: u16) -> StoreErrorKind {
        let status = StatusCode::from_u16(status).unwrap();
        MediaError::from(S3Error::Status { status, code: String::new() }).kind()
    }

    #[test]
    fn what_may_pass_is_unavailable() {
        for status in [408, 429, 500, 502, 503, 507] {
            assert_eq!(kind_of_status(status), StoreErrorKind::Unavailable, "{status}");
        }
        for status in [301, 400, 401, 403, 404, 412] {
            assert_eq!(kind_of_status(status), StoreErrorKind::Unexpected, "{status}");
        }
        assert_eq!(kind_of_status(409), StoreErrorKind::Conflict);
    }

    #[test]
    fn a_disk_that_cannot_be_written_is_unavailable() {
        let kind = |errno: Errno| MediaError::from(io::Error::from(errno)).kind();
        for errno in [
            Errno::ACCESS,
            Errno::PERM,
            Errno::ROFS,
            Errno::NOSPC,
            Errno::DQUOT,
            Errno::IO,
            Errno::NOENT,
            Errno::NOTDIR,
        ] {
            assert_eq!(kind(errno), StoreErrorKind::Unavailable, "{errno:?}");
        }
        for errno in [Errno::ISDIR, Errno::INVAL] {
            assert_eq!(kind(errno), StoreErrorKind::Unexpected, "{errno:?}");
        }
    }

    #[test]
    fn absence_of_the_bucket_is_no_absence_of_the_object() {
        let answer = |code: &str| S3Error::Status { status: StatusCode::NOT_FOUND, code: code.to_owned() };
        assert!(answer("NoSuchKey").is_absence());
        assert!(!answer("NoSuchBucket").is_absence() && !answer("").is_absence());
    }
}
