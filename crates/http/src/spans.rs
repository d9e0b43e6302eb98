//! What a request leaves in a trace: a span of its own, and one around its use case. Names and fields are those that OpenTelemetry has
//! for them (semantic conventions, HTTP), and nothing in them says who the patient is.

use actix_web::dev::ServiceRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use esoz_kernel::{ErrorKind, Failure, TraceContext};
use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt as _, TraceFlags, TraceState};
use tracing::field::Empty;
use tracing::{Instrument as _, Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::UseCase;
use crate::context::RequestContext;
use crate::observer::known;

/// What vendors add to `traceparent`.
const TRACESTATE: &str = "tracestate";
/// How much of it everybody must pass on (W3C Trace Context), in bytes.
const TRACESTATE_MAX_BYTES: usize = 512;

/// A request, from its head to its answer.
pub(crate) struct RequestSpan {
    pub(crate) span: Span,
    /// The verb, if HTTP knows it: what a client may write there instead is not repeated.
    pub(crate) method: &'static str,
    /// The pattern of the route. The path names a patient; the pattern does not.
    pub(crate) route: Option<String>,
    /// The trace, in words, if there is one.
    pub(crate) trace_id: Option<String>,
}

impl RequestSpan {
    /// Begins the span, inside the one of whoever asks.
    pub(crate) fn begin(request: &ServiceRequest, context: &RequestContext) -> Self {
        let method = known(request.method());
        // Of the path as it is routed, that is decoded; as it was sent it may be spelled in many ways.
        let route = request.resource_map().match_pattern(request.match_info().as_str());
        let name = route.as_deref().map_or_else(|| method.to_owned(), |route| format!("{method} {route}"));
        let span = info_span!(
            "request",
            otel.name = name,
            otel.kind = "server",
            otel.status_code = Empty,
            http.request.method = method,
            http.route = route,
            http.response.status_code = Empty,
            "error.type" = Empty,
            request_id = %context.request_id,
            trace_id = Empty,
        );
        if let Some(caller) = context.caller {
            // An error says that nobody listens to spans: then none of them has a parent.
            let _ = span.set_parent(remote(caller, request.headers()));
        }
        let trace_id = position(&span).or(context.caller).map(|trace| format!("{:032x}", trace.trace_id()));
        if let Some(trace_id) = &trace_id {
            span.record("trace_id", trace_id);
        }
        Self { span, method, route, trace_id }
    }

    /// Notes how the request ended. What is broken on our side is an error; a refusal is none.
    pub(crate) fn end(&self, status: StatusCode) {
        self.span.record("http.response.status_code", status.as_u16());
        if status.is_server_error() {
            self.span.record("otel.status_code", "ERROR");
            self.span.record("error.type", status.as_str());
        }
    }
}

/// A use case at work.
pub(crate) struct UseCaseSpan {
    span: Span,
    caller: Option<TraceContext>,
}

impl UseCaseSpan {
    /// Begins the span, inside the request's.
    pub(crate) fn begin(use_case: UseCase, context: &RequestContext) -> Self {
        let name = use_case.as_str();
        let span = info_span!(
            "use_case",
            otel.name = name,
            otel.status_code = Empty,
            use_case = name,
            outcome = Empty
        );
        Self { span, caller: context.caller }
    }

    /// What traces back to here: this span, or where nobody listens to spans that of whoever asks.
    pub(crate) fn position(&self) -> Option<TraceContext> {
        position(&self.span).or(self.caller)
    }

    /// Carries the use case out inside the span, and notes how it ended.
    pub(crate) async fn around<T, F: Failure>(
        self,
        steps: impl Future<Output = Result<T, F>>,
    ) -> Result<T, F> {
        let outcome = steps.instrument(self.span.clone()).await;
        let (word, is_broken) =
            outcome.as_ref().map_or_else(|failure| told(failure.kind()), |_| ("done", false));
        self.span.record("outcome", word);
        if is_broken {
            self.span.record("otel.status_code", "ERROR");
        }
        outcome
    }
}

/// The word for a failure, and whether something is broken on our side.
fn told(kind: ErrorKind) -> (&'static str, bool) {
    match kind {
        ErrorKind::Unauthenticated | ErrorKind::InvalidToken => ("unauthenticated", false),
        ErrorKind::Forbidden => ("forbidden", false),
        ErrorKind::NotFound => ("not_found", false),
        ErrorKind::Conflict => ("conflict", false),
        ErrorKind::Unavailable => ("unavailable", true),
        ErrorKind::Internal => ("internal", true),
    }
}

/// Where the span is in its trace, if somebody listens to spans.
fn position(span: &Span) -> Option<TraceContext> {
    let context = span.context();
    let here = context.span().span_context().clone();
    TraceContext::new(
        u128::from_be_bytes(here.trace_id().to_bytes()),
        u64::from_be_bytes(here.span_id().to_bytes()),
        here.is_sampled(),
    )
}

/// The span of whoever asks, as OpenTelemetry knows spans of others.
fn remote(caller: TraceContext, headers: &HeaderMap) -> Context {
    let flags = TraceFlags::default().with_sampled(caller.is_sampled());
    let (trace_id, span_id) = (caller.trace_id().into(), caller.span_id().into());
    Context::new().with_remote_span_context(SpanContext::new(trace_id, span_id, flags, true, state(headers)))
}

/// What vendors add; nothing where it is not well-formed, or longer than what all must pass on: every span keeps a copy.
fn state(headers: &HeaderMap) -> TraceState {
    let lines: Option<Vec<&str>> = headers.get_all(TRACESTATE).map(|line| line.to_str().ok()).collect();
    let whole = lines.map(|lines| lines.join(",")).filter(|whole| whole.len() <= TRACESTATE_MAX_BYTES);
    whole.and_then(|whole| whole.parse().ok()).unwrap_or_default()
}
