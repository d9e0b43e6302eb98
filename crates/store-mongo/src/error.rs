//! What the driver says, in the words of the ports: by kind and code, never by text.
//!
//! The driver's own errors go no further than this file. Their text, and the server's answer that they carry, may
//! repeat a whole command or document, and with it a patient's pseudonym. What is kept is the code and its name, and
//! the text of failures to reach a server, which speaks of addresses alone.

use std::time::Duration;

use esoz_kernel::{StoreError, StoreErrorKind};
use mongodb::error::{
    Error, ErrorKind, IndexedWriteError, RETRYABLE_ERROR, RETRYABLE_WRITE_ERROR, TRANSIENT_TRANSACTION_ERROR,
    UNKNOWN_TRANSACTION_COMMIT_RESULT, WriteFailure,
};

/// The server's codes, <https://github.com/mongodb/mongo/blob/v6.0/src/mongo/base/error_codes.yml>.
pub(crate) mod code {
    pub(super) const BAD_VALUE: i32 = 2;
    /// An update goes through a field that has no fields.
    pub(super) const PATH_NOT_VIABLE: i32 = 28;
    pub(super) const NAMESPACE_NOT_FOUND: i32 = 26;
    pub(super) const INDEX_NOT_FOUND: i32 = 27;
    pub(super) const CANNOT_CREATE_INDEX: i32 = 67;
    pub(super) const WRITE_CONFLICT: i32 = 112;
    pub(super) const DUPLICATE_KEY: [i32; 3] = [11000, 11001, 12582];
    /// Going down, stepping down, out of time, cut off from the majority or overloaded: the same may succeed later.
    pub(super) const UNAVAILABLE: [i32; 28] = [
        6, 7, 89, 9001, // host unreachable, host not found, network timeout, socket
        50, 202, 262, 11601, // out of time: maxTimeMS, network, server's limit; interrupted
        64, 100, // not acknowledged by the majority: in time; with what is there
        91, 189, 10058, 10107, 11600, 11602, 13435, 13436, // not, or no longer, a primary
        133, 134, // no such member; majority not there yet
        43, 136, 175, 237, // cursor or plan killed
        70, 71, // unknown shard or replica set member, for now
        391, 462, // to authenticate again; too many requests
    ];
}

/// How an operation failed.
#[derive(Debug, Clone)]
pub(crate) enum MongoError {
    /// The driver or the server says why.
    Driver(Error),
    /// There was no answer within this time. Whether a write took effect is unknown.
    Timeout(Duration),
    /// The server answers a command that it carried out with this code.
    Server(i32),
    /// The server's answer to a command is not one that the command has.
    MalformedReply,
    /// A scan cannot go on from a cursor that this store has not given.
    MalformedCursor,
}

impl From<Error> for MongoError {
    fn from(error: Error) -> Self {
        Self::Driver(error)
    }
}

impl MongoError {
    /// The failure of what was attempted.
    pub(crate) fn during(&self, attempted: impl Into<String>) -> StoreError {
        let cause = match self {
            Self::Driver(error) => describe(error),
            Self::Timeout(limit) => format!("no answer within {} ms", limit.as_millis()),
            Self::Server(code) => answered(*code, ""),
            Self::MalformedReply => "MongoDB answered what cannot be".to_owned(),
            Self::MalformedCursor => "the cursor is not one that this store has given".to_owned(),
        };
        StoreError::new(self.kind(), attempted).because(Cause(cause))
    }

    /// The kind of failure that it is for a caller.
    pub(crate) fn kind(&self) -> StoreErrorKind {
        match self {
            Self::Driver(error) => kind(error),
            Self::Timeout(_) => StoreErrorKind::Unavailable,
            Self::Server(code) => kind_of_code(*code),
            Self::MalformedReply | Self::MalformedCursor => StoreErrorKind::Unexpected,
        }
    }

    /// Whether the server refused an update because a field is not of the type that the update needs.
    pub(crate) fn is_wrong_type(&self) -> bool {
        let codes = [code::BAD_VALUE, code::PATH_NOT_VIABLE];
        matches!(self, Self::Driver(error) if server_code(error).is_some_and(|code| codes.contains(&code)))
    }

    /// Whether the server refused a query because there is no index of the name in its hint. The code alone says that some value is bad.
    pub(crate) fn is_bad_hint(&self) -> bool {
        let Self::Driver(error) = self else { return false };
        matches!(error.kind.as_ref(), ErrorKind::Command(command) if command.code == code::BAD_VALUE && command.message.contains("hint"))
    }

