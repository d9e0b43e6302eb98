//! Rows of persons, parties and employees.

use async_trait::async_trait;
use diesel::prelude::*;
use esoz_kernel::Pseudonym;
use esoz_kernel::{Put, ScanCursor, ScanPage, StoreError, UserId};
use esoz_registries::{Employee, EmployeeRecord, Party, PartyRecord, Person, PersonRecord, Registry};
use esoz_signed_content::DrfoDigest;

use crate::SqliteStore;
use crate::error::{SqliteError, is_unique_violation};
use crate::prepared::Prepared;
use crate::rows::{HIDDEN, Location, put_all, put_row, refused_if_dangling, stamp_columns};
use crate::scan::scan_table;
use crate::schema::{employees, parties, party_users, persons};

#[derive(Clone, Queryable, Selectable, Insertable, AsChangeset, PartialEq)]
#[diesel(table_name = persons)]
pub(super) struct PersonRow {
    subject: String,
    status: String,
    verification_status: String,
    #[diesel(skip_update)]
    inserted_at: String,
    #[diesel(skip_update)]
    inserted_by: String,
    updated_at: String,
    updated_by: String,
}

impl From<&PersonRecord> for PersonRow {
    fn from(record: &PersonRecord) -> Self {
        let [inserted_at, inserted_by, updated_at, updated_by] = stamp_columns(&record.stamps);
        Self {
            subject: record.subject.expose().to_owned(),
            status: record.facts.status.as_str().to_owned(),
            verification_status: record.facts.verification.as_str().to_owned(),
            inserted_at,
            inserted_by,
            updated_at,
            updated_by,
        }
    }
}

impl PersonRow {
    #[expect(clippy::unused_self, reason = "as the other rows: theirs shows an id")]
    fn location(&self) -> Location<'_> {
        Location { table: "persons", id: HIDDEN }
    }

    pub(super) fn facts(&self) -> Result<Person, StoreError> {
        Ok(Person {
            status: self.location().parse("status", &self.status)?,
            verification: self.location().parse("verification_status", &self.verification_status)?,
        })
    }

    fn record(&self) -> Result<PersonRecord, StoreError> {
        let stamps = [&self.inserted_at, &self.inserted_by, &self.updated_at, &self.updated_by];
        let stamps = self.location().stamps(stamps.map(String::as_str))?;
        Ok(PersonRecord { subject: Pseudonym::new(&self.subject), facts: self.facts()?, stamps })
    }
}

#[derive(Clone, Queryable, Selectable, Insertable, AsChangeset, PartialEq)]
#[diesel(table_name = parties, treat_none_as_null = true, treat_none_as_default_value = false)]
pub(super) struct PartyRow {
    id: String,
    tax_id_digest: Option<String>,
    users: String,
    #[diesel(skip_update)]
    inserted_at: String,
    #[diesel(skip_update)]
    inserted_by: String,
    updated_at: String,
    updated_by: String,
}

impl From<&PartyRecord> for PartyRow {
    fn from(record: &PartyRecord) -> Self {
        let [inserted_at, inserted_by, updated_at, updated_by] = stamp_columns(&record.stamps);
        let users: Vec<String> = record.users.iter().map(ToString::to_string).collect();
        Self {
            id: record.facts.id.to_string(),
            tax_id_digest: record.facts.drfo.as_ref().map(|digest| digest.expose().to_owned()),
            users: serde_json::Value::from(users).to_string(),
            inserted_at,
            inserted_by,
            updated_at,
            updated_by,
        }
    }
}

impl PartyRow {
    fn location(&self) -> Location<'_> {
        Location { table: "parties", id: &self.id }
    }

    pub(super) fn facts(&self) -> Result<Party, StoreError> {
        let digest =
            |text: &String| DrfoDigest::parse(text).ok_or_else(|| self.location().corrupt("tax_id_digest"));
        Ok(Party {
            id: self.location().parse("id", &self.id)?,
            drfo: self.tax_id_digest.as_ref().map(digest).transpose()?,
        })
    }

    fn record(&self) -> Result<PartyRecord, StoreError> {
        let stamps = [&self.inserted_at, &self.inserted_by, &self.updated_at, &self.updated_by];
        let stamps = self.location().stamps(stamps.map(String::as_str))?;
        Ok(PartyRecord { facts: self.facts()?, users: self.users()?, stamps })
    }

    fn users(&self) -> Result<Vec<UserId>, StoreError> {
        let users: Vec<String> =
            serde_json::from_str(&self.users).map_err(|_| self.location().corrupt("users"))?;
        users.iter().map(|user| self.location().parse("users", user)).collect()
    }
}

