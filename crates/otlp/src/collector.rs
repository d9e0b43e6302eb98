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

/// An answer is a few bytes; more is not read.
const ANSWER_MAX_BYTES: usize = 65_536;

/// A collector as it is spoken to.
pub(crate) struct Collector {
    pub(crate) client: HttpsClient<Full<Bytes>>,
    pub(crate) endpoint: Uri,
    pub(crate) timeout: Duration,
    pub(crate) resource: ResourceAttributesWithSchema,
}

impl Collector {
    /// Delivers spans; gives how many of them the collector refused, or why it took none.
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
        // What it took it has taken, however it says so.
        let told = body.ok().and_then(|body| ExportTraceServiceResponse::decode(body.to_bytes()).ok());
        let refused = told.and_then(|told| told.partial_success).map_or(0, |partial| partial.rejected_spans);
        Ok(usize::try_from(refused).unwrap_or_default())
    }
}
