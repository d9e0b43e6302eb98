//! Rows of medical programs, device definitions and program devices.

use async_trait::async_trait;
use diesel::data_types::PgDate;
use diesel::sql_types::{Bool, Date, Nullable, Text, Uuid as SqlUuid};
use esoz_kernel::{
    Decimal, DeviceDefinitionId, MedicalProgramId, ProgramDeviceId, Put, ScanCursor, StoreError,
};
use esoz_registries::{
    DeviceDefinition, DeviceDefinitionRecord, MedicalProgram, MedicalProgramRecord, ProgramDevice,
    ProgramDeviceRecord, Registry, Reimbursement,
};
use uuid::Uuid;

use super::scan::{ScanPage, StampsSql};
use crate::PostgresStore;
use crate::columns::{Values, each};
use crate::error::During as _;
use crate::scan::{Location, StampColumns, page};
use crate::time::{date_from_pg, date_to_pg};
use crate::upsert::Table;

/// Whether it is active, and its name.
pub(super) type ProgramSql = (Bool, Text);
pub(super) type ProgramRow = (bool, String);

pub(super) fn program((is_active, name): ProgramRow) -> MedicalProgram {
    MedicalProgram { is_active, name }
}

/// Id, whether it is active, type, unit, count. Numbers are read as text: to the digit.
pub(super) type DefinitionSql = (SqlUuid, Bool, Text, Text, Text);
pub(super) type DefinitionRow = (Uuid, bool, String, String, String);

pub(super) fn definition(row: DefinitionRow) -> Result<DeviceDefinition, StoreError> {
    let (id, is_active, classification_type, packaging_unit, packaging_count) = row;
    let location = Location { table: "device_definitions", id };
    Ok(DeviceDefinition {
        id: DeviceDefinitionId::new(id),
        is_active,
        classification_type,
        packaging_unit,
        packaging_count: location.parse("packaging_count", &packaging_count)?,
    })
}

/// Id, program, definition, whether it is active, first and last day; reimbursement: word, amount, percentage; most for a day.
pub(super) type DeviceSql = (
    SqlUuid,
    SqlUuid,
    SqlUuid,
    Bool,
    Date,
    Nullable<Date>,
    Text,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Text>,
);
pub(super) type DeviceRow =
    (Uuid, Uuid, Uuid, bool, PgDate, Option<PgDate>, String, Option<String>, Option<String>, Option<String>);

fn device(row: DeviceRow) -> Result<ProgramDevice, StoreError> {
    let (id, program, definition, is_active, start_date, end_date, word, amount, percentage, max_daily_count) =
        row;
    let location = Location { table: "program_devices", id };
    let day = |column, day| date_from_pg(day).ok_or_else(|| location.corrupt(column));
    let decimal =
        |column, text: Option<String>| text.map(|text| location.parse::<Decimal>(column, &text)).transpose();
    let amount = decimal("reimbursement_amount", amount)?;
    let percentage = decimal("reimbursement_percentage", percentage)?;
    let reimbursement = Reimbursement::from_parts(&word, amount, percentage);
    Ok(ProgramDevice {
        id: ProgramDeviceId::new(id),
        program: MedicalProgramId::new(program),
        device_definition: DeviceDefinitionId::new(definition),
        is_active,
        start_date: day("start_date", start_date)?,
        end_date: end_date.map(|end| day("end_date", end)).transpose()?,
        reimbursement: reimbursement.ok_or_else(|| location.corrupt("reimbursement_type"))?,
        max_daily_count: decimal("max_daily_count", max_daily_count)?,
    })
}

pub(super) fn device_with_definition(
    (of_program, defined): (DeviceRow, DefinitionRow),
) -> Result<(ProgramDevice, DeviceDefinition), StoreError> {
    Ok((device(of_program)?, definition(defined)?))
}

static PROGRAM_TABLE: Table<MedicalProgramRecord> = Table {
    name: "medical_programs",
    record: "medical program",
    id: |record| record.id.uuid(),
    stamps: |record| record.stamps,
    columns: |records| {
        vec![
            ("name", Values::Text(each(records, |record| record.facts.name.clone()))),
            ("type", Values::Text(each(records, |record| record.kind.clone()))),
            ("is_active", Values::Bool(each(records, |record| Some(record.facts.is_active)))),
        ]
    },
    updates: true,
    is_audited: false,
};

static DEFINITION_TABLE: Table<DeviceDefinitionRecord> = Table {
    name: "device_definitions",
    record: "device definition",
    id: |record| record.facts.id.uuid(),
    stamps: |record| record.stamps,
    columns: |records| {
        let classification = |record: &DeviceDefinitionRecord| record.facts.classification_type.clone();
        let count = |record: &DeviceDefinitionRecord| Some(record.facts.packaging_count.to_string());
        vec![
            ("name", Values::Text(each(records, |record| record.name.clone()))),
            ("is_active", Values::Bool(each(records, |record| Some(record.facts.is_active)))),
            ("classification_type", Values::Text(each(records, classification))),
            ("packaging_unit", Values::Text(each(records, |record| record.facts.packaging_unit.clone()))),
            ("packaging_count", Values::Parsed("numeric", each(records, count))),
        ]
    },
    updates: true,
    is_audited: false,
};

