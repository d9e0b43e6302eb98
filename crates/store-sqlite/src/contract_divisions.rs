use async_trait::async_trait;
use diesel::prelude::*;
use esoz_contract_division::{
    Applied, Change, Contract, ContractDivision, ContractDivisions, Current, Division, Facts, Update,
};
use esoz_kernel::time::rfc3339_micros;
use esoz_kernel::{ContractDivisionId, IdempotentRequest, Replay, RequestId, StoreError, Timestamp};
use serde_json::{Value, json};

use crate::SqliteStore;
use crate::error::Trouble;
use crate::idempotency;
use crate::prepared::Prepared;
use crate::rows::{Place, stamp_columns};
use crate::schema::{contract_divisions, contracts, divisions, request_context};

#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = contract_divisions)]
pub(crate) struct RecordRow {
    pub(crate) id: String,
    pub(crate) contract_id: String,
    pub(crate) division_id: String,
    pub(crate) is_active: bool,
    inserted_at: String,
    inserted_by: String,
    updated_at: String,
    updated_by: String,
}

impl From<&ContractDivision> for RecordRow {
    fn from(record: &ContractDivision) -> Self {
        let [inserted_at, inserted_by, updated_at, updated_by] = stamp_columns(&record.stamps);
        Self {
            id: record.id.to_string(),
            contract_id: record.contract_id.to_string(),
            division_id: record.division_id.to_string(),
            is_active: record.is_active,
            inserted_at,
            inserted_by,
            updated_at,
            updated_by,
        }
    }
}

impl RecordRow {
    /// The row as it is kept with a key.
    fn json(&self) -> String {
        json!({
            "id": self.id,
            "contract_id": self.contract_id,
            "division_id": self.division_id,
            "is_active": self.is_active,
            "inserted_at": self.inserted_at,
            "inserted_by": self.inserted_by,
            "updated_at": self.updated_at,
            "updated_by": self.updated_by,
        })
        .to_string()
    }

    /// The record in a row that was kept with a key.
    fn read(json: &str) -> Result<ContractDivision, StoreError> {
        let place = idempotency::PLACE;
        let row: Value = place.parse("answer", json)?;
        let corrupt = || place.corrupt("answer");
        let text =
            |column: &str| row.get(column).and_then(Value::as_str).map(str::to_owned).ok_or_else(corrupt);
        let row = Self {
            id: text("id")?,
            contract_id: text("contract_id")?,
            division_id: text("division_id")?,
            is_active: row.get("is_active").and_then(Value::as_bool).ok_or_else(corrupt)?,
            inserted_at: text("inserted_at")?,
            inserted_by: text("inserted_by")?,
            updated_at: text("updated_at")?,
            updated_by: text("updated_by")?,
        };
        row.record()
    }

