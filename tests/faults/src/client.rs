//! A lean HTTP client over one connection, which tells whether a request that has no answer can have reached the server.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// How long a connection may take to be made.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

/// What became of a request.
#[derive(Debug)]
pub enum Sent {
    /// The status and the body of the answer, `null` if it has none.
    Answer(u16, Value),
    /// It never left: nothing can have happened.
    Never(String),
    /// It left, or may have, and no whole answer came.
    Lost(String),
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The verb.
    pub method: Method,
    /// The path.
    pub path: String,
    /// Name and value of each header.
    pub headers: Vec<(&'static str, String)>,
    /// The body, declared to be JSON; none if empty.
    pub body: String,
}

impl Ask {
    fn request(&self, host: SocketAddr) -> Result<Request<Full<Bytes>>, String> {
        let mut request = Request::builder().method(self.method.clone()).uri(&self.path);
        request = request.header("host", host.to_string());
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if !self.body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        request.body(Full::new(Bytes::from(self.body.clone()))).map_err(|error| error.to_string())
    }
}

/// A connection that is made when it is first used, and anew after it broke.
#[derive(Debug)]
pub struct Connection {
    /// How long an answer may take.
    pub answer_within: Duration,
    /// Whether it is used for as long as the server keeps it, also when another server is named.
    stays: bool,
    open: Option<(SocketAddr, SendRequest<Full<Bytes>>)>,
}

impl Connection {
    /// A connection that is not made yet.
    pub const fn new(answer_within: Duration, stays: bool) -> Self {
        Self { answer_within, stays, open: None }
    }

    /// Asks the server at that address.
    pub async fn ask(&mut self, address: SocketAddr, ask: &Ask) -> Sent {
        let request = match ask.request(address) {
            Ok(request) => request,
            Err(error) => return Sent::Never(error),
        };
        let (address, mut sender) = match self.sender(address).await {
            Ok(found) => found,
            Err(error) => return Sent::Never(error),
        };
        let answer = async {
            let response = match sender.try_send_request(request).await {
                Ok(response) => response,
                Err(error) if error.message().is_some() => return Sent::Never(error.error().to_string()),
                Err(error) => return Sent::Lost(error.error().to_string()),
            };
            let status = response.status().as_u16();
            let whole = match response.into_body().collect().await {
                Ok(body) => body.to_bytes(),
                Err(error) => return Sent::Lost(error.to_string()),
            };
            if whole.is_empty() {
                return Sent::Answer(status, Value::Null);
            }
            serde_json::from_slice(&whole).map_or_else(
                |_| Sent::Lost(format!("{status} with a body that is no JSON")),
                |body| Sent::Answer(status, body),
            )
        };
        let sent = tokio::time::timeout(self.answer_within, answer).await;
        let sent = sent.unwrap_or_else(|_| Sent::Lost(format!("no answer within {:?}", self.answer_within)));
        if matches!(sent, Sent::Answer(..)) {
            self.open = Some((address, sender));
        }
        sent
    }

    /// The connection to that address, and to which it is: the one that is there, else a new one.
    async fn sender(
        &mut self,
        address: SocketAddr,
    ) -> Result<(SocketAddr, SendRequest<Full<Bytes>>), String> {
        if let Some((to, mut sender)) = self.open.take()
            && (to == address || self.stays)
            && sender.ready().await.is_ok()
        {
            return Ok((to, sender));
        }
        let connect = async {
            let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
            stream.set_nodelay(true).map_err(|error| error.to_string())?;
            let (sender, connection) =
                handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
            // Its end shows at the sender.
            tokio::spawn(connection);
            Ok((address, sender))
        };
        tokio::time::timeout(CONNECT_WITHIN, connect)
            .await
            .unwrap_or_else(|_| Err(String::from("no connection in time")))
    }
}
