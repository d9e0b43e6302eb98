use esoz_events::ShowEvent;
use utoipa::{IntoParams, IntoResponses};

use super::{EventDto, example};
use crate::call::{Answer, Call};
use crate::envelope::Reply;
use crate::openapi::{Answers, Responses, parameters::StandardHeaders};

/// The segment of the path of an event.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "describes the path")]
struct EventPath {
    /// The event. What is no UUID is answered like an unknown one.
    #[param(format = "uuid")]
    id: String,
}

/// Show an event
///
/// Shows one event, as a list that holds it alone. The access token's scope must hold `event:read`. Where another system keeps the events, this path
/// is unknown (404).
#[utoipa::path(
    get,
    path = "/api/events/{id}",
    operation_id = "show_event",
    params(EventPath, StandardHeaders),
    responses(ShowAnswers)
)]
pub(crate) async fn handle(call: Call) -> Answer {
    call.run::<ShowEvent, _, _, _>(
        async |call| Ok(call.path_id("id")),
        async |api, permit, id| api.events.show.execute(permit, id).await,
        |event| Reply::list_of_one(EventDto::from(event)),
    )
    .await
}

/// The answers of the method, for its description.
struct ShowAnswers;

impl IntoResponses for ShowAnswers {
    fn responses() -> Responses {
        Answers::of_operation::<ShowEvent>(&format!("/api/events/{}", example::EVENT))
            .success("shown", "The event.", "Event", Reply::list_of_one(EventDto::from(example::event())))
            .responses()
    }
}
