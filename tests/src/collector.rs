//! A collector of spans: OTLP over HTTP, as far as a server under test uses it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use esoz_testkit::wait::wait_for;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1;
use prost::Message as _;

use crate::test_app::DEADLINE;

/// A span as it arrived.
#[derive(Debug, Clone)]
pub struct Span {
    /// The trace, in hexadecimal digits.
    pub trace_id: String,
    /// The span, the same way.
    pub id: String,
    /// The span that it is in; empty when it is in none.
    pub parent: String,
    /// Its name.
    pub name: String,
    /// Its kind, as a number of the protocol.
    pub kind: i32,
    /// Whether it tells of an error.
    pub is_error: bool,
    /// What it says, in words.
    pub attributes: BTreeMap<String, String>,
}

#[derive(Default)]
struct Received {
    spans: Vec<Span>,
    /// Everything that arrived, for whoever looks for what must not be there.
    text: String,
    /// What the sender says of itself.
    resource: BTreeMap<String, String>,
    /// The head of the latest delivery, in lower case.
    head: String,
}

/// A collector that is listening, for as long as the test runs.
#[derive(Clone)]
pub struct Collector {
    address: SocketAddr,
    received: Arc<Mutex<Received>>,
}

impl Collector {
    /// Takes whatever comes.
    ///
    /// # Panics
    /// When there is no port to listen on.
    pub fn start() -> Self {
        Self::start_with(|stream, received| {
            // A connection ends when the server under test ends it, in the middle of whatever.
            while take(stream, received).is_some() {}
        })
    }

    /// Accepts connections, and never answers.
    ///
    /// # Panics
    /// When there is no port to listen on.
    pub fn stalling() -> Self {
        Self::start_with(|stream, _| {
            let mut ignored = Vec::new();
            let _ = stream.read_to_end(&mut ignored);
        })
    }

    fn start_with(serve: impl Fn(&mut TcpStream, &Mutex<Received>) + Send + Copy + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::<Mutex<Received>>::default();
        let into = received.clone();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let into = into.clone();
                std::thread::spawn(move || serve(&mut stream, &into));
            }
        });
        Self { address, received }
    }

    /// The address that takes spans.
    pub fn endpoint(&self) -> String {
        format!("http://{}/v1/traces", self.address)
    }

    fn received(&self) -> MutexGuard<'_, Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that arrived until now, as text.
    pub fn text(&self) -> String {
        self.received().text.clone()
    }

    /// What the sender says of itself.
    pub fn resource(&self) -> BTreeMap<String, String> {
        self.received().resource.clone()
    }

    /// The head of the latest delivery, in lower case.
    pub fn head(&self) -> String {
        self.received().head.clone()
    }

    /// Every span that arrived until now.
    pub fn spans(&self) -> Vec<Span> {
        self.received().spans.clone()
    }

    /// Waits for the span of that name in that trace.
    ///
    /// # Panics
    /// When it does not come.
    pub async fn wait_for(&self, trace_id: &str, name: &str) -> Span {
        wait_for(&format!("a span called {name}"), DEADLINE, async || {
            let spans = self.spans();
            let found = spans.iter().find(|span| span.trace_id == trace_id && span.name == name);
            found.cloned().ok_or_else(|| format!("{spans:#?}"))
        })
        .await
    }
}

/// Takes one delivery and answers it; `None` when there is none any more.
fn take(stream: &mut TcpStream, into: &Mutex<Received>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let head = head.to_lowercase();
    assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/x-protobuf\r\n"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
    let mut body = vec![0; length.parse().unwrap()];
    reader.read_exact(&mut body).ok()?;
    let delivery = ExportTraceServiceRequest::decode(body.as_slice()).expect("OTLP");
    {
        let mut into = into.lock().unwrap_or_else(PoisonError::into_inner);
        into.head = head;
        into.text.extend([format!("{delivery:?}"), "\n".to_owned()]);
        for of_one in delivery.resource_spans {
            into.resource.extend(words(of_one.resource.unwrap_or_default().attributes));
            into.spans.extend(of_one.scope_spans.into_iter().flat_map(|scope| scope.spans).map(read));
        }
    }
    reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").ok()
}

fn read(span: v1::Span) -> Span {
    Span {
        trace_id: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        name: span.name,
        kind: span.kind,
        is_error: span.status.is_some_and(|status| status.code() == v1::status::StatusCode::Error),
        attributes: words(span.attributes).collect(),
    }
}

fn words(attributes: Vec<KeyValue>) -> impl Iterator<Item = (String, String)> {
    attributes.into_iter().map(|KeyValue { key, value, .. }| (key, value.map_or_else(String::new, word)))
}

fn word(value: AnyValue) -> String {
    match value.value {
        Some(any_value::Value::StringValue(text)) => text,
        Some(any_value::Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}
