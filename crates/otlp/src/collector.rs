use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use esoz_https::{HttpsClient, SettingsError};
use esoz_kernel::with_causes;
use http_body_util::{BodyExt as _, Collected, Full, Limited};
use hyper::body::Bytes;
use hyper::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, RetryPolicy, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use prost::Message as _;

use crate::settings::OtlpSettings;

/// Limits the response body; a response has a few bytes.
const ANSWER_MAX_BYTES: usize = 65_536;

/// Sends spans to a collector.
pub(crate) struct Collector {
    exporter: SpanExporter,
    client: Arc<Client>,
    timeout: Duration,
}

impl Collector {
    /// The collector of these settings. No connection is made.
    ///
    /// # Errors
    /// [`SettingsError`] names the setting that cannot be used.
    pub(crate) fn new(settings: &OtlpSettings, resource: &Resource) -> Result<Self, SettingsError> {
        let https = esoz_https::client(settings.root_certificate_file.as_deref(), &settings.proxies, 1)?;
        let client = Arc::new(Client { https, rejected: AtomicUsize::default(), failure: Mutex::default() });
        let timeout = Duration::from_millis(settings.timeout_ms);
        let exporter = SpanExporter::builder().with_http().with_shared_http_client(client.clone());
        let exporter = exporter
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(settings.endpoint.clone())
            .with_timeout(timeout)
            // What is not taken is given up: newer spans wait.
            .with_retry_policy(RetryPolicy::disabled());
        let mut exporter =
            exporter.build().map_err(|error| SettingsError::new("endpoint", with_causes(&error)))?;
        exporter.set_resource(resource);
        Ok(Self { exporter, client, timeout })
    }

    /// Delivers spans. Returns how many of them the collector rejected, or why the request failed.
    pub(crate) async fn deliver(&self, spans: Vec<SpanData>) -> Result<usize, String> {
        match tokio::time::timeout(self.timeout, self.exporter.export(spans)).await {
            Ok(Ok(())) => Ok(self.client.rejected.swap(0, Ordering::Relaxed)),
            Ok(Err(error)) => Err(self.client.take_failure().unwrap_or_else(|| with_causes(&error))),
            Err(_) => Err(format!("no answer within {} ms", self.timeout.as_millis())),
        }
    }
}

/// Our HTTP client under the exporter. It keeps what the exporter does not return: why a request failed, and how many spans were rejected.
#[derive(Debug)]
struct Client {
    https: HttpsClient<Full<Bytes>>,
    rejected: AtomicUsize,
    failure: Mutex<Option<String>>,
}

impl Client {
    fn take_failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answer = self.https.request(request.map(Full::new)).await.inspect_err(|error| {
            let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
            *failure = Some(with_causes(error));
        })?;
        let (head, body) = answer.into_parts();
        // A success with an unreadable body is a success.
        let body = Limited::new(body, ANSWER_MAX_BYTES).collect().await;
        let body = body.map(Collected::to_bytes).unwrap_or_default();
        let response = ExportTraceServiceResponse::decode(&*body).ok();
        let rejected = response.and_then(|it| it.partial_success).map_or(0, |partial| partial.rejected_spans);
        self.rejected.store(usize::try_from(rejected).unwrap_or_default(), Ordering::Relaxed);
        Ok(Response::from_parts(head, body))
    }
}
