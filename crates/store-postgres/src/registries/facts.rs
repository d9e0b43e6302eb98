//! Finds the facts of a request by one statement.

use diesel::sql_types::{Array, Bool, Nullable, Record, Text, Uuid as SqlUuid};
use esoz_contract_division::DivisionStatus;
use esoz_kernel::{LegalEntityId, MedicalProgramId, StoreError};
use esoz_registries::{DeviceChoice, Location, RegistryFacts, RegistryQuery};
use uuid::Uuid;

use super::people::{
    EmployeeRow, EmployeeSql, PartyRow, PartySql, PersonRow, PersonSql, employee, party, person,
};
use super::programs::{
    DefinitionRow, DefinitionSql, DeviceRow, DeviceSql, ProgramRow, ProgramSql, definition,
    device_with_definition, program,
};
use crate::scan;
use crate::statement::statement;

/// Legal entity, whether it is active, status, whether it is verified, name.
type LocationSql = (SqlUuid, Bool, Text, Nullable<Bool>, Text);
type LocationRow = (Uuid, bool, String, Option<bool>, String);

/// The facts in the order of [`RegistryFacts`].
pub(super) type FactsSql = (
    Nullable<PersonSql>,
    Nullable<PartySql>,
    Nullable<Text>,
    Nullable<EmployeeSql>,
    Nullable<LocationSql>,
    Nullable<ProgramSql>,
    Array<Record<DefinitionSql>>,
    Array<Record<(Record<DeviceSql>, Record<DefinitionSql>)>>,
);
pub(super) type FactsRow = (
    Option<PersonRow>,
    Option<PartyRow>,
    Option<String>,
    Option<EmployeeRow>,
    Option<LocationRow>,
    Option<ProgramRow>,
    Vec<DefinitionRow>,
    Vec<(DeviceRow, DefinitionRow)>,
);

/// The chosen program devices. Each of the three parts has an index, so that none reads a whole table.
macro_rules! chosen {
    () => {
        ", chosen AS MATERIALIZED (
             SELECT device.* FROM args JOIN program_devices AS device ON device.id = ANY (args.device_ids)
             UNION
             SELECT device.* FROM args
             JOIN program_devices AS device ON device.program_id = args.device_program
                 AND device.device_definition_id = ANY (args.device_definitions)
             UNION
             SELECT device.* FROM args
             JOIN device_definitions AS definition ON definition.classification_type = ANY (args.device_types)
             JOIN program_devices AS device ON device.program_id = args.device_program
                 AND device.device_definition_id = definition.id)"
    };
}

macro_rules! device_columns {
    () => {
        "device.id, device.program_id, device.device_definition_id, device.is_active, device.start_date, device.end_date,
         device.reimbursement_type, device.reimbursement_amount::text, device.reimbursement_percentage::text,
         device.max_daily_count::text"
    };
}

macro_rules! definition_columns {
    () => {
        "definition.id, definition.is_active, definition.classification_type, definition.packaging_unit,
         definition.packaging_count::text"
    };
}

/// With the definition of each. PostgreSQL cannot know how few are chosen; the limit keeps it from reading all definitions.
macro_rules! from_chosen {
    () => {
        " FROM chosen AS device
         CROSS JOIN LATERAL (
             SELECT * FROM device_definitions AS stored WHERE stored.id = device.device_definition_id LIMIT 1) AS definition
         ORDER BY device.id"
    };
}

