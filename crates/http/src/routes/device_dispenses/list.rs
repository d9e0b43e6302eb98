use actix_web::http::StatusCode;
use esoz_device_dispense::{ListDispenses, ListInput};
use esoz_kernel::PageRequest;
use utoipa::IntoResponses;

use super::filter::{FilterParameters, INVALID_FILTER, faults, parse};
use super::{example, rendered_page};
use crate::call::{Answer, Call};
use crate::observer::readable;
use crate::openapi::{Answers, Responses, parameters::StandardHeaders};

/// List device dispenses
///
/// Lists the dispenses of the legal entity that the user acts for, oldest first; every filter that is given must be met. The access token's
/// scope must hold `device_dispense:read`. A parameter that is not described is refused: a filter that is ignored would show the wrong
/// records.
#[utoipa::path(
    get,
    path = "/api/device_dispenses",
    operation_id = "list_device_dispenses",
    params(FilterParameters, StandardHeaders),
    responses(ListAnswers)
)]
pub(crate) async fn handle(call: Call) -> Answer {
    call.run::<ListDispenses, _, _, _>(
        async |call| parse(call.query()),
        async |api, permit, (filter, page)| {
            let listed = api.device_dispenses.list.execute(permit, ListInput { filter, page }).await?;
            Ok((page, readable::<ListDispenses, _>(&*api.observer, listed)))
        },
        |(page, listed)| rendered_page(page, listed),
    )
    .await
}

/// The answers of the method, for its description.
struct ListAnswers;

impl IntoResponses for ListAnswers {
    fn responses() -> Responses {
        let listed = |patient| rendered_page(PageRequest::FIRST, example::page(patient));
        Answers::of_operation::<ListDispenses>("/api/device_dispenses")
            .success(
                "listed",
                "A page of the dispenses.",
                "ListedDeviceDispense",
                listed(Some(example::PATIENT)),
            )
            .success("patients_unknown", "A page of the dispenses.", "ListedDeviceDispense", listed(None))
            .refusals(faults())
            .named(StatusCode::UNPROCESSABLE_ENTITY, INVALID_FILTER)
            .responses()
    }
}
