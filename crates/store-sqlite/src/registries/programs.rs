//! Rows of medical programs, device definitions and program devices.

use async_trait::async_trait;
use diesel::prelude::*;
use esoz_kernel::{Decimal, Put, ScanCursor, ScanPage, StoreError};
use esoz_registries::{
    DeviceDefinition, DeviceDefinitionRecord, MedicalProgram, MedicalProgramRecord, ProgramDevice,
    ProgramDeviceRecord, Registry, Reimbursement,
};

use crate::SqliteStore;
use crate::prepared::Prepared;
use crate::rows::{Location, put_all, put_row, refused_if_dangling, stamp_columns};
use crate::scan::scan_table;
use crate::schema::{device_definitions, medical_programs, program_devices};

#[derive(Clone, Queryable, Selectable, Insertable, AsChangeset, PartialEq)]
#[diesel(table_name = medical_programs)]
pub(super) struct MedicalProgramRow {
    id: String,
    name: String,
    kind: String,
    is_active: bool,
    #[diesel(skip_update)]
    inserted_at: String,
    #[diesel(skip_update)]
    inserted_by: String,
    updated_at: String,
    updated_by: String,
}

impl From<&MedicalProgramRecord> for MedicalProgramRow {
    fn from(record: &MedicalProgramRecord) -> Self {
        let [inserted_at, inserted_by, updated_at, updated_by] = stamp_columns(&record.stamps);
        Self {
            id: record.id.to_string(),
            name: record.facts.name.clone(),
            kind: record.kind.clone(),
            is_active: record.facts.is_active,
            inserted_at,
            inserted_by,
            updated_at,
            updated_by,
        }
    }
}

impl MedicalProgramRow {
    fn location(&self) -> Location<'_> {
        Location { table: "medical_programs", id: &self.id }
    }

    pub(super) fn facts(&self) -> MedicalProgram {
        MedicalProgram { is_active: self.is_active, name: self.name.clone() }
    }

    fn record(&self) -> Result<MedicalProgramRecord, StoreError> {
        let stamps = [&self.inserted_at, &self.inserted_by, &self.updated_at, &self.updated_by];
        let stamps = self.location().stamps(stamps.map(String::as_str))?;
        let id = self.location().parse("id", &self.id)?;
        Ok(MedicalProgramRecord { id, facts: self.facts(), kind: self.kind.clone(), stamps })
    }
}

#[derive(Clone, Queryable, Selectable, Insertable, AsChangeset, PartialEq)]
#[diesel(table_name = device_definitions)]
pub(super) struct DeviceDefinitionRow {
    id: String,
    name: String,
    is_active: bool,
    classification_type: String,
    packaging_unit: String,
    packaging_count: String,
    #[diesel(skip_update)]
    inserted_at: String,
    #[diesel(skip_update)]
    inserted_by: String,
    updated_at: String,
    updated_by: String,
}

impl From<&DeviceDefinitionRecord> for DeviceDefinitionRow {
    fn from(record: &DeviceDefinitionRecord) -> Self {
        let [inserted_at, inserted_by, updated_at, updated_by] = stamp_columns(&record.stamps);
        Self {
            id: record.facts.id.to_string(),
            name: record.name.clone(),
            is_active: record.facts.is_active,
            classification_type: record.facts.classification_type.clone(),
            packaging_unit: record.facts.packaging_unit.clone(),
            packaging_count: record.facts.packaging_count.to_string(),
            inserted_at,
            inserted_by,
            updated_at,
            updated_by,
        }
    }
}

impl DeviceDefinitionRow {
    fn location(&self) -> Location<'_> {
        Location { table: "device_definitions", id: &self.id }
    }

    pub(super) fn facts(&self) -> Result<DeviceDefinition, StoreError> {
        let location = self.location();
        Ok(DeviceDefinition {
            id: location.parse("id", &self.id)?,
            is_active: self.is_active,
            classification_type: self.classification_type.clone(),
            packaging_unit: self.packaging_unit.clone(),
            packaging_count: location.parse("packaging_count", &self.packaging_count)?,
        })
    }

    fn record(&self) -> Result<DeviceDefinitionRecord, StoreError> {
        let stamps = [&self.inserted_at, &self.inserted_by, &self.updated_at, &self.updated_by];
        let stamps = self.location().stamps(stamps.map(String::as_str))?;
        Ok(DeviceDefinitionRecord { facts: self.facts()?, name: self.name.clone(), stamps })
    }
}

#[derive(Clone, Queryable, Selectable, Insertable, AsChangeset, PartialEq)]
#[diesel(table_name = program_devices, treat_none_as_null = true, treat_none_as_default_value = false)]
pub(super) struct ProgramDeviceRow {
    id: String,
    program_id: String,
    device_definition_id: String,
    is_active: bool,
    start_date: String,
    end_date: Option<String>,
    reimbursement_type: String,
    reimbursement_amount: Option<String>,
    reimbursement_percentage: Option<String>,
    max_daily_count: Option<String>,
    #[diesel(skip_update)]
    inserted_at: String,
    #[diesel(skip_update)]
    inserted_by: String,
    updated_at: String,
    updated_by: String,
}

