//! Lists records: the query, and its rows.

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Nullable, Text, Uuid as SqlUuid};
use esoz_contract_division::{ContractDivision, Filter};
use esoz_kernel::{ContractDivisionId, ContractId, DivisionId, Page, PageRequest, StoreError};
use uuid::Uuid;

use super::row::{RecordRow, RecordSql, contract_division};

/// A row of a page with the total; an empty page is one row with the total alone.
pub(super) type ListedRow = (i64, Option<RecordRow>);

/// Lists a page of the records that meet a filter. Only the conditions that are asked for are part of the text, so that each can use its
/// index. They are counted only when the page does not tell how many there are (docs/adr/0025).
#[derive(Clone)]
pub(super) struct ListRecords {
    ids: [(&'static str, Option<Uuid>); 3],
    is_active: bool,
    contract_type: &'static str,
    size: i64,
    skipped: i64,
}

impl ListRecords {
    pub(super) fn new(filter: &Filter, page: PageRequest) -> Self {
        Self {
            ids: [
                ("id", filter.id.map(ContractDivisionId::uuid)),
                ("contract_id", filter.contract_id.map(ContractId::uuid)),
                ("division_id", filter.division_id.map(DivisionId::uuid)),
            ],
            is_active: filter.visibility.is_active,
            contract_type: filter.visibility.contract_type.as_str(),
            size: page.size().into(),
            skipped: i64::try_from(page.offset()).unwrap_or(i64::MAX),
        }
    }

    fn matching<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            " FROM contract_divisions AS record JOIN contracts AS contract ON contract.id = record.contract_id
             WHERE ",
        );
        // Not as an argument: the index of active records is of use only to a query that names them.
        out.push_sql(if self.is_active { "record.is_active" } else { "NOT record.is_active" });
        out.push_sql(" AND contract.type = ");
        out.push_bind_param::<Text, _>(self.contract_type)?;
        for (column, id) in &self.ids {
            if let Some(id) = id {
                out.push_sql(&format!(" AND record.{column} = "));
                out.push_bind_param::<SqlUuid, _>(id)?;
            }
        }
        Ok(())
    }
}

impl QueryFragment<Pg> for ListRecords {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH page AS MATERIALIZED (SELECT record.*");
        self.matching(out.reborrow())?;
        out.push_sql(" ORDER BY record.inserted_at, record.id LIMIT ");
        out.push_bind_param::<BigInt, _>(&self.size)?;
        out.push_sql(" OFFSET ");
        out.push_bind_param::<BigInt, _>(&self.skipped)?;
        out.push_sql("), found AS MATERIALIZED (SELECT count(*) AS records FROM page) SELECT CASE WHEN found.records < ");
        out.push_bind_param::<BigInt, _>(&self.size)?;
        out.push_sql(" AND (found.records > 0 OR ");
        out.push_bind_param::<BigInt, _>(&self.skipped)?;
        out.push_sql(" = 0) THEN found.records + ");
        out.push_bind_param::<BigInt, _>(&self.skipped)?;
        out.push_sql(" ELSE (SELECT count(*)");
        self.matching(out.reborrow())?;
        out.push_sql(
            ") END, page.id, page.contract_id, page.division_id, page.is_active,
                 page.inserted_at, page.inserted_by, page.updated_at, page.updated_by
             FROM found LEFT JOIN page ON true ORDER BY page.inserted_at, page.id",
        );
        Ok(())
    }
}

impl Query for ListRecords {
    type SqlType = (BigInt, Nullable<RecordSql>);
}

/// The text depends on the filter, so that the type alone does not identify the prepared statement.
impl QueryId for ListRecords {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

/// Reads the rows of a page.
pub(super) fn page(rows: Vec<ListedRow>) -> Page<Result<ContractDivision, StoreError>> {
    let total_entries = rows.first().map_or(0, |(total, _)| total.unsigned_abs());
    let items = rows.into_iter().filter_map(|(_, record)| record).map(contract_division).collect();
    Page { items, total_entries }
}

#[cfg(test)]
#[path = "list_tests.rs"]
mod tests;