    /// Whether the server refused an update because a field that it goes through is no document.
    pub(crate) fn is_path_not_viable(&self) -> bool {
        matches!(self, Self::Driver(error) if server_code(error) == Some(code::PATH_NOT_VIABLE))
    }

    /// Whether the server refused an index as one that cannot be, as a router (mongos) does with a unique index on a collection that is
    /// sharded by another field.
    pub(crate) fn is_impossible_index(&self) -> bool {
        matches!(self, Self::Driver(error) if server_code(error) == Some(code::CANNOT_CREATE_INDEX))
    }

    /// Whether the server has no index of the name that shall be dropped.
    pub(crate) fn is_index_not_found(&self) -> bool {
        matches!(self, Self::Driver(error) if server_code(error) == Some(code::INDEX_NOT_FOUND))
    }

    /// Whether the server has no such collection.
    pub(crate) fn is_namespace_not_found(&self) -> bool {
        matches!(self, Self::Driver(error) if server_code(error) == Some(code::NAMESPACE_NOT_FOUND))
    }

    /// Whether the server refused a write because a document with the same key is there.
    pub(crate) fn is_duplicate_key(&self) -> bool {
        match self {
            Self::Driver(error) => server_code(error).is_some_and(is_duplicate_key),
            Self::Server(code) => is_duplicate_key(*code),
            _ => false,
        }
    }

    /// Whether a transaction was not committed, and the same may succeed when it is begun again.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self, Self::Driver(error) if error.contains_label(TRANSIENT_TRANSACTION_ERROR))
    }

    /// Whether a commit was sent, and its outcome is unknown.
    pub(crate) fn is_unknown_commit(&self) -> bool {
        matches!(self, Self::Driver(error) if error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT))
    }

    /// The documents that the server refused of several; `None` when the others are not known to be stored.
    pub(crate) fn refused_documents(self) -> Option<Vec<IndexedWriteError>> {
        let Self::Driver(error) = self else { return None };
        match *error.kind {
            ErrorKind::InsertMany(partly) if partly.write_concern_error.is_none() => partly.write_errors,
            _ => None,
        }
    }

    /// Whether the server answered and the driver could not read what.
    pub(crate) fn is_unreadable_answer(&self) -> bool {
        let Self::Driver(error) = self else { return false };
        matches!(
            error.kind.as_ref(),
            ErrorKind::InvalidResponse { .. } | ErrorKind::Bson(_) | ErrorKind::BsonDeserialization(_)
        )
    }
}

/// Whether this code of a write error says that a document with the same key is there.
pub(crate) fn is_duplicate_key(code: i32) -> bool {
    code::DUPLICATE_KEY.contains(&code)
}

/// What is left of the driver's error: nothing that could be about a patient or a password.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Cause(String);

fn kind(error: &Error) -> StoreErrorKind {
    if error.contains_label(RETRYABLE_WRITE_ERROR) || error.contains_label(RETRYABLE_ERROR) {
        return StoreErrorKind::Unavailable;
    }
    match error.kind.as_ref() {
        ErrorKind::Io(_)
        | ErrorKind::ConnectionPoolCleared { .. }
        | ErrorKind::ServerSelection { .. }
        | ErrorKind::DnsResolve { .. }
        | ErrorKind::Shutdown => StoreErrorKind::Unavailable,
        ErrorKind::Bson(_) | ErrorKind::BsonDeserialization(_) => StoreErrorKind::Corrupt,
        _ => server_code(error).map_or(StoreErrorKind::Unexpected, kind_of_code),
    }
}

fn kind_of_code(code: i32) -> StoreErrorKind {
    if code == code::WRITE_CONFLICT {
        StoreErrorKind::Conflict
    } else if code::UNAVAILABLE.contains(&code) {
        StoreErrorKind::Unavailable
    } else {
        StoreErrorKind::Unexpected
    }
}

fn server_code(error: &Error) -> Option<i32> {
    server_error(error).map(|(code, _)| code)
}

