use esoz_events::{Attribute, EventFilter, ListEvents, ListEventsInput, Period, PeriodError};
use esoz_kernel::{Page, PageRequest, Timestamp};
use utoipa::{IntoParams, IntoResponses};

use super::{EventDto, example};
use crate::call::{Answer, Call};
use crate::envelope::{PAGE_NUMBER, Reply};
use crate::error::ApiError;
use crate::extract::query::Query;
use crate::observer::readable;
use crate::openapi::{
    Answers, Responses,
    parameters::{PageParameters, StandardHeaders},
};

/// The filters and the page; every filter that is given must be met.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `parse` reads")]
struct Parameters {
    /// The begin of the period, inclusive. Without it, the longest period before `date_to`. Without an offset it is UTC.
    #[param(format = DateTime, required = false)]
    date: String,
    /// The end of the period, exclusive. Without it, the longest period after `date`, or now. The server bounds the period: one hour unless it is
    /// configured otherwise.
    #[param(format = DateTime, required = false)]
    date_to: String,
    /// The type of the events. Of a type that is not known there are none.
    #[param(required = false)]
    event_type: String,
    /// The type of their entities. Of a type that is not known there are none.
    #[param(required = false)]
    entity_type: String,
    /// A key of their properties, literally: a dot in it is a dot.
    #[param(required = false)]
    attribute_name: String,
    /// The new value of that attribute, as a text: `true` for a boolean. Not without `attribute_name`.
    #[param(required = false)]
    new_value: String,
}

type ListPage = PageParameters<{ ListEvents::MAX_PAGE_SIZE }>;

/// List events
///
/// Lists the events of a period, of all entities, oldest first. The access token's scope must hold `event:read`. A parameter that is not
/// described is refused: a filter that is ignored would show the wrong events. Where another system keeps the events, this path is unknown (404).
#[utoipa::path(
    get,
    path = "/api/events",
    operation_id = "list_events",
    params(Parameters, ListPage, StandardHeaders),
    responses(ListAnswers)
)]
pub(crate) async fn handle(call: Call) -> Answer {
    call.run::<ListEvents, _, _, _>(
        async |call| parse(call.query(), |date, date_to| call.api().events.list.period(date, date_to)),
        async |api, permit, input| {
            let page = input.page;
            let listed = api.events.list.execute(permit, input).await?;
            Ok((page, readable::<ListEvents, _>(&*api.observer, listed)))
        },
        |(page, listed)| Reply::page(PAGE_NUMBER, page, listed, EventDto::from),
    )
    .await
}

fn parse(
    mut query: Query,
    period: impl FnOnce(Option<Timestamp>, Option<Timestamp>) -> Result<Period, PeriodError>,
) -> Result<ListEventsInput, ApiError> {
    let period = period(query.time("date"), query.time("date_to"));
    let message = period.err().filter(|error| matches!(error, PeriodError::TooLong(_)));
    let period = query.accepted("invalid", period);
    let (event_type, entity_type) = (query.text("event_type"), query.text("entity_type"));
    let attribute = Attribute::new(query.text("attribute_name"), query.text("new_value"));
    let attribute = query.accepted("required", attribute);
    let page = query.page(ListEvents::MAX_PAGE_SIZE);
    let refused = |error: ApiError| match message {
        Some(message) => error.with_message(message.to_string()),
        None => error,
    };
    query.finish().map_err(refused)?;
    // Without a fault there are both.
    let (period, attribute) = period.zip(attribute).ok_or_else(ApiError::internal)?;
    Ok(ListEventsInput { filter: EventFilter { period, event_type, entity_type, attribute }, page })
}

/// The answers of the method, for its description.
struct ListAnswers;

impl IntoResponses for ListAnswers {
    fn responses() -> Responses {
        let listed = Page { items: vec![example::event()], total_entries: 1 };
        let listed = Reply::page(PAGE_NUMBER, PageRequest::FIRST, listed, EventDto::from);
        let parsed =
            |query| parse(Query::parse(query), |date, date_to| Period::new(date, date_to, 1, example::NOW));
        let refused = |name, query| (name, parsed(query));
        Answers::of_operation::<ListEvents>("/api/events")
            .success("listed", "A page of the events.", "Event", listed)
            .refusals([
                refused("period_too_long", "date=2026-01-31T08:00:00Z&date_to=2026-01-31T10:00:00Z"),
                refused("period_ends_too_early", "date=2026-01-31T08:00:00Z&date_to=2026-01-31T08:00:00Z"),
                refused("attribute_name_missing", "new_value=stopped"),
                refused("datetime_and_cast", "date=2026-01-31&page=first"),
                refused("number", "page=0&page_size=301"),
                refused("unknown_or_repeated", "entity_id=1&page=1&page=2"),
            ])
            .refusal("not_served", &ApiError::no_such_path())
            .responses()
    }
}