statement! {
    /// Finds everything; one row.
    FindFacts {
        subject: String => Text,
        user_id: Uuid => SqlUuid,
        legal_entity: Uuid => SqlUuid,
        performer: Uuid => SqlUuid,
        location: Uuid => SqlUuid,
        program: Option<Uuid> => Nullable<SqlUuid>,
        definitions: Vec<Uuid> => Array<SqlUuid>,
        device_ids: Vec<Uuid> => Array<SqlUuid>,
        device_program: Option<Uuid> => Nullable<SqlUuid>,
        device_definitions: Vec<Uuid> => Array<SqlUuid>,
        device_types: Vec<String> => Array<Text>,
    } -> FactsSql;
    concat!(chosen!(), "
         SELECT
             person.status, person.verification_status,
             party.id, party.tax_id_digest,
             legal_entity.name,
             performer.id, performer.party_id, performer.legal_entity_id, performer.status, performer.is_active,
             performer.end_date, performer.name,
             division.legal_entity_id, division.is_active, division.status, division.dls_verified, division.name,
             program.is_active, program.name,
             ARRAY(
                 SELECT ROW(", definition_columns!(), ") FROM device_definitions AS definition
                 WHERE definition.id = ANY (args.definitions) ORDER BY definition.id),
             ARRAY(SELECT ROW(ROW(", device_columns!(), "), ROW(", definition_columns!(), "))", from_chosen!(), ")
         FROM args
         LEFT JOIN persons AS person ON person.subject = args.subject
         LEFT JOIN party_users AS member ON member.user_id = args.user_id
         LEFT JOIN parties AS party ON party.id = member.party_id
         LEFT JOIN legal_entities AS legal_entity ON legal_entity.id = args.legal_entity
         LEFT JOIN employees AS performer ON performer.id = args.performer
         LEFT JOIN divisions AS division ON division.id = args.location
         LEFT JOIN medical_programs AS program ON program.id = args.program")
}

statement! {
    /// Finds the chosen program devices, each with its definition.
    FindProgramDevices {
        device_ids: Vec<Uuid> => Array<SqlUuid>,
        device_program: Option<Uuid> => Nullable<SqlUuid>,
        device_definitions: Vec<Uuid> => Array<SqlUuid>,
        device_types: Vec<String> => Array<Text>,
    } -> (DeviceSql, DefinitionSql);
    concat!(chosen!(), " SELECT ", device_columns!(), ", ", definition_columns!(), from_chosen!())
}

impl FindProgramDevices {
    pub(super) fn of(choice: &DeviceChoice) -> Self {
        Self {
            device_ids: choice.ids.iter().map(|id| id.uuid()).collect(),
            device_program: choice.program.map(MedicalProgramId::uuid),
            device_definitions: choice.definitions.iter().map(|id| id.uuid()).collect(),
            device_types: choice.classification_types.clone(),
        }
    }
}

impl FindFacts {
    pub(super) fn of(query: &RegistryQuery) -> Self {
        let FindProgramDevices { device_ids, device_program, device_definitions, device_types } =
            FindProgramDevices::of(&query.program_devices);
        Self {
            subject: query.subject.expose().to_owned(),
            user_id: query.user.uuid(),
            legal_entity: query.legal_entity.uuid(),
            performer: query.performer.uuid(),
            location: query.location.uuid(),
            program: query.program.map(MedicalProgramId::uuid),
            definitions: query.definitions.iter().map(|id| id.uuid()).collect(),
            device_ids,
            device_program,
            device_definitions,
            device_types,
        }
    }
}

pub(super) fn facts(query: &RegistryQuery, row: FactsRow) -> Result<RegistryFacts, StoreError> {
    let (of_person, of_party, legal_entity_name, performer, division, of_program, definitions, devices) = row;
    Ok(RegistryFacts {
        person: of_person.map(person).transpose()?,
        party: of_party.map(party).transpose()?,
        legal_entity_name,
        performer: performer.map(employee).transpose()?,
        location: division.map(|row| location(query, row)).transpose()?,
        program: of_program.map(program),
        definitions: definitions.into_iter().map(definition).collect::<Result<_, _>>()?,
        program_devices: devices.into_iter().map(device_with_definition).collect::<Result<_, _>>()?,
    })
}

fn location(query: &RegistryQuery, row: LocationRow) -> Result<Location, StoreError> {
    let (legal_entity, is_active, status, is_dls_verified, name) = row;
    let division = scan::Location { table: "divisions", id: query.location.uuid() };
    let status: DivisionStatus = division.parse("status", &status)?;
    Ok(Location {
        legal_entity: LegalEntityId::new(legal_entity),
        is_active,
        is_in_use: status == DivisionStatus::Active,
        is_dls_verified,
        name,
    })
}

#[cfg(test)]
#[path = "facts_tests.rs"]
mod tests;