/// The server's code and its name. A write that the majority did not acknowledge counts before one that was refused.
fn server_error(error: &Error) -> Option<(i32, &str)> {
    match error.kind.as_ref() {
        ErrorKind::Command(command) => Some((command.code, &command.code_name)),
        ErrorKind::Write(WriteFailure::WriteConcernError(concern)) => {
            Some((concern.code, &concern.code_name))
        }
        ErrorKind::Write(WriteFailure::WriteError(write)) => {
            Some((write.code, write.code_name.as_deref().unwrap_or_default()))
        }
        ErrorKind::InsertMany(failed) => {
            let concern = failed.write_concern_error.as_ref();
            let concern = concern.map(|concern| (concern.code, concern.code_name.as_str()));
            let write = failed.write_errors.as_deref().and_then(<[_]>::first);
            concern.or(write.map(|write| (write.code, write.code_name.as_deref().unwrap_or_default())))
        }
        _ => None,
    }
}

fn answered(code: i32, name: &str) -> String {
    if name.is_empty() {
        format!("MongoDB answered with error {code}")
    } else {
        format!("MongoDB answered with error {code} ({name})")
    }
}

fn describe(error: &Error) -> String {
    if let Some((code, name)) = server_error(error) {
        return answered(code, name);
    }
    match error.kind.as_ref() {
        ErrorKind::Io(io) => format!("the connection to MongoDB failed: {io}"),
        ErrorKind::ServerSelection { message, .. }
        | ErrorKind::ConnectionPoolCleared { message, .. }
        | ErrorKind::DnsResolve { message, .. }
        | ErrorKind::Authentication { message, .. }
        | ErrorKind::InvalidTlsConfig { message, .. }
        | ErrorKind::IncompatibleServer { message, .. } => message.clone(),
        ErrorKind::Bson(_) | ErrorKind::BsonDeserialization(_) | ErrorKind::BsonSerialization(_) => {
            String::from("a document could not be read or written as BSON")
        }
        ErrorKind::InvalidArgument { .. } => String::from("the driver refused an argument"),
        ErrorKind::InvalidResponse { .. } => String::from("MongoDB's answer could not be understood"),
        ErrorKind::SessionsNotSupported => {
            String::from("the server has no sessions: it must be a replica set")
        }
        ErrorKind::Shutdown => String::from("the client has been shut down"),
        _ => String::from("the MongoDB driver failed"),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::error::Error as _;

    use super::*;

    pub(crate) fn command_error(code: i32, name: &str) -> Error {
        let command = bson::doc! { "code": code, "codeName": name, "errmsg": "about pseudonym F648B223" };
        ErrorKind::Command(bson::deserialize_from_document(command).unwrap()).into()
    }

    #[test]
    fn the_servers_code_decides() {
        for (code, expected) in [
            (112, StoreErrorKind::Conflict),
            (10107, StoreErrorKind::Unavailable),
            (50, StoreErrorKind::Unavailable),
            (64, StoreErrorKind::Unavailable),
            (121, StoreErrorKind::Unexpected),
            (13, StoreErrorKind::Unexpected),
        ] {
            let error = MongoError::from(command_error(code, "X")).during("testing");
            assert_eq!(error.kind(), expected, "{code}");
        }
    }

    #[test]
    fn a_network_that_fails_is_unavailability_and_an_unreadable_document_corruption() {
        let io = Error::from(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        assert_eq!(MongoError::from(io).during("testing").kind(), StoreErrorKind::Unavailable);
        let timeout = MongoError::Timeout(Duration::from_millis(7)).during("testing");
        assert_eq!(timeout.kind(), StoreErrorKind::Unavailable);
        assert_eq!(timeout.source().unwrap().to_string(), "no answer within 7 ms");
        let unreadable = bson::RawDocumentBuf::from_bytes(vec![1, 2]).unwrap_err();
        assert_eq!(
            MongoError::from(Error::from(unreadable)).during("testing").kind(),
            StoreErrorKind::Corrupt
        );
    }

    #[test]
    fn the_servers_words_stay_behind() {
        let error = MongoError::from(command_error(13, "Unauthorized")).during("testing");
        let shown = format!("{error} {error:?} {}", error.source().unwrap());
        assert!(!shown.contains("F648B223"), "{shown}");
        assert!(shown.contains("13 (Unauthorized)"), "{shown}");
    }

    #[test]
    fn no_code_stands_twice() {
        let distinct: std::collections::HashSet<_> = code::UNAVAILABLE.iter().collect();
        assert_eq!(distinct.len(), code::UNAVAILABLE.len());
    }
}
