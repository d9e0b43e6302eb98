//! Reads contract divisions and the facts about them.

use diesel::connection::DefaultLoadingMode;
use diesel::dsl::{exists, not};
use diesel::prelude::*;
use diesel::sqlite::Sqlite;
use esoz_contract_division::{ContractDivision, Current, Facts, Filter, Pair};
use esoz_kernel::{ContractDivisionId, Page, PageRequest, StoreError};

use super::row::{ContractRow, DivisionRow, RecordRow};
use crate::error::SqliteError;
use crate::schema::{contract_divisions, contracts, divisions};

/// Finds a record with the contract that it belongs to.
pub(super) fn current(
    connection: &mut SqliteConnection,
    id: ContractDivisionId,
) -> Result<Option<Current>, SqliteError> {
    let current: Option<(RecordRow, ContractRow)> = contract_divisions::table
        .inner_join(contracts::table)
        .filter(contract_divisions::id.eq(id.to_string()))
        .select((RecordRow::as_select(), ContractRow::as_select()))
        .get_result(connection)
        .optional()?;
    let current = current.map(|(record, contract)| {
        Ok::<_, StoreError>(Current { record: record.record()?, contract: contract.facts()? })
    });
    Ok(current.transpose()?)
}

type Matching<'a> = contract_divisions::BoxedQuery<'a, Sqlite>;

/// The records that meet a filter.
fn matching(filter: &Filter) -> Matching<'_> {
    // Not joined: the planner might begin with the contracts, and sort the records of all.
    let contract = contracts::table.find(contract_divisions::contract_id);
    let of_type = exists(contract.filter(contracts::kind.eq(filter.visibility.contract_type.as_str())));
    let matching = contract_divisions::table.into_boxed().filter(of_type);
    // Not as a bound value: the index of active records is of use only to a query that names them.
    let mut matching = if filter.visibility.is_active {
        matching.filter(contract_divisions::is_active)
    } else {
        matching.filter(not(contract_divisions::is_active))
    };
    if let Some(id) = filter.id {
        matching = matching.filter(contract_divisions::id.eq(id.to_string()));
    }
    if let Some(id) = filter.contract_id {
        matching = matching.filter(contract_divisions::contract_id.eq(id.to_string()));
    }
    if let Some(id) = filter.division_id {
        matching = matching.filter(contract_divisions::division_id.eq(id.to_string()));
    }
    matching
}

/// A page of those in the order of a list.
fn page_of(filter: &Filter, page: PageRequest) -> Matching<'_> {
    matching(filter)
        .order((contract_divisions::inserted_at, contract_divisions::id))
        .limit(page.size().into())
        .offset(i64::try_from(page.offset()).unwrap_or(i64::MAX))
}

/// Lists a page of the records that meet a filter. They are counted only when the page does not tell how many there are (docs/adr/0025).
pub(super) fn list(
    connection: &mut SqliteConnection,
    filter: &Filter,
    page: PageRequest,
) -> QueryResult<Page<Result<ContractDivision, StoreError>>> {
    // One snapshot for both.
    connection.transaction(|connection| {
        let rows: Vec<RecordRow> = page_of(filter, page).select(RecordRow::as_select()).load(connection)?;
        let total_entries = match page.total_if_last(rows.len()) {
            Some(total) => total,
            None => matching(filter).count().get_result::<i64>(connection)?.unsigned_abs(),
        };
        Ok(Page { items: rows.iter().map(RecordRow::record).collect(), total_entries })
    })
}

/// Reads all records in the order of their ids.
pub(super) fn all(
    connection: &mut SqliteConnection,
) -> Result<Vec<Result<ContractDivision, StoreError>>, SqliteError> {
    let rows = contract_divisions::table.order(contract_divisions::id);
    let rows = rows.load_iter::<RecordRow, DefaultLoadingMode>(connection)?;
    Ok(rows.map(|row| row.map(|row| row.record())).collect::<QueryResult<_>>()?)
}

/// Reads all facts that the rules need. Inside a transaction, so from one snapshot.
pub(super) fn facts(
    connection: &mut SqliteConnection,
    id: ContractDivisionId,
    pair: Option<Pair>,
) -> Result<Facts, SqliteError> {
    let current = current(connection, id)?;
    let Some(Pair { division_id, contract_id }) = pair else {
        return Ok(Facts { current, division: None, contract: None, is_pair_taken: false });
    };
    let (division_id, contract_id) = (division_id.to_string(), contract_id.to_string());
    let division: Option<DivisionRow> = divisions::table
        .find(&division_id)
        .select(DivisionRow::as_select())
        .get_result(connection)
        .optional()?;
    let contract: Option<ContractRow> = contracts::table
        .find(&contract_id)
        .select(ContractRow::as_select())
        .get_result(connection)
        .optional()?;
    let same_pair = contract_divisions::table
        .filter(contract_divisions::contract_id.eq(&contract_id))
        .filter(contract_divisions::division_id.eq(&division_id))
        .filter(contract_divisions::is_active)
        .filter(contract_divisions::id.ne(id.to_string()));
    Ok(Facts {
        current,
        division: division.map(|row| row.facts()).transpose()?,
        contract: contract.map(|row| row.facts()).transpose()?,
        is_pair_taken: diesel::select(exists(same_pair)).get_result(connection)?,
    })
}

#[cfg(test)]
#[path = "query_tests.rs"]
mod tests;
