use std::time::Duration;

use esoz_https::HttpsClient;
use esoz_kernel::with_causes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, USER_AGENT};
use hyper::{Request, Uri};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::trace::SpanData;
use prost::Message as _;

/// Limits the response body; a response has a few bytes.
const ANSWER_MAX_BYTES: usize = 65_536;

/// Sends spans to a collector.
pub(crate) struct Collector {
    pub(crate) client: HttpsClient<Full<Bytes>>,
    pub(crate) endpoint: Uri,
    pub(crate) timeout: Duration,
    pub(crate) resource: ResourceAttributesWithSchema,
}

impl Collector {
    /// Delivers spans. Returns how many of them the collector rejected, or why the request failed.
    pub(crate) async fn deliver(&self, spans: Vec<SpanData>) -> Result<usize, String> {
        let resource_spans = group_spans_by_resource_and_scope(spans, &self.resource);
        let body = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
        let delivery = tokio::time::timeout(self.timeout, self.post(body)).await;
        delivery.unwrap_or_else(|_| Err(format!("no answer within {} ms", self.timeout.as_millis())))
    }

    async fn post(&self, body: Vec<u8>) -> Result<usize, String> {
        let request = Request::post(&self.endpoint)
            .header(CONTENT_TYPE, "application/x-protobuf")
            .header(USER_AGENT, "esoz")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| with_causes(&error))?;
        let answer = self.client.request(request).await.map_err(|error| with_causes(&error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_MAX_BYTES).collect().await;
        if !status.is_success() {
            return Err(format!("it answered {status}"));
        }
        // A success with an unreadable body is a success.
        let response = body.ok().and_then(|body| ExportTraceServiceResponse::decode(body.to_bytes()).ok());
        let refused = response.and_then(|it| it.partial_success).map_or(0, |partial| partial.rejected_spans);
        Ok(usize::try_from(refused).unwrap_or_default())
    }
}
