//! Recording dispenses.

use diesel::prelude::*;
use esoz_device_dispense::{Create, CreateRefusal, Dispense, RequestFacts, RequestQuery};
use esoz_kernel::{StoreError, StoreErrorKind, Written};

use super::document::{from_dispense, to_dispense};
use super::query;
use super::replay::{Kept, kept};
use crate::error::SqliteError;
use crate::schema::device_dispenses;
use crate::{device_request, idempotency, outbox};

/// Looks up what the rules of a create read; called inside a transaction.
pub(super) fn request_facts(
    connection: &mut SqliteConnection,
    query: &RequestQuery,
) -> Result<RequestFacts, SqliteError> {
    let (wrong_codes, oldest_wrong_code) = device_request::query::count_wrong_codes(connection, query)?;
    Ok(RequestFacts {
        request: device_request::query::find(connection, query.request)?,
        is_id_taken: query::exists(connection, query.id)?,
        has_active_dispense: query::has_active(connection, query.request, query.active_since)?,
        wrong_codes,
        oldest_wrong_code,
        // Nobody else writes inside the transaction that decides.
        basis: esoz_device_dispense::Basis::default(),
    })
}

/// Records a dispense; called inside a transaction.
pub(super) fn create(
    connection: &mut SqliteConnection,
    create: &Create,
) -> Result<Written<Dispense, CreateRefusal>, SqliteError> {
    let Create { query, owner, subject, decide, at, event, idempotency, .. } = create;
    let whose = (Some(*owner), Some(subject));
    if let Some(Kept { replay, is_hidden: false }) =
        kept(connection, (idempotency.as_ref(), *at), query.id, whose)?
    {
        return Ok(replay.into());
    }
    let dispense = match decide(&request_facts(connection, query)?) {
        Ok(dispense) => dispense,
        Err(refusal) => {
            if refusal == CreateRefusal::WrongCode {
                device_request::query::add_wrong_code(connection, query, *at)?;
            }
            return Ok(Written::Refused(refusal));
        }
    };
    let id = dispense.id.to_string();
    let document = from_dispense(&dispense).map_err(|reason| {
        StoreError::new(StoreErrorKind::Unexpected, format!("encoding dispense {id}")).because(reason)
    })?;
    diesel::insert_into(device_dispenses::table)
        .values((device_dispenses::id.eq(&id), device_dispenses::document.eq(&document)))
        .execute(connection)?;
    outbox::put(connection, event)?;
    if let Some(request) = idempotency {
        idempotency::keep(connection, request, *at, &document)?;
    }
    Ok(Written::Applied(to_dispense(&id, &document)?.dispense?))
}
