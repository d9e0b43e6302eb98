//! Telemetry of a request: its span, its metrics and its line in the log, and the span of its operation. Names and fields follow the
//! semantic conventions of OpenTelemetry for HTTP. None of them identifies a patient, unless
//! [`Api::logs_not_found_paths`](crate::Api::logs_not_found_paths).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use actix_web::dev::ServiceRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use esoz_kernel::{ErrorKind, TraceContext};
use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt as _, TraceFlags, TraceState};
use tracing::field::Empty;
use tracing::{Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::Api;
use crate::context::RequestContext;
use crate::error::ApiError;
use crate::inspector::{EndedRequest, InspectedRequest};
use crate::observer::{CLIENT_CLOSED_REQUEST, Observer, RequestEnded, UNMATCHED, known_method};

/// The header with vendors' additions to `traceparent`.
const TRACESTATE: &str = "tracestate";
/// The size that every participant must pass on (W3C Trace Context), in bytes.
const TRACESTATE_MAX_BYTES: usize = 512;

/// How many segments of a path that no route matches are logged.
const SEGMENTS_MAX: usize = 16;

/// The target of the access log. Operators filter by it, so it is independent of the module.
const LOG_TARGET: &str = "esoz_http::guard";

/// The telemetry of one request. Dropped before [`end`](Self::end), it records that the client left.
pub(crate) struct RequestTelemetry {
    pub(crate) span: Span,
    context: RequestContext,
    observer: Arc<dyn Observer>,
    started: Instant,
    method: &'static str,
    /// The pattern of the route, since the path names a patient.
    pub(crate) route: Option<String>,
    /// The path that no route matches, without what may name somebody.
    unmatched_path: Option<String>,
    /// The whole path, if that of a request that is answered 404 may be logged.
    not_found_path: Option<String>,
    trace_id: Option<String>,
    inspected: Option<InspectedRequest>,
    has_ended: bool,
}

impl RequestTelemetry {
    /// Begins the span, as a child of the caller's.
    pub(crate) fn begin(request: &ServiceRequest, context: &RequestContext, api: &Api) -> Self {
        let observer = api.observer.clone();
        observer.request_began();
        let method = known_method(request.method());
        // The decoded path, as it is routed: an encoded one can be spelled in many ways.
        let route = request.resource_map().match_pattern(request.match_info().as_str());
        let words = request.app_data::<RouteWords>().filter(|_| route.is_none());
        let unmatched_path = words.map(|words| words.redacted_path(request.match_info().as_str()));
        let not_found_path = api.logs_not_found_paths.then(|| request.match_info().as_str().to_owned());
        let inspected = api.inspector.as_ref();
        let inspected = inspected.and_then(|inspector| {
            InspectedRequest::begin(inspector, route.as_deref(), request.match_info().as_str())
        });
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
        if let Some(parent) = context.parent {
            // Fails where no spans are recorded.
            let _ = span.set_parent(remote_context(parent, request.headers()));
        }
        let trace_id = position(&span).or(context.parent).map(|trace| format!("{:032x}", trace.trace_id()));
        if let Some(trace_id) = &trace_id {
            span.record("trace_id", trace_id);
        }
        Self {
            span,
            context: context.clone(),
            observer,
            started: Instant::now(),
            method,
            route,
            unmatched_path,
            not_found_path,
            trace_id,
            inspected,
            has_ended: false,
        }
    }

    /// Records the answer.
    pub(crate) fn end(mut self, status: StatusCode, error: Option<&ApiError>) {
        self.has_ended = true;
        if let Some(reason) = error.and_then(|error| error.reason) {
            let _ = self.context.reason.set(reason);
        }
        self.span.record("http.response.status_code", status.as_u16());
        if status.is_server_error() {
            self.span.record("otel.status_code", "ERROR");
            self.span.record("error.type", status.as_str());
        }
        self.observe(status.as_u16());
        self.inspect(status.as_u16(), error);
        // The full error chain of a server fault.
        let cause = error.and_then(|error| error.cause.as_deref());
        // Load shedding is a 503 without a cause: the request is refused, nothing is broken.
        let is_broken = cause.is_some() || status == StatusCode::INTERNAL_SERVER_ERROR;
        self.log(status.as_u16(), cause, is_broken);
    }

    fn observe(&self, status: u16) {
        self.observer.request_ended(&RequestEnded {
            method: self.method,
            route: self.route.clone().unwrap_or_else(|| UNMATCHED.to_owned()),
            status,
            elapsed: self.started.elapsed(),
        });
    }

    /// Tells the request inspector.
    fn inspect(&self, status: u16, error: Option<&ApiError>) {
        let Some(inspected) = &self.inspected else { return };
        let (message, faults) = error.map(ApiError::texts).unzip();
        inspected.record(EndedRequest {
            method: self.method,
            route: self.shown_path(status).or(self.route.as_ref()).cloned().unwrap_or_default(),
            record: inspected.found_record(status),
            status,
            outcome: self.context.outcome.get().copied(),
            reason: self.context.reason.get().copied(),
            message,
            faults: faults.unwrap_or_default(),
            request_id: self.context.request_id.as_str().to_owned(),
            elapsed: self.started.elapsed(),
        });
    }

    /// The path, where its route does not say enough: what it may show of an unmatched or unknown one.
    fn shown_path(&self, status: u16) -> Option<&String> {
        let is_not_found = status == StatusCode::NOT_FOUND.as_u16();
        self.not_found_path.as_ref().filter(|_| is_not_found).or(self.unmatched_path.as_ref())
    }

    /// Writes the access log: one line for a request, an error with its cause when the service is broken.
    fn log(&self, status: u16, error: Option<&str>, is_broken: bool) {
        let path = self.shown_path(status);
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    target: LOG_TARGET,
                    parent: &self.span,
                    request_id = %self.context.request_id,
                    trace_id = self.trace_id,
                    method = self.method,
                    route = self.route,
                    path,
                    client_address = self.context.client_address.map(tracing::field::display),
                    client_id = self.context.client_id.get().map(tracing::field::display),
                    user_id = self.context.user_id.get().map(tracing::field::display),
                    outcome = self.context.outcome.get(),
                    reason = self.context.reason.get(),
                    status,
                    elapsed_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
                    error,
                    "request"
                )
            };
        }
        if is_broken { line!(error) } else { line!(info) }
    }
}

