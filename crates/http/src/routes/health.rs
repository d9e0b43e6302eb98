use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::Call;
use crate::Api;
use crate::error::ApiError;
use crate::health::Readiness;
use crate::openapi::{LiveAnswers, ReadyAnswers};

/// The server runs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Liveness {
    /// Always true: a server that does not run does not answer.
    live: bool,
}

impl Liveness {
    pub(crate) const LIVE: Self = Self { live: true };
}

/// Show whether the server runs
///
/// Looks at nothing behind it. Anybody may ask.
#[utoipa::path(
    get,
    path = "/health/live",
    operation_id = "show_liveness",
    tag = "health",
    responses(LiveAnswers),
    security(())
)]
pub(crate) async fn live(request: HttpRequest) -> Result<HttpResponse, actix_web::Error> {
    Call::of(&request)?.answer(async { Ok(Liveness::LIVE) }).await
}

/// Show whether the server can serve
///
/// How each store and the bus was when it was last looked at, not longer than two seconds ago. Anybody may ask.
#[utoipa::path(
    get,
    path = "/health/ready",
    operation_id = "show_readiness",
    tag = "health",
    responses(ReadyAnswers),
    security(())
)]
pub(crate) async fn ready(
    request: HttpRequest,
    api: web::Data<Api>,
) -> Result<HttpResponse, actix_web::Error> {
    Call::of(&request)?.answer(async { answer_to(api.health.readiness()) }).await
}

/// 200 with everything when the server can serve, 503 naming what it lacks when it cannot.
pub(crate) fn answer_to(readiness: Readiness) -> Result<Readiness, ApiError> {
    if readiness.is_ready() { Ok(readiness) } else { Err(ApiError::not_ready(readiness.told())) }
}