static DEVICE_TABLE: Table<ProgramDeviceRecord> = Table {
    name: "program_devices",
    record: "program device",
    id: |record| record.facts.id.uuid(),
    stamps: |record| record.stamps,
    columns: |records| {
        let definition = |record: &ProgramDeviceRecord| record.facts.device_definition.uuid();
        let parts = |record: &ProgramDeviceRecord| {
            let (word, amount, percentage) = record.facts.reimbursement.parts();
            (word.to_owned(), amount.map(Decimal::to_string), percentage.map(Decimal::to_string))
        };
        let most =
            |record: &ProgramDeviceRecord| record.facts.max_daily_count.as_ref().map(Decimal::to_string);
        vec![
            ("program_id", Values::Id(each(records, |record| record.facts.program.uuid()))),
            ("device_definition_id", Values::Id(each(records, definition))),
            ("is_active", Values::Bool(each(records, |record| Some(record.facts.is_active)))),
            ("start_date", Values::Date(each(records, |record| Some(date_to_pg(record.facts.start_date))))),
            ("end_date", Values::Date(each(records, |record| record.facts.end_date.map(date_to_pg)))),
            ("reimbursement_type", Values::Text(each(records, |record| parts(record).0))),
            ("reimbursement_amount", Values::Parsed("numeric", each(records, |record| parts(record).1))),
            ("reimbursement_percentage", Values::Parsed("numeric", each(records, |record| parts(record).2))),
            ("max_daily_count", Values::Parsed("numeric", each(records, most))),
        ]
    },
    updates: true,
    is_audited: false,
};

#[async_trait]
impl Registry<MedicalProgramRecord> for PostgresStore {
    async fn put(&self, records: &[MedicalProgramRecord]) -> Result<Vec<Put>, StoreError> {
        self.put_all(&PROGRAM_TABLE, records).await
    }

    async fn scan(
        &self,
        after: Option<ScanCursor>,
        limit: u32,
    ) -> Result<esoz_kernel::ScanPage<MedicalProgramRecord>, StoreError> {
        let columns = "id, type, is_active, name";
        let query = ScanPage::<(SqlUuid, Text, ProgramSql, StampsSql)>::by_id(
            "medical_programs",
            columns,
            after,
            limit,
        )?;
        let rows: Vec<(Uuid, String, ProgramRow, StampColumns)> =
            self.connections.query(query).await.during("scanning medical_programs")?;
        Ok(page(
            rows,
            limit,
            |row| row.0,
            |(id, kind, facts, stamps)| {
                let stamps = Location { table: "medical_programs", id }.stamps(stamps)?;
                Ok(MedicalProgramRecord {
                    id: MedicalProgramId::new(id),
                    facts: program(facts),
                    kind,
                    stamps,
                })
            },
        ))
    }
}

#[async_trait]
impl Registry<DeviceDefinitionRecord> for PostgresStore {
    async fn put(&self, records: &[DeviceDefinitionRecord]) -> Result<Vec<Put>, StoreError> {
        self.put_all(&DEFINITION_TABLE, records).await
    }

    async fn scan(
        &self,
        after: Option<ScanCursor>,
        limit: u32,
    ) -> Result<esoz_kernel::ScanPage<DeviceDefinitionRecord>, StoreError> {
        let columns = "id, is_active, classification_type, packaging_unit, packaging_count::text, name";
        let query =
            ScanPage::<(DefinitionSql, Text, StampsSql)>::by_id("device_definitions", columns, after, limit)?;
        let rows: Vec<(DefinitionRow, String, StampColumns)> =
            self.connections.query(query).await.during("scanning device_definitions")?;
        Ok(page(
            rows,
            limit,
            |row| row.0.0,
            |(facts, name, stamps)| {
                let stamps = Location { table: "device_definitions", id: facts.0 }.stamps(stamps)?;
                Ok(DeviceDefinitionRecord { facts: definition(facts)?, name, stamps })
            },
        ))
    }
}

#[async_trait]
impl Registry<ProgramDeviceRecord> for PostgresStore {
    async fn put(&self, records: &[ProgramDeviceRecord]) -> Result<Vec<Put>, StoreError> {
        self.put_all(&DEVICE_TABLE, records).await
    }

    async fn scan(
        &self,
        after: Option<ScanCursor>,
        limit: u32,
    ) -> Result<esoz_kernel::ScanPage<ProgramDeviceRecord>, StoreError> {
        let columns = "id, program_id, device_definition_id, is_active, start_date, end_date, reimbursement_type, \
             reimbursement_amount::text, reimbursement_percentage::text, max_daily_count::text";
        let query = ScanPage::<(DeviceSql, StampsSql)>::by_id("program_devices", columns, after, limit)?;
        let rows: Vec<(DeviceRow, StampColumns)> =
            self.connections.query(query).await.during("scanning program_devices")?;
        Ok(page(
            rows,
            limit,
            |row| row.0.0,
            |(facts, stamps)| {
                let stamps = Location { table: "program_devices", id: facts.0 }.stamps(stamps)?;
                Ok(ProgramDeviceRecord { facts: device(facts)?, stamps })
            },
        ))
    }
}
