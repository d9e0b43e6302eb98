use std::time::{Duration, Instant};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, rt, web};

use crate::Api;
use crate::context::RequestContext;
use crate::error::{Answered, ApiError};

/// Stands around every request: gives it its id, its time limit and its line in the log, and turns a panic into an answer.
///
/// The request runs as a task of its own. So one that outlives its limit, or its client, still comes to its end: a store is
/// never left in the middle of something.
pub(crate) async fn guard<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let started = Instant::now();
    let Some(api) = request.app_data::<web::Data<Api>>().cloned() else {
        return Err(actix_web::error::ErrorInternalServerError("no api"));
    };
    let context = RequestContext::attach(&request, api.ids.as_ref());
    let method = request.method().clone();
    let outcome = if headers_bytes(&request) > api.limits.headers_max_bytes {
        Err(ApiError::headers_too_large())
    } else {
        let limit = Duration::from_millis(api.limits.request_timeout_ms);
        match tokio::time::timeout(limit, rt::spawn(next.call(request))).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_panic)) => {
                tracing::error!(request_id = %context.request_id, "a handler panicked");
                Err(ApiError::internal())
            }
            Err(_elapsed) => {
                tracing::error!(request_id = %context.request_id, "the request took longer than its limit");
                Err(ApiError::unavailable())
            }
        }
    };
    let answer = outcome.unwrap_or_else(|error| Err(Answered { error, context: context.clone() }.into()));
    let status =
        answer.as_ref().map_or_else(|error| error.as_response_error().status_code(), ServiceResponse::status);
    // The path is not logged: it names a patient. The pattern of the route does not.
    let route = answer.as_ref().ok().and_then(|response| response.request().match_pattern());
    tracing::info!(
        request_id = %context.request_id,
        %method,
        route,
        status = status.as_u16(),
        elapsed_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
        "request"
    );
    answer
}

fn headers_bytes(request: &ServiceRequest) -> usize {
    request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}
