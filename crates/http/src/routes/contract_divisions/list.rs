use esoz_contract_division::{ListContractDivisions, ListInput};
use esoz_kernel::{Page, PageRequest};
use utoipa::{IntoParams, IntoResponses};

use super::{ContractDivisionDto, PATH, example};
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
    /// The contract division.
    #[param(format = "uuid", required = false)]
    id: String,
    /// The contract.
    #[param(format = "uuid", required = false)]
    contract_id: String,
    /// The division.
    #[param(format = "uuid", required = false)]
    division_id: String,
    /// Records that are not active are never shown: `false` gives an empty list.
    #[param(required = false)]
    is_active: bool,
}

type ListPage = PageParameters<{ ListContractDivisions::MAX_PAGE_SIZE }>;

/// List contract divisions
///
/// Lists active contract divisions of contracts of type `GB_CBP`, oldest first. The scopes of the access token and of the api key must both
/// hold `private_contracts:read`. A parameter that is not described is refused: a filter that is ignored would show the wrong records.
#[utoipa::path(
    get,
    path = "/api/admin/contract_divisions",
    operation_id = "list_contract_divisions",
    params(Parameters, ListPage, StandardHeaders),
    responses(ListAnswers)
)]
pub(crate) async fn handle(call: Call) -> Answer {
    call.run::<ListContractDivisions, _, _, _>(
        async |call| parse(call.query()),
        async |api, permit, input| {
            let page = input.page;
            let listed = api.contract_divisions.list.execute(permit, input).await?;
            Ok((page, readable::<ListContractDivisions, _>(&*api.observer, listed)))
        },
        |(page, listed)| Reply::page(PAGE_NUMBER, page, listed, |record| ContractDivisionDto::from(&record)),
    )
    .await
}

fn parse(mut query: Query) -> Result<ListInput, ApiError> {
    let input = ListInput {
        id: query.uuid("id"),
        contract_id: query.uuid("contract_id"),
        division_id: query.uuid("division_id"),
        is_active: query.boolean("is_active"),
        page: query.page(ListContractDivisions::MAX_PAGE_SIZE),
    };
    query.finish()?;
    Ok(input)
}

/// The answers of the method, for its description.
struct ListAnswers;

impl IntoResponses for ListAnswers {
    fn responses() -> Responses {
        let listed = Page { items: vec![example::record()], total_entries: 1 };
        let listed =
            Reply::page(PAGE_NUMBER, PageRequest::FIRST, listed, |record| ContractDivisionDto::from(&record));
        Answers::of_operation::<ListContractDivisions>(PATH)
            .success("listed", "A page of the records.", "ContractDivision", listed)
            .refusals([
                ("cast_and_format", parse(Query::parse("id=1&is_active=yes&page=first"))),
                ("number", parse(Query::parse("page=0&page_size=501"))),
                ("unknown_or_repeated", parse(Query::parse("division=1&page=1&page=2"))),
            ])
            .responses()
    }
}
