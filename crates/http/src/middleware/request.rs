use std::pin::pin;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{ConnectionType, header};
use actix_web::middleware::Next;
use actix_web::{Error, rt, web};
use futures_util::future::{Either, select};
use tokio::sync::OwnedSemaphorePermit;
use tracing::Instrument as _;

use super::chunked_request::ChunkedRequest;
use crate::Api;
use crate::context::RequestContext;
use crate::error::{ApiError, RequestError};
use crate::telemetry::RequestTelemetry;

/// Wraps every request, routed or not: attaches its context, admits or sheds it, limits its time, turns a panic into an answer, and records
/// its telemetry.
///
/// The handler runs as a task of its own, which outlives the time limit and the client: a store is never left in the middle of a change.
pub(crate) async fn handle<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let Some(api) = request.app_data::<web::Data<Api>>().cloned() else {
        return Err(actix_web::error::ErrorInternalServerError("no api"));
    };
    let context = RequestContext::attach(&request, &api);
    let telemetry = RequestTelemetry::begin(&request, &context, &api);
    let asks_upgrade = request.head().upgrade();
    let outcome = match admit(&request, telemetry.route.as_deref().unwrap_or_default(), &api) {
        Err(refused) => {
            // Lets the framework read the part of the body that came with the head; else it would close the connection.
            tokio::task::yield_now().await;
            Err(refused)
        }
        Ok(permits) => {
            let limit = Duration::from_millis(api.limits.request_timeout_ms);
            let broken = pin!(ChunkedRequest::take(&mut request).broken(api.limits.any_body_max_bytes()));
            let work = async move {
                let outcome = next.call(request).await;
                // Held until the work has ended, even when its client has left.
                drop(permits);
                outcome
            };
            let work = work.instrument(telemetry.span.clone());
            let work = pin!(tokio::time::timeout(limit, rt::spawn(work)));
            match select(work, broken).await {
                Either::Left((Ok(Ok(answer)), _)) => Ok(answer),
                Either::Left((Ok(Err(_panic)), _)) => Err(ApiError::internal().because("a handler panicked")),
                Either::Left((Err(_elapsed), _)) => {
                    let cause = format!("the request took longer than its limit of {} ms", limit.as_millis());
                    Err(ApiError::unavailable().because(cause))
                }
                Either::Right(_) => Err(ApiError::broken_framing()),
            }
        }
    };
    let mut answer =
        outcome.unwrap_or_else(|error| Err(RequestError { error, context: context.clone() }.into()));
    if asks_upgrade && let Ok(answer) = &mut answer {
        // Nothing is upgraded. The framework would answer `Connection: upgrade`, and close the connection all the same.
        answer.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    let (status, error) = match &answer {
        Ok(answer) => (answer.status(), answer.response().error()),
        Err(error) => (error.as_response_error().status_code(), Some(error)),
    };
    let error = error.and_then(|error| error.as_error::<RequestError>()).map(|error| &error.error);
    telemetry.end(status, error);
    answer
}

/// Admits or refuses a request before anything is done for it. Health probes are always admitted: a busy server is not broken.
fn admit(request: &ServiceRequest, route: &str, api: &Api) -> Result<Vec<OwnedSemaphorePermit>, ApiError> {
    if request.headers().len() > api.limits.headers_max_count {
        return Err(ApiError::too_many_headers(api.limits.headers_max_count));
    }
    let bytes: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > api.limits.headers_max_bytes {
        return Err(ApiError::headers_too_large());
    }
    let upgrades = request.headers().get_all(header::UPGRADE);
    if upgrades.into_iter().any(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket")) {
        return Err(ApiError::websocket());
    }
    if request.match_info().as_str().starts_with("/health/") {
        return Ok(Vec::new());
    }
    api.admission.admit(route).ok_or_else(ApiError::overloaded)
}
