use std::net::SocketAddr;

use super::{
    error::ServerError,
    object_store::{ObjectStore, Private},
};

const PRIVATE: Private = Private { name: "containers", access_key_id: "TESTKEY" };

/// A private bucket that is spoken to by S3's protocol, in this process's memory, on a port of 127.0.0.1 until dropped.
///
/// It serves what a media storage needs: `PUT` with `If-None-Match: *`, `GET`, `DELETE`, and lists in pages. A request must be signed with the access
/// key; the signature itself is not checked.
#[derive(Debug)]
pub struct S3Bucket(ObjectStore);

impl S3Bucket {
    /// Starts an empty one.
    pub fn start() -> Result<Self, ServerError> {
        ObjectStore::start_private(PRIVATE).map(Self)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// The URL of the storage.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address())
    }

    /// The name of the bucket.
    pub fn name(&self) -> &'static str {
        PRIVATE.name
    }

    /// The id of the access key. Any secret goes with it.
    pub fn access_key_id(&self) -> &'static str {
        PRIVATE.access_key_id
    }

    /// The names of all objects, in ascending order.
    pub fn objects(&self) -> Vec<String> {
        self.0.bucket().names()
    }

    /// The content of an object.
    pub fn content(&self, name: &str) -> Option<Vec<u8>> {
        self.0.bucket().content(name)
    }

    /// Stores an object, as somebody else would.
    pub fn put(&self, name: &str, content: &[u8]) {
        self.0.bucket().store(name.to_owned(), content.to_owned());
    }

    /// From now on answers every request with this status, or serves them again.
    pub fn refuse_with(&self, status: Option<u16>) {
        self.0.bucket().refusal = status;
    }

    /// From now on does every write and answers it with this status, or with the truth again.
    pub fn answer_writes_with(&self, status: Option<u16>) {
        self.0.bucket().answer_to_writes = status;
    }

    /// How many requests came until now.
    pub fn requests(&self) -> u64 {
        self.0.bucket().requests
    }
}
