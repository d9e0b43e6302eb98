//! A small object store that speaks S3's protocol, in this process's memory: the disk of a test's broker.
//!
//! The broker keeps its messages in an S3 bucket or in its own memory. Its bucket is here, so that what it took
//! outlives it when it is killed. Only what the broker asks for is understood; anything else is answered 501, which
//! the broker tells in its log.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, BufReader},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::SystemTime,
};

use jiff::Timestamp;

use super::{
    error::ServerError,
    object_store_http::{Request, Response, percent_decoded},
};

struct Object {
    content: Vec<u8>,
    tag: String,
    modified: Timestamp,
}

#[derive(Default)]
struct Bucket {
    objects: BTreeMap<String, Object>,
    writes: u64,
}

/// The store, served on a port of 127.0.0.1 until dropped.
#[derive(Debug)]
pub(super) struct ObjectStore {
    address: SocketAddr,
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ObjectStore {
    pub(super) fn start() -> Result<Self, ServerError> {
        let failed = |error: io::Error| ServerError::io("cannot serve the broker's object store", &error);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let ending = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&ending);
        let thread = std::thread::Builder::new()
            .name(String::from("test-object-store"))
            .spawn(move || serve(&listener, &ended))
            .map_err(failed)?;
        Ok(Self { address, ending, thread: Some(thread) })
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
fn serve(listener: &TcpListener, ending: &AtomicBool) {
    let bucket = Arc::new(Mutex::new(Bucket::default()));
    for stream in listener.incoming().flatten() {
        if ending.load(Ordering::SeqCst) {
            return;
        }
        let bucket = Arc::clone(&bucket);
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
    fn answer(&mut self, request: &Request) -> Response {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        // The bucket's name comes first; there is one bucket.
        let key = path.trim_start_matches('/').split_once('/').map_or("", |(_, key)| key);
        let Some(key) = percent_decoded(key) else { return Response::empty(400) };
        match (request.method.as_str(), key.is_empty()) {
            ("GET", true) => self.list(query),
            ("GET" | "HEAD", false) => self.get(&key, request),
            ("PUT", false) if request.header("x-amz-copy-source").is_none() => self.put(key, request),
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
        let Ok(modified) = Timestamp::try_from(SystemTime::now()) else { return Response::empty(500) };
        self.writes = self.writes.saturating_add(1);
        let tag = format!("\"{}\"", self.writes);
        let response = Response::empty(200).with("ETag", tag.clone());
        self.objects.insert(key, Object { content: request.body.clone(), tag, modified });
        response
    }

    fn get(&self, key: &str, request: &Request) -> Response {
        let Some(object) = self.objects.get(key) else {
            return Response::xml(404, String::from("<Error><Code>NoSuchKey</Code></Error>"));
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

    fn list(&self, query: &str) -> Response {
        let parameter = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let found = pairs.find(|(key, _)| *key == name).map_or("", |(_, value)| value);
            percent_decoded(&found.replace('+', " "))
        };
        let (Some(prefix), Some(delimiter), Some(after)) =
            (parameter("prefix"), parameter("delimiter"), parameter("start-after"))
        else {
            return Response::empty(400);
        };
        let mut xml = String::from("<ListBucketResult><IsTruncated>false</IsTruncated>");
        let mut last_folder = "";
        for (key, object) in self.objects.iter().filter(|(key, _)| **key > after) {
            let Some(rest) = key.strip_prefix(&prefix) else { continue };
            let folder = if delimiter.is_empty() { None } else { rest.find(&delimiter) };
            if let Some(folder) = folder.and_then(|at| {
                let end = prefix.len().saturating_add(at).saturating_add(delimiter.len());
                key.get(..end)
            }) {
                if folder != last_folder {
                    // Writing to a String cannot fail; here and below.
                    let name = escaped(folder);
                    let _ = write!(xml, "<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>");
                    last_folder = folder;
                }
                continue;
            }
            let _ = write!(
                xml,
                "<Contents><Key>{}</Key><LastModified>{}</LastModified><ETag>{}</ETag><Size>{}</Size></Contents>",
                escaped(key),
                object.modified.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
                escaped(&object.tag),
                object.content.len(),
            );
        }
        xml.push_str("</ListBucketResult>");
        Response::xml(200, xml)
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(bucket: &mut Bucket, method: &str, target: &str, header: Option<(&str, &str)>) -> (u16, String) {
        let headers = header.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
        let body = format!("body of {target}").into_bytes();
        let request = Request { method: method.to_owned(), target: target.to_owned(), headers, body };
        let response = bucket.answer(&request);
        (response.status, String::from_utf8(response.body).unwrap())
    }

    #[test]
    fn a_conditional_write_happens_once() {
        let mut bucket = Bucket::default();
        let new = Some(("if-none-match", "*"));
        assert_eq!(ask(&mut bucket, "PUT", "/b/a%20b", new).0, 200);
        assert_eq!(ask(&mut bucket, "PUT", "/b/a%20b", new).0, 412);
        assert_eq!(ask(&mut bucket, "PUT", "/b/a%20b", Some(("if-match", "\"2\""))).0, 412);
        assert_eq!(ask(&mut bucket, "PUT", "/b/a%20b", Some(("if-match", "\"1\""))).0, 200);
        assert_eq!(ask(&mut bucket, "PUT", "/b/other", Some(("if-match", "\"1\""))).0, 412);
        assert_eq!(ask(&mut bucket, "GET", "/b/a%20b", Some(("if-none-match", "\"2\""))).0, 304);
        assert_eq!(ask(&mut bucket, "GET", "/b/a%20b", None), (200, String::from("body of /b/a%20b")));
        assert_eq!(ask(&mut bucket, "DELETE", "/b/a%20b", None).0, 204);
        assert_eq!(ask(&mut bucket, "GET", "/b/a%20b", None).0, 404);
        assert_eq!(ask(&mut bucket, "POST", "/b?delete", None).0, 501);
    }

    #[test]
    fn a_list_has_keys_and_folders() {
        let mut bucket = Bucket::default();
        for key in ["x/1", "x/2/a", "x/2/b", "x/3", "y"] {
            ask(&mut bucket, "PUT", &format!("/b/{key}"), None);
        }
        let (status, xml) = ask(&mut bucket, "GET", "/b?list-type=2&prefix=x%2F&delimiter=%2F", None);
        assert_eq!(status, 200);
        let keys: Vec<_> = xml.split("<Key>").skip(1).map(|rest| rest.split('<').next().unwrap()).collect();
        let folders: Vec<_> =
            xml.split("<Prefix>").skip(1).map(|rest| rest.split('<').next().unwrap()).collect();
        assert_eq!((keys, folders), (vec!["x/1", "x/3"], vec!["x/2/"]));
        let (_, xml) = ask(&mut bucket, "GET", "/b?list-type=2&start-after=x%2F3", None);
        assert!(xml.contains("<Key>y</Key>") && !xml.contains("x/"), "{xml}");
    }
}
