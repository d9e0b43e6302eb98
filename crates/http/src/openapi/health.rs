//! The answers about the server's own health.

use esoz_kernel::Timestamp;
use utoipa::IntoResponses;

use super::answers::{Answers, Responses};
use crate::health::{Condition, Health};
use crate::routes::health::{Liveness, answer_to};

/// What asking for liveness may answer.
pub(crate) struct LiveAnswers;

impl IntoResponses for LiveAnswers {
    fn responses() -> Responses {
        let answers = Answers::of_path("/health/live", "GET");
        answers.success("live", "It runs.", "Liveness", Liveness::LIVE).responses()
    }
}

/// What asking for readiness may answer.
pub(crate) struct ReadyAnswers;

impl IntoResponses for ReadyAnswers {
    fn responses() -> Responses {
        let now = Timestamp::UNIX_EPOCH;
        let health = Health::new([("postgresql", true), ("mongodb", true), ("kafka", false)], now);
        for name in ["postgresql", "mongodb", "kafka"] {
            health.record(name, Condition::Up, now);
        }
        let well = health.readiness();
        health.record("mongodb", Condition::Down, now);
        let wrong = answer_to(health.readiness()).map(drop);
        Answers::of_path("/health/ready", "GET")
            .success("ready", "It can serve.", "Readiness", well)
            .refusals([("not_ready", wrong)])
            .responses()
    }
}