    fn record(&self) -> Result<ContractDivision, StoreError> {
        let place = Place { table: "contract_divisions", id: &self.id };
        Ok(ContractDivision {
            id: place.parse("id", &self.id)?,
            contract_id: place.parse("contract_id", &self.contract_id)?,
            division_id: place.parse("division_id", &self.division_id)?,
            is_active: self.is_active,
            stamps: place.stamps([
                &self.inserted_at,
                &self.inserted_by,
                &self.updated_at,
                &self.updated_by,
            ])?,
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = contracts)]
struct ContractRow {
    id: String,
    kind: String,
    contractor_legal_entity_id: String,
    is_active: bool,
}

impl ContractRow {
    fn facts(&self) -> Result<Contract, StoreError> {
        let place = Place { table: "contracts", id: &self.id };
        Ok(Contract {
            id: place.parse("id", &self.id)?,
            kind: place.parse("type", &self.kind)?,
            contractor: place.parse("contractor_legal_entity_id", &self.contractor_legal_entity_id)?,
            is_active: self.is_active,
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = divisions)]
struct DivisionRow {
    id: String,
    legal_entity_id: String,
    is_active: bool,
}

impl DivisionRow {
    fn facts(&self) -> Result<Division, StoreError> {
        let place = Place { table: "divisions", id: &self.id };
        Ok(Division {
            id: place.parse("id", &self.id)?,
            legal_entity: place.parse("legal_entity_id", &self.legal_entity_id)?,
            is_active: self.is_active,
        })
    }
}

#[async_trait]
impl ContractDivisions for SqliteStore {
    async fn facts(&self, id: ContractDivisionId, change: &Change) -> Result<Facts, StoreError> {
        let change = *change;
        self.read(format!("gathering the facts about contract division {id}"), move |connection| {
            connection.transaction(|connection| facts(connection, id, change))
        })
        .await
    }

    async fn apply(&self, update: &Update) -> Result<Applied, StoreError> {
        let update = update.clone();
        self.writer
            .write(format!("updating contract division {}", update.id), move |connection| {
                if let Some(idempotency) = &update.idempotency
                    && let Some(replay) = replay(connection, idempotency, update.at)?
                {
                    return Ok(Applied::Replayed(replay));
                }
                let change = update.change;
                let facts = facts(connection, update.id, change)?;
                if !update.expected.is_met_by(&facts) {
                    return Ok(Applied::Stale);
                }
                set_request(connection, Some(&update.request_id))?;
                let record = diesel::update(contract_divisions::table.find(update.id.to_string()))
                    .set((
                        contract_divisions::division_id.eq(change.division_id.to_string()),
                        contract_divisions::contract_id.eq(change.contract_id.to_string()),
                        contract_divisions::updated_at.eq(rfc3339_micros(update.at)),
                        contract_divisions::updated_by.eq(update.by.to_string()),
                    ))
                    .returning(RecordRow::as_returning());
                let row: RecordRow = Prepared(record).get_result(connection)?;
                set_request(connection, None)?;
                if let Some(request) = &update.idempotency {
                    idempotency::keep(connection, request, update.at, &row.json())?;
                }
                Ok(Applied::Applied(row.record()?))
            })
            .await
    }

    async fn replay(
        &self,
        idempotency: &IdempotentRequest,
        now: Timestamp,
    ) -> Result<Option<Replay<ContractDivision>>, StoreError> {
        let idempotency = *idempotency;
        self.read("looking up an idempotency key", move |connection| replay(connection, &idempotency, now))
            .await
    }
}

/// What was done under the key, if anything was.
fn replay(
    connection: &mut SqliteConnection,
    idempotency: &IdempotentRequest,
    now: Timestamp,
) -> Result<Option<Replay<ContractDivision>>, Trouble> {
    let replay = idempotency::replay(connection, idempotency, now)?;
    Ok(replay.map(|replay| idempotency::answered(replay, RecordRow::read)).transpose()?)
}

/// All that the rules read. Inside a transaction, so at one instant.
fn facts(
    connection: &mut SqliteConnection,
    id: ContractDivisionId,
    change: Change,
) -> Result<Facts, Trouble> {
    let (id, division_id, contract_id) =
        (id.to_string(), change.division_id.to_string(), change.contract_id.to_string());
    let current: Option<(RecordRow, ContractRow)> = contract_divisions::table
        .inner_join(contracts::table)
        .filter(contract_divisions::id.eq(&id))
        .select((RecordRow::as_select(), ContractRow::as_select()))
        .first(connection)
        .optional()?;
    let division: Option<DivisionRow> =
        divisions::table.find(&division_id).select(DivisionRow::as_select()).first(connection).optional()?;
    let contract: Option<ContractRow> =
        contracts::table.find(&contract_id).select(ContractRow::as_select()).first(connection).optional()?;
    let same_pair = contract_divisions::table
        .filter(contract_divisions::contract_id.eq(&contract_id))
        .filter(contract_divisions::division_id.eq(&division_id))
        .filter(contract_divisions::is_active)
        .filter(contract_divisions::id.ne(&id));
    let is_pair_taken = diesel::select(diesel::dsl::exists(same_pair)).get_result(connection)?;
    let current = current.map(|(record, contract)| {
        Ok::<_, StoreError>(Current { record: record.record()?, contract: contract.facts()? })
    });
    Ok(Facts {
        current: current.transpose()?,
        division: division.map(|row| row.facts()).transpose()?,
        contract: contract.map(|row| row.facts()).transpose()?,
        is_pair_taken,
    })
}

/// Tells the audit trigger on whose behalf this transaction writes. Must be cleared before the commit.
fn set_request(connection: &mut SqliteConnection, request_id: Option<&RequestId>) -> QueryResult<usize> {
    let update = diesel::update(request_context::table)
        .set(request_context::request_id.eq(request_id.map(RequestId::as_str)));
    Prepared(update).execute(connection)
}
