//! Rows of persons, parties and employees.

use std::marker::PhantomData;

use async_trait::async_trait;
use diesel::data_types::PgDate;
use diesel::sql_types::{Array, Bool, Date, Nullable, Text, Uuid as SqlUuid};
use esoz_kernel::{EmployeeId, LegalEntityId, PartyId, Pseudonym, Put, ScanCursor, StoreError, UserId};
use esoz_registries::{Employee, EmployeeRecord, Party, PartyRecord, Person, PersonRecord, Registry};
use esoz_signed_content::DrfoDigest;
use uuid::Uuid;

use super::scan::{Position, ScanPage, StampsSql};
use crate::PostgresStore;
use crate::columns::{Values, each};
use crate::error::During as _;
use crate::key::HIDDEN;
use crate::scan::{Location, StampColumns, page, page_by, text_of};
use crate::statement::statement;
use crate::time::{date_from_pg, date_to_pg};
use crate::upsert::Table;

/// Status and status of verification.
pub(super) type PersonSql = (Text, Text);
pub(super) type PersonRow = (String, String);

pub(super) fn person((status, verification): PersonRow) -> Result<Person, StoreError> {
    Ok(Person {
        status: PERSONS.parse("status", &status)?,
        verification: PERSONS.parse("verification_status", &verification)?,
    })
}

const PERSONS: Location<&str> = Location { table: "persons", id: HIDDEN };

/// Id and digest of the taxpayer number.
pub(super) type PartySql = (SqlUuid, Nullable<Text>);
pub(super) type PartyRow = (Uuid, Option<String>);

pub(super) fn party((id, digest): PartyRow) -> Result<Party, StoreError> {
    let corrupt = || Location { table: "parties", id }.corrupt("tax_id_digest");
    let digest = digest.map(|digest| DrfoDigest::parse(&digest).ok_or_else(corrupt));
    Ok(Party { id: PartyId::new(id), drfo: digest.transpose()? })
}

statement! {
    /// Finds the party of a user.
    FindParty { user_id: Uuid => SqlUuid, } -> PartySql;
    " SELECT party.id, party.tax_id_digest
     FROM args
     JOIN party_users AS member ON member.user_id = args.user_id
     JOIN parties AS party ON party.id = member.party_id"
}

/// Id, party, legal entity, status, whether it is active, last day, name.
pub(super) type EmployeeSql = (SqlUuid, SqlUuid, SqlUuid, Text, Bool, Nullable<Date>, Text);
pub(super) type EmployeeRow = (Uuid, Uuid, Uuid, String, bool, Option<PgDate>, String);

pub(super) fn employee(row: EmployeeRow) -> Result<Employee, StoreError> {
    let (id, party, legal_entity, status, is_active, end_date, name) = row;
    let corrupt = || Location { table: "employees", id }.corrupt("end_date");
    Ok(Employee {
        id: EmployeeId::new(id),
        party: PartyId::new(party),
        legal_entity: LegalEntityId::new(legal_entity),
        status,
        is_active,
        end_date: end_date.map(|day| date_from_pg(day).ok_or_else(corrupt)).transpose()?,
        name,
    })
}

static PERSON_TABLE: Table<PersonRecord, Pseudonym> = Table {
    name: "persons",
    record: "person",
    id: |record| record.subject.clone(),
    stamps: |record| record.stamps,
    columns: |records| {
        let verification = |record: &PersonRecord| record.facts.verification.as_str().to_owned();
        vec![
            ("status", Values::Text(each(records, |record| record.facts.status.as_str().to_owned()))),
            ("verification_status", Values::Text(each(records, verification))),
        ]
    },
    updates: true,
    is_audited: false,
};

static PARTY_TABLE: Table<PartyRecord> = Table {
    name: "parties",
    record: "party",
    id: |record| record.facts.id.uuid(),
    stamps: |record| record.stamps,
    columns: |records| {
        let digest = |record: &PartyRecord| record.facts.drfo.as_ref().map(|it| it.expose().to_owned());
        let users = |record: &PartyRecord| {
            let users = record.users.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            Some(format!("{{{users}}}"))
        };
        vec![
            ("tax_id_digest", Values::Parsed("text", each(records, digest))),
            ("users", Values::Parsed("uuid[]", each(records, users))),
        ]
    },
    updates: true,
    is_audited: false,
};

