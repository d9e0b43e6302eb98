//! Requests over HTTP/1.1: one connection, kept alive, for each who asks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

use super::{Lane, Meter, all};
use crate::job::{Job, Outcome, Toggle, Way, Work};

type Asking = SendRequest<Full<Bytes>>;

pub(super) async fn run(job: &Arc<Job>) -> Result<Outcome> {
    let Way::Http { address, token, api_key } = &job.way else { anyhow::bail!("this goes over HTTP") };
    let head = Arc::new(Head::new(*address, token, api_key)?);
    let mut connections = Vec::new();
    for _ in 0..job.at_once {
        connections.push(connect(*address).await?);
    }
    let meter = Arc::new(Meter::start(job));
    let workers = connections.into_iter().map(|connection| {
        let (job, head, meter) = (job.clone(), head.clone(), meter.clone());
        tokio::spawn(async move { ask(&job, &head, &meter, connection).await })
    });
    all(workers.collect()).await?;
    Arc::into_inner(meter).context("somebody is still asking")?.outcome()
}

async fn connect(address: SocketAddr) -> Result<Asking> {
    let stream = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
    stream.set_nodelay(true)?;
    let (asking, connection) = handshake(TokioIo::new(stream)).await.context("beginning to speak HTTP")?;
    // How it ends, the next request learns.
    tokio::spawn(connection);
    Ok(asking)
}

async fn ask(job: &Job, head: &Head, meter: &Meter, mut connection: Asking) -> Result<()> {
    let mut lane = Lane::default();
    while let Some(turn) = meter.turn() {
        let asked = head.asked(&job.work, turn)?;
        let began = Instant::now();
        answered(&mut connection, asked).await?;
        meter.done(&mut lane, began);
    }
    meter.hand_in(lane);
    Ok(())
}

/// Sends a request and holds the answer against what is due.
async fn answered(connection: &mut Asking, (request, due): (Request<Full<Bytes>>, StatusCode)) -> Result<()> {
    connection.ready().await.context("the server closed a connection")?;
    let answer = connection.send_request(request).await.context("asking the server")?;
    let status = answer.status();
    let body = answer.into_body().collect().await.context("reading an answer")?.to_bytes();
    ensure!(
        status == due,
        "the server answered {status} where {due} was due: {}",
        String::from_utf8_lossy(&body)
    );
    Ok(())
}

/// Somebody who asks now and then, in this process.
pub struct Caller {
    runtime: Runtime,
    head: Head,
    work: Work,
    connection: Asking,
}

impl Caller {
    /// Connects to the server of that job, to ask for its work.
    pub fn new(job: &Job) -> Result<Self> {
        let Way::Http { address, token, api_key } = &job.way else { anyhow::bail!("this goes over HTTP") };
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let connection = runtime.block_on(connect(*address))?;
        Ok(Self { runtime, head: Head::new(*address, token, api_key)?, work: job.work.clone(), connection })
    }

    /// Asks for the work of that turn, and waits for the answer.
    pub fn ask(&mut self, turn: u64) -> Result<()> {
        let asked = self.head.asked(&self.work, turn)?;
        self.runtime.block_on(answered(&mut self.connection, asked))
    }
}

/// What the requests have in common.
struct Head {
    host: HeaderValue,
    authorization: HeaderValue,
    api_key: HeaderValue,
}

impl Head {
    fn new(address: SocketAddr, token: &str, api_key: &str) -> Result<Self> {
        Ok(Self {
            host: HeaderValue::from_str(&address.to_string())?,
            authorization: HeaderValue::from_str(&format!("Bearer {token}"))?,
            api_key: HeaderValue::from_str(api_key)?,
        })
    }

    /// The request for the work of that turn, and the status that its answer is to have.
    fn asked(&self, work: &Work, turn: u64) -> Result<(Request<Full<Bytes>>, StatusCode)> {
        Ok(match work {
            Work::Stop(work) => {
                let (patient, dispense) = (work.patient, work.dispense(turn));
                let path = format!("/api/patients/{patient}/device_dispenses/{dispense}/actions/stop");
                (self.without_body(Method::PATCH, &path)?, StatusCode::OK)
            }
            Work::Show(work) => {
                let (patient, dispense) = (work.patient, work.dispense(turn));
                let path = format!("/api/patients/{patient}/device_dispenses/{dispense}");
                (self.without_body(Method::GET, &path)?, StatusCode::OK)
            }
            Work::Get(path) => (self.without_body(Method::GET, path)?, StatusCode::OK),
            Work::Update(work) => (self.update(&work.toggle(turn))?, StatusCode::OK),
            Work::Refusals => {
                let path = "/api/patients/0/device_dispenses/0/actions/stop";
                let mut request = self.without_body(Method::PATCH, path)?;
                request.headers_mut().remove(AUTHORIZATION);
                (request, StatusCode::UNAUTHORIZED)
            }
        })
    }

    fn without_body(&self, method: Method, path: &str) -> Result<Request<Full<Bytes>>> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.host.clone())
            .header(AUTHORIZATION, self.authorization.clone());
        Ok(request.body(Full::default())?)
    }

    fn update(&self, toggle: &Toggle) -> Result<Request<Full<Bytes>>> {
        let Toggle { record, contract, division } = toggle;
        let body = format!(r#"{{"contract_id":"{contract}","division_id":"{division}"}}"#);
        let request = Request::builder()
            .method(Method::PUT)
            .uri(format!("/api/admin/contract_divisions/{record}"))
            .header(HOST, self.host.clone())
            .header(AUTHORIZATION, self.authorization.clone())
            .header("api-key", self.api_key.clone())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(request.body(Full::from(body))?)
    }
}
