use actix_web::web;
use esoz_kernel::Timestamp;
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use crate::Api;
use crate::call::{Answer, Context, answer};
use crate::envelope::Reply;
use crate::error::ApiError;
use crate::health::{Condition, DEVICE_DISPENSES, Health, RESOURCES, Readiness};
use crate::openapi::{Answers, Responses};

/// The server runs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Liveness {
    /// Always true: a server that does not run does not answer.
    live: bool,
}

impl Liveness {
    const LIVE: Self = Self { live: true };
}

/// Show whether the server runs
///
/// Looks at nothing behind it. Anybody may ask.
#[utoipa::path(get, path = "/health/live", operation_id = "show_liveness", responses(LiveAnswers))]
pub(crate) async fn live(context: Context) -> Answer {
    answer(&context, Ok(Reply::ok(Liveness::LIVE)))
}

/// Show whether the server can serve
///
/// How each store and the bus was when it was last looked at, not longer than two seconds ago; what signed documents need, not longer than 15 seconds ago. Anybody may ask.
#[utoipa::path(get, path = "/health/ready", operation_id = "show_readiness", responses(ReadyAnswers))]
pub(crate) async fn ready(context: Context, api: web::Data<Api>) -> Answer {
    answer(&context, answer_to(api.health.readiness()))
}

/// 200 with every check when the server is ready, else 503 with what it lacks.
fn answer_to(readiness: Readiness) -> Result<Reply<Readiness>, ApiError> {
    if readiness.is_ready() {
        Ok(Reply::ok(readiness))
    } else {
        Err(ApiError::not_ready(readiness.summary()))
    }
}

/// The answers of the liveness probe, for its description.
struct LiveAnswers;

impl IntoResponses for LiveAnswers {
    fn responses() -> Responses {
        let answers = Answers::of_path("/health/live");
        answers.success("live", "It runs.", "Liveness", Reply::ok(Liveness::LIVE)).responses()
    }
}

/// The answers of the readiness probe, for its description.
struct ReadyAnswers;

impl IntoResponses for ReadyAnswers {
    fn responses() -> Responses {
        let now = Timestamp::UNIX_EPOCH;
        let components: [(_, &[_]); 3] =
            [("postgresql", &RESOURCES), ("mongodb", &[DEVICE_DISPENSES]), ("kafka", &[])];
        let health = Health::new(components, now);
        for name in ["postgresql", "mongodb", "kafka"] {
            health.record(name, Condition::Up, now);
        }
        health.record_set_aside(Some(0));
        let well = health.readiness();
        health.record("mongodb", Condition::Down, now);
        let wrong = answer_to(health.readiness()).map(drop);
        Answers::of_path("/health/ready")
            .success("ready", "It can serve.", "Readiness", Reply::ok(well))
            .refusals([("not_ready", wrong)])
            .responses()
    }
}
