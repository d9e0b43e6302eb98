use std::future::Future;
use std::time::{Duration, Instant};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::{Error, rt, web};
use esoz_kernel::RequestId;
use tracing::Instrument as _;

use crate::Api;
use crate::context::RequestContext;
use crate::error::{Answered, ApiError};
use crate::middleware::{InFlightPermit, SlowClientGuard};
use crate::observer::{CLIENT_LEFT, Observed};
use crate::spans::RequestSpan;

/// Stands around every request: gives it its id, its time limit and its line in the log, and turns a panic into an answer.
///
/// The request runs as a task of its own. So one that outlives its limit, or its client, still comes to its end: a store is
/// never left in the middle of something.
pub(crate) async fn guard<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let Some(api) = request.app_data::<web::Data<Api>>().cloned() else {
        return Err(actix_web::error::ErrorInternalServerError("no api"));
    };
    let context =
        RequestContext::attach(&request, api.ids.as_ref(), api.admission.origins(), Some(&api.health));
    let _answering = request.conn_data::<SlowClientGuard>().map(SlowClientGuard::answering);
    let mut told = Told::begin(&request, &context, &api);
    let outcome = match enter(&request, &api) {
        Err(refused) => {
            // Meanwhile what came of the body with the head is taken off the connection, which could not be used again otherwise.
            tokio::task::yield_now().await;
            Err(refused)
        }
        Ok(held) => {
            let limit = Duration::from_millis(api.limits.request_timeout_ms);
            let work = holding(held, next.call(request)).instrument(told.traced.span.clone());
            match tokio::time::timeout(limit, rt::spawn(work)).await {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(_panic)) => Err(ApiError::internal().because("a handler panicked")),
                Err(_elapsed) => {
                    let cause = format!("the request took longer than its limit of {} ms", limit.as_millis());
                    Err(ApiError::unavailable().because(cause))
                }
            }
        }
    };
    let answer = outcome.unwrap_or_else(|error| Err(Answered { error, context: context.clone() }.into()));
    let (status, error) = match &answer {
        Ok(answer) => (answer.status(), answer.response().error()),
        Err(error) => (error.as_response_error().status_code(), Some(error)),
    };
    let cause =
        error.and_then(|error| error.as_error::<Answered>()).and_then(|answered| answered.error.cause());
    told.end(status, cause);
    answer
}

/// What is told of a request when it is over: its span, its numbers and its one line in the log. If it is dropped before it has ended, its
/// client has left; what was begun for it comes to its end all the same.
struct Told {
    request_id: RequestId,
    started: Instant,
    traced: RequestSpan,
    observed: Option<Observed>,
}

impl Told {
    fn begin(request: &ServiceRequest, context: &RequestContext, api: &Api) -> Self {
        let traced = RequestSpan::begin(request, context);
        let observed = Observed::begin(&api.observer, traced.method, traced.route.as_deref());
        let request_id = context.request_id.clone();
        Self { request_id, started: Instant::now(), traced, observed: Some(observed) }
    }

    fn end(&mut self, status: StatusCode, cause: Option<&str>) {
        self.traced.end(status);
        if let Some(observed) = self.observed.take() {
            observed.end(status);
        }
        // To be busy is no fault: who is told so is refused, like anybody whose request asks too much.
        let is_broken = cause.is_some() || status == StatusCode::INTERNAL_SERVER_ERROR;
        self.line(status.as_u16(), cause, is_broken);
    }

    /// The one line: what is refused is news, what is broken on our side is an error, with its cause.
    fn line(&self, status: u16, error: Option<&str>, is_broken: bool) {
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    parent: &self.traced.span,
                    request_id = %self.request_id,
                    trace_id = self.traced.trace_id,
                    method = self.traced.method,
                    route = self.traced.route,
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

impl Drop for Told {
    fn drop(&mut self) {
        if self.observed.is_some() {
            self.line(CLIENT_LEFT, None, false);
        }
    }
}

/// What is refused before anything is done for it.
fn enter(request: &ServiceRequest, api: &Api) -> Result<Option<InFlightPermit>, ApiError> {
    if headers_bytes(request) > api.limits.headers_max_bytes {
        return Err(ApiError::headers_too_large());
    }
    api.admission.enter(request.match_info().as_str())
}

/// Holds its place until the work has ended.
async fn holding<T>(held: Option<InFlightPermit>, work: impl Future<Output = T>) -> T {
    let outcome = work.await;
    drop(held);
    outcome
}

fn headers_bytes(request: &ServiceRequest) -> usize {
    request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}
