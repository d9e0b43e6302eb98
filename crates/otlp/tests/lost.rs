//! Spans that are lost while the collector takes others: whoever reads the log learns of them while the server runs.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use esoz_https::Proxies;
use esoz_otlp::{Export, OtlpSettings};
use esoz_testkit::wait::wait_for;
use opentelemetry::trace::{Span as _, SpanKind, Tracer as _};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

const DEADLINE: Duration = Duration::from_secs(30);

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// How many spans each line about lost ones tells of.
    fn told(&self) -> Vec<usize> {
        let number = |line: &str| line.split_once("lost=").unwrap().1.parse().unwrap();
        self.text().lines().filter(|line| line.contains("spans were given up")).map(number).collect()
    }
}

/// What a collector was sent: none of it did it take.
#[derive(Default)]
struct Refused {
    deliveries: AtomicUsize,
    spans: AtomicUsize,
}

impl Refused {
    fn answer(&self, body: &[u8]) -> Vec<u8> {
        let delivery = ExportTraceServiceRequest::decode(body).unwrap();
        let scopes = delivery.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
        let spans: usize = scopes.map(|scope| scope.spans.len()).sum();
        self.spans.fetch_add(spans, Ordering::SeqCst);
        self.deliveries.fetch_add(1, Ordering::SeqCst);
        let partial = ExportTracePartialSuccess {
            rejected_spans: spans.try_into().unwrap(),
            error_message: String::new(),
        };
        ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec()
    }
}

/// A collector that is there and refuses every span.
async fn collector() -> (SocketAddr, Arc<Refused>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let refused = Arc::new(Refused::default());
    let kept = refused.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let refused = refused.clone();
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                // A connection ends when the client ends it.
                while let Some(body) = body(&mut stream).await {
                    let body = refused.answer(&body);
                    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                    stream.write_all(&[head.as_bytes(), &body].concat()).await.unwrap();
                }
            });
        }
    });
    (address, kept)
}

/// The body of the next request.
async fn body(stream: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
        if line == "\r\n" {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim_end().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(body)
}

#[tokio::test]
async fn what_a_collector_refuses_is_told_while_it_runs_and_not_at_each_delivery() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let (address, refused) = collector().await;
    let export = Export::start(&OtlpSettings {
        proxies: Proxies::default(),
        endpoint: format!("http://{address}/v1/traces"),
        timeout_ms: 10_000,
        sample_ratio: 1.0,
        service_name: "esoz".to_owned(),
        service_version: String::new(),
        root_certificate_file: None,
    })
    .unwrap();
    let tracer = export.tracer();

    wait_for("three deliveries", DEADLINE, async || {
        tracer.span_builder("request").with_kind(SpanKind::Server).start(&tracer).end();
        (refused.deliveries.load(Ordering::SeqCst) >= 3).then_some(())
    })
    .await;
    let told = log.told();
    assert_eq!(told.len(), 1, "at once, and not again within a minute: {}", log.text());

    export.stop(DEADLINE).await;
    let told = log.told();
    assert_eq!(told.len(), 2, "the others at the end: {}", log.text());
    assert_eq!(told.iter().sum::<usize>(), refused.spans.load(Ordering::SeqCst), "{}", log.text());
    assert!(!log.text().contains("takes no spans"), "{}", log.text());
}