impl From<&ProgramDeviceRecord> for ProgramDeviceRow {
    fn from(record: &ProgramDeviceRecord) -> Self {
        let [inserted_at, inserted_by, updated_at, updated_by] = stamp_columns(&record.stamps);
        let (reimbursement_type, amount, percentage) = record.facts.reimbursement.parts();
        Self {
            id: record.facts.id.to_string(),
            program_id: record.facts.program.to_string(),
            device_definition_id: record.facts.device_definition.to_string(),
            is_active: record.facts.is_active,
            start_date: record.facts.start_date.to_string(),
            end_date: record.facts.end_date.map(|day| day.to_string()),
            reimbursement_type: reimbursement_type.to_owned(),
            reimbursement_amount: amount.map(ToString::to_string),
            reimbursement_percentage: percentage.map(ToString::to_string),
            max_daily_count: record.facts.max_daily_count.as_ref().map(ToString::to_string),
            inserted_at,
            inserted_by,
            updated_at,
            updated_by,
        }
    }
}

impl ProgramDeviceRow {
    fn location(&self) -> Location<'_> {
        Location { table: "program_devices", id: &self.id }
    }

    pub(super) fn facts(&self) -> Result<ProgramDevice, StoreError> {
        let location = self.location();
        let end_date = self.end_date.as_ref().map(|day| location.parse("end_date", day));
        Ok(ProgramDevice {
            id: location.parse("id", &self.id)?,
            program: location.parse("program_id", &self.program_id)?,
            device_definition: location.parse("device_definition_id", &self.device_definition_id)?,
            is_active: self.is_active,
            start_date: location.parse("start_date", &self.start_date)?,
            end_date: end_date.transpose()?,
            reimbursement: self.reimbursement()?,
            max_daily_count: self.decimal("max_daily_count", self.max_daily_count.as_ref())?,
        })
    }

    fn record(&self) -> Result<ProgramDeviceRecord, StoreError> {
        let stamps = [&self.inserted_at, &self.inserted_by, &self.updated_at, &self.updated_by];
        let stamps = self.location().stamps(stamps.map(String::as_str))?;
        Ok(ProgramDeviceRecord { facts: self.facts()?, stamps })
    }

    fn reimbursement(&self) -> Result<Reimbursement, StoreError> {
        let amount = self.decimal("reimbursement_amount", self.reimbursement_amount.as_ref())?;
        let percentage = self.decimal("reimbursement_percentage", self.reimbursement_percentage.as_ref())?;
        let reimbursement = Reimbursement::from_parts(&self.reimbursement_type, amount, percentage);
        reimbursement.ok_or_else(|| self.location().corrupt("reimbursement_type"))
    }

    fn decimal(&self, column: &'static str, text: Option<&String>) -> Result<Option<Decimal>, StoreError> {
        text.map(|text| self.location().parse(column, text)).transpose()
    }
}

#[async_trait]
impl Registry<MedicalProgramRecord> for SqliteStore {
    async fn put(&self, records: &[MedicalProgramRecord]) -> Result<Vec<Put>, StoreError> {
        put_all(self, "loading medical programs", records, |connection, row: &MedicalProgramRow| {
            Ok(put_row!(connection, medical_programs by id, row: MedicalProgramRow)?)
        })
        .await
    }

    async fn scan(
        &self,
        after: Option<ScanCursor>,
        limit: u32,
    ) -> Result<ScanPage<MedicalProgramRecord>, StoreError> {
        scan_table!(self, medical_programs by id: MedicalProgramRow, after, limit)
    }
}

#[async_trait]
impl Registry<DeviceDefinitionRecord> for SqliteStore {
    async fn put(&self, records: &[DeviceDefinitionRecord]) -> Result<Vec<Put>, StoreError> {
        put_all(self, "loading device definitions", records, |connection, row: &DeviceDefinitionRow| {
            Ok(put_row!(connection, device_definitions by id, row: DeviceDefinitionRow)?)
        })
        .await
    }

    async fn scan(
        &self,
        after: Option<ScanCursor>,
        limit: u32,
    ) -> Result<ScanPage<DeviceDefinitionRecord>, StoreError> {
        scan_table!(self, device_definitions by id: DeviceDefinitionRow, after, limit)
    }
}

#[async_trait]
impl Registry<ProgramDeviceRecord> for SqliteStore {
    async fn put(&self, records: &[ProgramDeviceRecord]) -> Result<Vec<Put>, StoreError> {
        put_all(self, "loading program devices", records, |connection, row: &ProgramDeviceRow| {
            let put = put_row!(connection, program_devices by id, row: ProgramDeviceRow);
            refused_if_dangling(put, || {
                let (program, definition) = (&row.program_id, &row.device_definition_id);
                format!("its medical program {program} or its device definition {definition} is not there")
            })
        })
        .await
    }

    async fn scan(
        &self,
        after: Option<ScanCursor>,
        limit: u32,
    ) -> Result<ScanPage<ProgramDeviceRecord>, StoreError> {
        scan_table!(self, program_devices by id: ProgramDeviceRow, after, limit)
    }
}