impl Drop for RequestTelemetry {
    fn drop(&mut self) {
        if !self.has_ended {
            self.observe(CLIENT_CLOSED_REQUEST);
            self.inspect(CLIENT_CLOSED_REQUEST, None);
            self.log(CLIENT_CLOSED_REQUEST, None, false);
        }
    }
}

/// The segments of our own routes that are no parameters.
#[derive(Clone)]
pub(crate) struct RouteWords(Arc<BTreeSet<String>>);

impl RouteWords {
    pub(crate) fn of(patterns: &[String]) -> Self {
        let segments = patterns.iter().filter(|pattern| pattern.starts_with('/'));
        let segments = segments.flat_map(|pattern| pattern.split('/')).filter(|word| !word.contains('{'));
        Self(Arc::new(segments.map(str::to_owned).collect()))
    }

    /// The path with a `*` in the place of each segment that stands in no route as it is: it may be a name, an id or a secret.
    fn redacted_path(&self, path: &str) -> String {
        let segments = path.split('/').take(SEGMENTS_MAX);
        segments
            .map(|segment| if self.0.contains(segment) { segment } else { "*" })
            .collect::<Vec<_>>()
            .join("/")
    }
}

/// Begins the span of an operation, as a child of the request's.
pub(crate) fn operation_span(name: &'static str) -> Span {
    info_span!("use_case", otel.name = name, otel.status_code = Empty, use_case = name, outcome = Empty)
}

/// Records the outcome of an operation; `None` is success.
pub(crate) fn end_operation(span: &Span, failure: Option<ErrorKind>) {
    span.record("outcome", failure.map_or("done", outcome_label));
    if failure.is_some_and(ErrorKind::is_server_fault) {
        span.record("otel.status_code", "ERROR");
    }
}

const fn outcome_label(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::BadRequest | ErrorKind::Invalid => "invalid",
        ErrorKind::Unauthenticated | ErrorKind::InvalidToken => "unauthenticated",
        ErrorKind::Forbidden => "forbidden",
        ErrorKind::NotFound => "not_found",
        ErrorKind::Conflict => "conflict",
        ErrorKind::TooManyRequests => "too_many_requests",
        ErrorKind::Unavailable => "unavailable",
        ErrorKind::Internal => "internal",
    }
}

/// The place of a span in its trace; `None` where no spans are recorded.
pub(crate) fn position(span: &Span) -> Option<TraceContext> {
    let context = span.context();
    let here = context.span().span_context().clone();
    TraceContext::new(
        u128::from_be_bytes(here.trace_id().to_bytes()),
        u64::from_be_bytes(here.span_id().to_bytes()),
        here.is_sampled(),
    )
}

/// The caller's span as a remote span of OpenTelemetry.
fn remote_context(parent: TraceContext, headers: &HeaderMap) -> Context {
    let flags = TraceFlags::default().with_sampled(parent.is_sampled());
    let (trace_id, span_id) = (parent.trace_id().into(), parent.span_id().into());
    Context::new().with_remote_span_context(SpanContext::new(
        trace_id,
        span_id,
        flags,
        true,
        trace_state(headers),
    ))
}

/// Reads the `tracestate`; empty when it is malformed, or larger than must be passed on: every span keeps a copy.
fn trace_state(headers: &HeaderMap) -> TraceState {
    let lines: Option<Vec<&str>> = headers.get_all(TRACESTATE).map(|line| line.to_str().ok()).collect();
    let whole = lines.map(|lines| lines.join(",")).filter(|whole| whole.len() <= TRACESTATE_MAX_BYTES);
    whole.and_then(|whole| whole.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_unknown_path_the_segments_of_routes_are_logged_and_no_others() {
        let words = RouteWords::of(&crate::route_patterns());
        for (path, expected) in [
            ("/", "/"),
            ("/api/patients", "/api/patients"),
            ("/api/patients/olena/device_dispenses/", "/api/patients/*/device_dispenses/"),
            ("/api/patients/{patient_id}/x", "/api/patients/*/*"),
            ("/api/Patients/device_dispense", "/api/*/*"),
            ("/hunter-two//health/live", "/*//health/live"),
            (UNMATCHED, "*"),
        ] {
            assert_eq!(words.redacted_path(path), expected);
        }
        assert_eq!(words.redacted_path(&"/x".repeat(1_000)), format!("{}/*", "/*".repeat(SEGMENTS_MAX - 2)));
    }
}