static EMPLOYEE_TABLE: Table<EmployeeRecord> = Table {
    name: "employees",
    record: "employee",
    id: |record| record.facts.id.uuid(),
    stamps: |record| record.stamps,
    columns: |records| {
        let legal_entity = |record: &EmployeeRecord| record.facts.legal_entity.uuid();
        vec![
            ("party_id", Values::Id(each(records, |record| record.facts.party.uuid()))),
            ("legal_entity_id", Values::Id(each(records, legal_entity))),
            ("type", Values::Text(each(records, |record| record.kind.clone()))),
            ("status", Values::Text(each(records, |record| record.facts.status.clone()))),
            ("is_active", Values::Bool(each(records, |record| Some(record.facts.is_active)))),
            ("end_date", Values::Date(each(records, |record| record.facts.end_date.map(date_to_pg)))),
            ("name", Values::Text(each(records, |record| record.facts.name.clone()))),
        ]
    },
    updates: true,
    is_audited: false,
};

#[async_trait]
impl Registry<PersonRecord> for PostgresStore {
    async fn put(&self, records: &[PersonRecord]) -> Result<Vec<Put>, StoreError> {
        self.put_all(&PERSON_TABLE, records).await
    }

    async fn scan(
        &self,
        after: Option<ScanCursor>,
        limit: u32,
    ) -> Result<esoz_kernel::ScanPage<PersonRecord>, StoreError> {
        let query = ScanPage::<(Text, PersonSql, StampsSql)> {
            table: "persons",
            key: "subject",
            columns: "subject, status, verification_status",
            after: text_of(after)?.map(Position::Text),
            limit: limit.into(),
            sql_type: PhantomData,
        };
        let rows: Vec<(String, PersonRow, StampColumns)> =
            self.connections.query(query).await.during("scanning persons")?;
        Ok(page_by(
            rows,
            limit,
            |row| ScanCursor::new(row.0.as_bytes()),
            |(subject, facts, stamps)| {
                let (facts, stamps) = (person(facts)?, PERSONS.stamps(stamps)?);
                Ok(PersonRecord { subject: Pseudonym::new(subject), facts, stamps })
            },
        ))
    }
}

#[async_trait]
impl Registry<PartyRecord> for PostgresStore {
    async fn put(&self, records: &[PartyRecord]) -> Result<Vec<Put>, StoreError> {
        self.put_all(&PARTY_TABLE, records).await
    }

    async fn scan(
        &self,
        after: Option<ScanCursor>,
        limit: u32,
    ) -> Result<esoz_kernel::ScanPage<PartyRecord>, StoreError> {
        let columns = "id, tax_id_digest, users";
        let query =
            ScanPage::<(PartySql, Array<SqlUuid>, StampsSql)>::by_id("parties", columns, after, limit)?;
        let rows: Vec<(PartyRow, Vec<Uuid>, StampColumns)> =
            self.connections.query(query).await.during("scanning parties")?;
        Ok(page(
            rows,
            limit,
            |row| row.0.0,
            |(facts, users, stamps)| {
                let stamps = Location { table: "parties", id: facts.0 }.stamps(stamps)?;
                let users = users.into_iter().map(UserId::new).collect();
                Ok(PartyRecord { facts: party(facts)?, users, stamps })
            },
        ))
    }
}

#[async_trait]
impl Registry<EmployeeRecord> for PostgresStore {
    async fn put(&self, records: &[EmployeeRecord]) -> Result<Vec<Put>, StoreError> {
        self.put_all(&EMPLOYEE_TABLE, records).await
    }

    async fn scan(
        &self,
        after: Option<ScanCursor>,
        limit: u32,
    ) -> Result<esoz_kernel::ScanPage<EmployeeRecord>, StoreError> {
        let columns = "id, party_id, legal_entity_id, status, is_active, end_date, name, type";
        let query = ScanPage::<(EmployeeSql, Text, StampsSql)>::by_id("employees", columns, after, limit)?;
        let rows: Vec<(EmployeeRow, String, StampColumns)> =
            self.connections.query(query).await.during("scanning employees")?;
        Ok(page(
            rows,
            limit,
            |row| row.0.0,
            |(facts, kind, stamps)| {
                let stamps = Location { table: "employees", id: facts.0 }.stamps(stamps)?;
                Ok(EmployeeRecord { facts: employee(facts)?, kind, stamps })
            },
        ))
    }
}
