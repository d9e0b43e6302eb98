//! A small HTTP server that answers as it is told, badly too, and remembers what it was asked.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};

/// How a request is answered.
#[derive(Clone)]
pub(crate) enum Reply {
    /// With a status and a JSON body.
    Json(u16, String),
    /// With these bytes, whatever they are; then the connection is closed.
    Raw(Vec<u8>),
    /// With the beginning of an answer, and then one byte after the other, for ever.
    Drip,
    /// Not at all; the connection stays open.
    Silence,
    /// With the first one when the second says so.
    Held(Box<Reply>, tokio::sync::watch::Receiver<bool>),
    /// With what it makes of the request.
    By(Arc<dyn Fn(&Seen) -> Reply + Send + Sync>),
}

impl Reply {
    pub(crate) fn ok(body: impl ToString) -> Self {
        Self::Json(200, body.to_string())
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// The first line and the headers.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
    }
}

struct Shared {
    reply: Mutex<Reply>,
    seen: Mutex<Vec<Seen>>,
    waiting: Mutex<Waiting>,
}

/// Requests that came and are not being answered yet.
#[derive(Default)]
struct Waiting {
    now: usize,
    most: usize,
}

impl Shared {
    fn wait(&self) {
        let mut waiting = self.waiting.lock().unwrap();
        waiting.now += 1;
        waiting.most = waiting.most.max(waiting.now);
    }
}

/// The server; stops when dropped.
pub(crate) struct TestServer {
    port: u16,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl TestServer {
    pub(crate) async fn start(reply: Reply) -> Self {
        Self::start_with(reply, None).await
    }

    /// With TLS, if there is an acceptor.
    pub(crate) async fn start_with(reply: Reply, tls: Option<tokio_rustls::TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared =
            Arc::new(Shared { reply: Mutex::new(reply), seen: Mutex::default(), waiting: Mutex::default() });
        let serving = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (shared, tls) = (Arc::clone(&serving), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, &shared).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => serve(stream, &shared).await,
                            // A client that does not trust this server.
                            Err(_) => Some(()),
                        },
                    }
                });
            }
        });
        Self { port, shared, task }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn set(&self, reply: Reply) {
        *self.shared.reply.lock().unwrap() = reply;
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// The most requests that waited for their answers at the same time.
    pub(crate) fn most_at_once(&self) -> usize {
        self.shared.waiting.lock().unwrap().most
    }

    pub(crate) fn requests(&self) -> usize {
        self.shared.seen.lock().unwrap().len()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Reads one request and answers it. `None` when the client goes away.
async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, shared: &Shared) -> Option<()> {
    let mut bytes = Vec::new();
    let seen = loop {
        let mut chunk = [0; 4_096];
        let read = stream.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&chunk[..read]);
        if let Some(seen) = complete(&bytes) {
            break seen;
        }
    };
    let mut reply = shared.reply.lock().unwrap().clone();
    shared.seen.lock().unwrap().push(seen.clone());
    shared.wait();
    loop {
        reply = match reply {
            Reply::Held(held, mut released) => {
                released.wait_for(|released| *released).await.ok()?;
                *held
            }
            Reply::By(answer) => answer(&seen),
            _ => break,
        };
    }
    shared.waiting.lock().unwrap().now -= 1;
    answer(&mut stream, reply).await
}

fn complete(bytes: &[u8]) -> Option<Seen> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let seen = Seen { head: head.to_owned(), body: body.to_owned() };
    let length: usize = seen.header("content-length").map_or(0, |length| length.parse().unwrap());
    (body.len() >= length).then_some(seen)
}

async fn answer(stream: &mut (impl AsyncWrite + Unpin), reply: Reply) -> Option<()> {
    match reply {
        Reply::Json(status, body) => {
            let length = body.len();
            let head = format!("HTTP/1.1 {status} Status\r\ncontent-type: application/json\r\n");
            let text = format!("{head}content-length: {length}\r\nconnection: close\r\n\r\n{body}");
            stream.write_all(text.as_bytes()).await.ok()?;
        }
        Reply::Raw(bytes) => stream.write_all(&bytes).await.ok()?,
        Reply::Drip => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 60000\r\n\r\n").await.ok()?;
            loop {
                stream.write_all(b" ").await.ok()?;
                stream.flush().await.ok()?;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        Reply::Silence => std::future::pending().await,
        Reply::Held(..) | Reply::By(_) => unreachable!("it was made another before"),
    }
    stream.shutdown().await.ok()
}
