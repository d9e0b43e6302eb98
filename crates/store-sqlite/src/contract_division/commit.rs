//! Writes contract divisions; the transaction has no concurrent writer.

use diesel::prelude::*;
use esoz_contract_division::{ContractDivision, Refusal, Write};
use esoz_kernel::{RequestId, Written};

use super::query::facts;
use super::row::RecordRow;
use crate::error::SqliteError;
use crate::idempotency;
use crate::prepared::Prepared;
use crate::schema::{contract_divisions, request_context};

/// Reads the facts, decides, and stores the decision.
pub(super) fn write(
    connection: &mut SqliteConnection,
    write: &Write,
) -> Result<Written<ContractDivision, Refusal>, SqliteError> {
    if let Some(request) = &write.idempotency
        && let Some(replay) = idempotency::replay(connection, request, write.at)?
    {
        return Ok(idempotency::answered(replay, RecordRow::read)?.into());
    }
    let facts = facts(connection, write.id, write.pair)?;
    let record = match (write.decide)(&facts) {
        Ok(record) => record,
        Err(refusal) => return Ok(Written::Refused(refusal)),
    };
    let row = RecordRow::from(&record);
    set_request(connection, Some(&write.request_id))?;
    if facts.current.is_some() {
        let update = diesel::update(contract_divisions::table.find(&row.id)).set(&row);
        Prepared(update).run(connection)?;
    } else {
        diesel::insert_into(contract_divisions::table).values(&row).execute(connection)?;
    }
    set_request(connection, None)?;
    if let Some(request) = &write.idempotency {
        idempotency::keep(connection, request, write.at, &row.json()?)?;
    }
    Ok(Written::Applied(record))
}

/// Tells the audit trigger on whose behalf this transaction writes. Must be cleared before the commit.
fn set_request(connection: &mut SqliteConnection, request_id: Option<&RequestId>) -> QueryResult<()> {
    let update = diesel::update(request_context::table)
        .set(request_context::request_id.eq(request_id.map(RequestId::as_str)));
    Prepared(update).run(connection)
}
