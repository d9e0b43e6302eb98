//! The query parameters of both lists.

use esoz_device_dispense::{
    DispenseStatus, Filter, ListDispenses, SEARCH_PARAMETERS, SearchKind, SearchParameter, TimeRange,
};
use esoz_kernel::PageRequest;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};

use crate::error::ApiError;
use crate::extract::query::Query;
use crate::openapi::parameters::{PageParameters, query_parameter};

const PERFORMER_LEGAL_ENTITY: &str = "performer_legal_entity";
const STATUS: &str = "status";
const WHEN_HANDED_OVER: [&str; 2] = ["when_handed_over_from", "when_handed_over_to"];
const INSERTED_AT: [&str; 2] = ["inserted_at_from", "inserted_at_to"];

/// Parses the filters and the page; tells every fault at once.
pub(super) fn parse(mut query: Query) -> Result<(Filter, PageRequest), ApiError> {
    let filter = Filter {
        owner: query.uuid(PERFORMER_LEGAL_ENTITY),
        subject: None,
        status: query.one_of(STATUS, &statuses()),
        when_handed_over: range(&mut query, WHEN_HANDED_OVER),
        inserted_at: range(&mut query, INSERTED_AT),
        search: SEARCH_PARAMETERS.iter().filter_map(|parameter| query.search(parameter)).collect(),
    };
    let page = query.page(ListDispenses::MAX_PAGE_SIZE);
    query.finish()?;
    Ok((filter, page))
}

fn range(query: &mut Query, [from, to]: [&'static str; 2]) -> TimeRange {
    TimeRange::new(query.time(from), query.time(to))
}

/// Every spelling of every status.
fn statuses() -> Vec<&'static str> {
    DispenseStatus::ALL.iter().flat_map(|status| status.spellings()).copied().collect()
}

/// The name of the response to them in the description.
pub(super) const INVALID_FILTER: &str = "InvalidDispenseFilter";

/// Requests with faults of every rule, for the description.
pub(super) fn faults() -> [(&'static str, Result<(), ApiError>); 3] {
    let each = [
        ("cast_and_format", "page=first&device=1&inserted_at_from=yesterday&status=begun"),
        ("number", "page=0&page_size=301"),
        ("unknown_or_repeated", "device_id=1&page=1&page=2"),
    ];
    each.map(|(name, query)| (name, parse(Query::parse(query)).map(drop)))
}

/// The description of the parameters.
pub(super) struct FilterParameters;

impl IntoParams for FilterParameters {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let owner = "The legal entity that dispenses. Another legal entity than the caller's gives an empty list, unless the server shows the \
                     dispenses of all legal entities.";
        let times = [
            (WHEN_HANDED_OVER, ["Handed over then or later.", "Handed over then or earlier."]),
            (INSERTED_AT, ["Recorded then or later.", "Recorded then or earlier."]),
        ];
        let times = times.into_iter().flat_map(|(names, meanings)| names.into_iter().zip(meanings));
        let searched =
            SEARCH_PARAMETERS.iter().map(|SearchParameter { name, kind, meaning, .. }| match kind {
                SearchKind::Id => {
                    query_parameter(name, meaning, format(SchemaFormat::Custom("uuid".to_owned())))
                }
                SearchKind::Code => query_parameter(name, meaning, text().min_length(Some(1))),
            });
        searched
            .chain([
                query_parameter(
                    PERFORMER_LEGAL_ENTITY,
                    owner,
                    format(SchemaFormat::Custom("uuid".to_owned())),
                ),
                query_parameter(
                    STATUS,
                    "In this status.",
                    text().title(Some("DispenseStatusFilter")).enum_values(Some(statuses())),
                ),
            ])
            .chain(times.map(|(name, meaning)| {
                let meaning = format!("{meaning} A time without an offset is in UTC.");
                query_parameter(name, &meaning, format(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            }))
            .chain(PageParameters::<{ ListDispenses::MAX_PAGE_SIZE }>::into_params(|| None))
            .collect()
    }
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn format(format: SchemaFormat) -> ObjectBuilder {
    text().format(Some(format))
}