#[derive(Clone, Queryable, Selectable, Insertable, AsChangeset, PartialEq)]
#[diesel(table_name = employees, treat_none_as_null = true, treat_none_as_default_value = false)]
pub(super) struct EmployeeRow {
    id: String,
    party_id: String,
    legal_entity_id: String,
    kind: String,
    status: String,
    is_active: bool,
    end_date: Option<String>,
    name: String,
    #[diesel(skip_update)]
    inserted_at: String,
    #[diesel(skip_update)]
    inserted_by: String,
    updated_at: String,
    updated_by: String,
}

impl From<&EmployeeRecord> for EmployeeRow {
    fn from(record: &EmployeeRecord) -> Self {
        let [inserted_at, inserted_by, updated_at, updated_by] = stamp_columns(&record.stamps);
        Self {
            id: record.facts.id.to_string(),
            party_id: record.facts.party.to_string(),
            legal_entity_id: record.facts.legal_entity.to_string(),
            kind: record.kind.clone(),
            status: record.facts.status.clone(),
            is_active: record.facts.is_active,
            end_date: record.facts.end_date.map(|day| day.to_string()),
            name: record.facts.name.clone(),
            inserted_at,
            inserted_by,
            updated_at,
            updated_by,
        }
    }
}

impl EmployeeRow {
    fn location(&self) -> Location<'_> {
        Location { table: "employees", id: &self.id }
    }

    pub(super) fn facts(&self) -> Result<Employee, StoreError> {
        let location = self.location();
        let end_date = self.end_date.as_ref().map(|day| location.parse("end_date", day));
        Ok(Employee {
            id: location.parse("id", &self.id)?,
            party: location.parse("party_id", &self.party_id)?,
            legal_entity: location.parse("legal_entity_id", &self.legal_entity_id)?,
            status: self.status.clone(),
            is_active: self.is_active,
            end_date: end_date.transpose()?,
            name: self.name.clone(),
        })
    }

    fn record(&self) -> Result<EmployeeRecord, StoreError> {
        let stamps = [&self.inserted_at, &self.inserted_by, &self.updated_at, &self.updated_by];
        let stamps = self.location().stamps(stamps.map(String::as_str))?;
        Ok(EmployeeRecord { facts: self.facts()?, kind: self.kind.clone(), stamps })
    }
}

#[async_trait]
impl Registry<PersonRecord> for SqliteStore {
    async fn put(&self, records: &[PersonRecord]) -> Result<Vec<Put>, StoreError> {
        put_all(self, "loading persons", records, |connection, row: &PersonRow| {
            Ok(put_row!(connection, persons by subject, row: PersonRow)?)
        })
        .await
    }

    async fn scan(
        &self,
        after: Option<ScanCursor>,
        limit: u32,
    ) -> Result<ScanPage<PersonRecord>, StoreError> {
        scan_table!(self, persons by subject: PersonRow, after, limit)
    }
}

#[async_trait]
impl Registry<PartyRecord> for SqliteStore {
    async fn put(&self, records: &[PartyRecord]) -> Result<Vec<Put>, StoreError> {
        put_all(self, "loading parties", records, |connection, row: &PartyRow| {
            match put_row!(connection, parties by id, row: PartyRow) {
                Err(error) if is_unique_violation(&error) => user_of_another(connection, row),
                put => Ok(put?),
            }
        })
        .await
    }

    async fn scan(&self, after: Option<ScanCursor>, limit: u32) -> Result<ScanPage<PartyRecord>, StoreError> {
        scan_table!(self, parties by id: PartyRow, after, limit)
    }
}

#[async_trait]
impl Registry<EmployeeRecord> for SqliteStore {
    async fn put(&self, records: &[EmployeeRecord]) -> Result<Vec<Put>, StoreError> {
        put_all(self, "loading employees", records, |connection, row: &EmployeeRow| {
            let put = put_row!(connection, employees by id, row: EmployeeRow);
            refused_if_dangling(put, || {
                format!("its party {} or its legal entity {} is not there", row.party_id, row.legal_entity_id)
            })
        })
        .await
    }

    async fn scan(
        &self,
        after: Option<ScanCursor>,
        limit: u32,
    ) -> Result<ScanPage<EmployeeRecord>, StoreError> {
        scan_table!(self, employees by id: EmployeeRow, after, limit)
    }
}

/// The outcome for a party with a user that another party has. There is no concurrent writer, so that party still has it.
fn user_of_another(connection: &mut SqliteConnection, row: &PartyRow) -> Result<Put, SqliteError> {
    let users = row.users()?.into_iter().map(|user| user.to_string());
    let other = party_users::table
        .filter(party_users::user_id.eq_any(users))
        .filter(party_users::party_id.ne(&row.id))
        .order(party_users::user_id)
        .select((party_users::user_id, party_users::party_id));
    let other: Option<(String, String)> = other.first(connection).optional()?;
    Ok(Put::Refused(other.map_or_else(
        || "it has a user twice".to_owned(),
        |(user, party)| format!("its user {user} belongs to party {party}"),
    )))
}
