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

use super::{Lane, Meter, all, bodies};
use crate::job::{Job, Outcome, StopWork, Toggle, Way, Work};

type Asking = SendRequest<Full<Bytes>>;

pub(super) async fn run(job: &Arc<Job>) -> Result<Outcome> {
    let head = Arc::new(Head::new(job)?);
    let mut connections = Vec::new();
    for _ in 0..job.at_once {
        connections.push(connect(head.address).await?);
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
    let (status, body) = send(connection, request).await?;
    ensure!(
        status == due,
        "the server answered {status} where {due} was due: {}",
        String::from_utf8_lossy(&body)
    );
    Ok(())
}

async fn send(connection: &mut Asking, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes)> {
    connection.ready().await.context("the server closed a connection")?;
    let answer = connection.send_request(request).await.context("asking the server")?;
    let status = answer.status();
    let body = answer.into_body().collect().await.context("reading an answer")?.to_bytes();
    Ok((status, body))
}

/// Asks for all turns of the job at once, from this process, and gives the statuses that were answered, whatever they are.
pub fn statuses_at_once(job: &Job) -> Result<Vec<u16>> {
    Runtime::new()?.block_on(async {
        let head = Head::new(job)?;
        let mut ready = Vec::new();
        for turn in job.first..job.first + job.most {
            let (request, _) = head.asked(&job.work, turn)?;
            ready.push((connect(head.address).await?, request));
        }
        let asked = ready.into_iter().map(|(mut connection, request)| {
            tokio::spawn(
                async move { send(&mut connection, request).await.map(|(status, _)| status.as_u16()) },
            )
        });
        let asked: Vec<_> = asked.collect();
        let mut statuses = Vec::new();
        for answer in asked {
            statuses.push(answer.await.context("a worker broke down")??);
        }
        Ok(statuses)
    })
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
        let head = Head::new(job)?;
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let connection = runtime.block_on(connect(head.address))?;
        Ok(Self { runtime, head, work: job.work.clone(), connection })
    }

    /// Asks for the work of that turn, and waits for the answer.
    pub fn ask(&mut self, turn: u64) -> Result<()> {
        let asked = self.head.asked(&self.work, turn)?;
        self.runtime.block_on(answered(&mut self.connection, asked))
    }
}

/// What the requests have in common.
struct Head {
    address: SocketAddr,
    host: HeaderValue,
    authorization: HeaderValue,
    api_key: HeaderValue,
    /// The signed bodies of all turns, from that one on.
    signed: (u64, Vec<String>),
}

impl Head {
    fn new(job: &Job) -> Result<Self> {
        let Way::Http { address, token, api_key } = &job.way else { anyhow::bail!("this goes over HTTP") };
        let signed = match &job.work {
            Work::Complete(work) => bodies::completes(work, job.first..job.first + job.most)?,
            _ => Vec::new(),
        };
        Ok(Self {
            address: *address,
            signed: (job.first, signed),
            host: HeaderValue::from_str(&address.to_string())?,
            authorization: HeaderValue::from_str(&format!("Bearer {token}"))?,
            api_key: HeaderValue::from_str(api_key)?,
        })
    }

    /// The request for the work of that turn, and the status that its answer is to have.
    fn asked(&self, work: &Work, turn: u64) -> Result<(Request<Full<Bytes>>, StatusCode)> {
        Ok(match work {
            Work::Stop(work) => {
                let path = format!("{}/actions/stop", path(work, turn));
                (self.without_body(Method::PATCH, &path)?, StatusCode::OK)
            }
            Work::Complete(work) => {
                let path = format!("{}/actions/complete", path(&work.dispenses, turn));
                let (first, bodies) = &self.signed;
                let body = bodies.get(usize::try_from(turn - first)?).context("a turn that is not signed")?;
                (self.with_body(Method::PATCH, &path, body.clone())?, StatusCode::OK)
            }
            Work::Create(work) => {
                let path = format!("/api/patients/{}/device_dispenses", work.patient);
                (self.with_body(Method::POST, &path, bodies::create(work, turn))?, StatusCode::CREATED)
            }
            Work::Show(work) => (self.without_body(Method::GET, &path(work, turn))?, StatusCode::OK),
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
        let path = format!("/api/admin/contract_divisions/{record}");
        let mut request = self.with_body(Method::PUT, &path, body)?;
        request.headers_mut().insert("api-key", self.api_key.clone());
        Ok(request)
    }

    fn with_body(&self, method: Method, path: &str, body: String) -> Result<Request<Full<Bytes>>> {
        let mut request = self.without_body(method, path)?;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.body_mut() = Full::from(body);
        Ok(request)
    }
}

/// The path of the dispense whose turn it is.
fn path(work: &StopWork, turn: u64) -> String {
    format!("/api/patients/{}/device_dispenses/{}", work.patient, work.dispense(turn))
}
