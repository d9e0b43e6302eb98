//! A small object store that speaks S3's protocol, in this process's memory: the disk of a test's broker, and what
//! [`S3Bucket`](crate::S3Bucket) shows of it.
//!
//! The broker keeps its messages in an S3 bucket or in its own memory. Its bucket is here, so that what it took
//! outlives it when it is killed. Only what its clients ask for is understood; anything else is answered 501, which
//! they tell in their logs.

use std::{
    collections::BTreeMap,
    fmt,
    io::{self, BufReader},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::SystemTime,
};

use jiff::Timestamp;

use super::{
    error::ServerError,
    object_store_http::{Request, Response, percent_decoded},
    object_store_list::list,
};

pub(super) struct Object {
    pub(super) content: Vec<u8>,
    pub(super) tag: String,
    pub(super) modified: Timestamp,
}

/// Who may use a bucket: requests to this name, signed with this access key. Signatures themselves are not checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Private {
    pub(super) name: &'static str,
    pub(super) access_key_id: &'static str,
}

#[derive(Default)]
pub(super) struct Bucket {
    objects: BTreeMap<String, Object>,
    writes: u64,
    /// Without it, whoever asks is served, by whatever name.
    private: Option<Private>,
    /// What every request is answered with, instead of being served.
    pub(super) refusal: Option<u16>,
    /// What every write is answered with, although it is done.
    pub(super) answer_to_writes: Option<u16>,
    /// How many requests came.
    pub(super) requests: u64,
}

/// The store, served on a port of 127.0.0.1 until dropped.
pub(super) struct ObjectStore {
    address: SocketAddr,
    bucket: Arc<Mutex<Bucket>>,
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for ObjectStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("ObjectStore").field(&self.address).finish()
    }
}

impl ObjectStore {
    /// Starts a store that serves whoever asks.
    pub(super) fn start() -> Result<Self, ServerError> {
        Self::serving(Bucket::default())
    }

    /// Starts a store with one private bucket.
    pub(super) fn start_private(private: Private) -> Result<Self, ServerError> {
        Self::serving(Bucket { private: Some(private), ..Bucket::default() })
    }

    fn serving(bucket: Bucket) -> Result<Self, ServerError> {
        let failed = |error: io::Error| ServerError::io("cannot serve an object store", &error);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let ending = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&ending);
        let bucket = Arc::new(Mutex::new(bucket));
        let served = Arc::clone(&bucket);
        let thread = std::thread::Builder::new()
            .name(String::from("test-object-store"))
            .spawn(move || serve(&listener, &served, &ended))
            .map_err(failed)?;
        Ok(Self { address, bucket, ending, thread: Some(thread) })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn bucket(&self) -> MutexGuard<'_, Bucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the broker is told of it. No secret: the store asks for none.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT", format!("http://{}", self.address)),
            ("AWS_ALLOW_HTTP", String::from("true")),
            ("AWS_CONDITIONAL_PUT", String::from("etag")),
            ("AWS_DEFAULT_REGION", String::from("local")),
            ("AWS_ACCESS_KEY_ID", String::from("test")),
            ("AWS_SECRET_ACCESS_KEY", String::from("test")),
        ]
    }
}

impl Drop for ObjectStore {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::SeqCst);
        // One more connection wakes the thread, which then sees that it ends.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// A thread per connection; each ends with its connection, so at the latest with the broker.
fn serve(listener: &TcpListener, bucket: &Arc<Mutex<Bucket>>, ending: &AtomicBool) {
    for stream in listener.incoming().flatten() {
        if ending.load(Ordering::SeqCst) {
            return;
        }
        let bucket = Arc::clone(bucket);
        // A broker that does not get its answer says so in its log.
        std::thread::spawn(move || drop(converse(&stream, &bucket)));
    }
}

fn converse(mut stream: &TcpStream, bucket: &Mutex<Bucket>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = Request::read(&mut reader)? {
        let response = bucket.lock().unwrap_or_else(PoisonError::into_inner).answer(&request);
        response.write(&mut stream, &request.method)?;
    }
    Ok(())
}

impl Bucket {
    /// The names of all objects, in their order.
    pub(super) fn names(&self) -> Vec<String> {
        self.objects.keys().cloned().collect()
    }

    /// The content of an object.
    pub(super) fn content(&self, name: &str) -> Option<Vec<u8>> {
        self.objects.get(name).map(|object| object.content.clone())
    }

    /// Stores an object.
    pub(super) fn store(&mut self, name: String, content: Vec<u8>) -> Response {
        let Ok(modified) = Timestamp::try_from(SystemTime::now()) else { return Response::empty(500) };
        self.writes = self.writes.saturating_add(1);
        let tag = format!("\"{}\"", self.writes);
        let response = Response::empty(200).with("ETag", tag.clone());
        self.objects.insert(name, Object { content, tag, modified });
        response
    }

    /// Why a request is not served, if it is not.
    fn refused(&self, name: &str, request: &Request) -> Option<Response> {
        if let Some(status) = self.refusal {
            return Some(Response::error(status, "Refused"));
        }
        let private = self.private?;
        let credential = format!("Credential={}/", private.access_key_id);
        if !request.header("authorization").is_some_and(|header| header.contains(&credential)) {
            return Some(Response::error(403, "AccessDenied"));
        }
        (name != private.name).then(|| Response::error(404, "NoSuchBucket"))
    }

    fn answer(&mut self, request: &Request) -> Response {
        self.requests = self.requests.saturating_add(1);
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        // The bucket's name comes first; there is one bucket.
        let path = path.trim_start_matches('/');
        let (name, key) = path.split_once('/').unwrap_or((path, ""));
        if let Some(refused) = self.refused(name, request) {
            return refused;
        }
        let Some(key) = percent_decoded(key) else { return Response::empty(400) };
        match (request.method.as_str(), key.is_empty()) {
            ("GET", true) => list(&self.objects, query),
            ("GET" | "HEAD", false) => self.get(&key, request),
            ("PUT", false) if request.header("x-amz-copy-source").is_none() => {
                let answer = self.put(key, request);
                self.answer_to_writes.map_or(answer, |status| Response::error(status, "Unsure"))
            }
            ("DELETE", false) => {
                self.objects.remove(&key);
                Response::empty(204)
            }
            _ => Response::empty(501),
        }
    }

    fn put(&mut self, key: String, request: &Request) -> Response {
        let present = self.objects.get(&key);
        if request.header("if-none-match") == Some("*") && present.is_some() {
            return Response::empty(412);
        }
        if let Some(wanted) = request.header("if-match")
            && present.is_none_or(|object| object.tag != wanted)
        {
            return Response::empty(412);
        }
        self.store(key, request.body.clone())
    }

    fn get(&self, key: &str, request: &Request) -> Response {
        let Some(object) = self.objects.get(key) else {
            return Response::error(404, "NoSuchKey");
        };
        if request.header("range").is_some() {
            return Response::empty(501);
        }
        let status = if request.header("if-none-match") == Some(object.tag.as_str()) {
            304
        } else if request.header("if-match").is_some_and(|wanted| wanted != object.tag) {
            412
        } else {
            200
        };
        let content = if status == 200 { object.content.clone() } else { Vec::new() };
        Response::of(status, content)
            .with("ETag", object.tag.clone())
            .with("Last-Modified", object.modified.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
    }
}

#[cfg(test)]
#[path = "object_store_tests.rs"]
mod tests;
