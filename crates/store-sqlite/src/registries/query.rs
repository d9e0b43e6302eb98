//! Finds the facts of a request.

use diesel::alias;
use diesel::dsl::AsSelect;
use diesel::prelude::*;
use diesel::sqlite::Sqlite;
use esoz_contract_division::DivisionStatus;
use esoz_kernel::{DeviceDefinitionId, DivisionId, LegalEntityId, StoreError, UserId};
use esoz_registries::{
    DeviceChoice, DeviceDefinition, Location, Party, ProgramDevice, RegistryFacts, RegistryQuery,
};

use super::people::{EmployeeRow, PartyRow, PersonRow};
use super::programs::{DeviceDefinitionRow, MedicalProgramRow, ProgramDeviceRow};
use crate::error::SqliteError;
use crate::rows;
use crate::schema::{
    device_definitions, divisions, employees, legal_entities, medical_programs, parties, party_users,
    persons, program_devices,
};

/// Finds everything, as of one instant.
pub(super) fn facts(
    connection: &mut SqliteConnection,
    query: &RegistryQuery,
) -> Result<RegistryFacts, SqliteError> {
    connection.transaction(|connection| {
        let person: Option<PersonRow> =
            persons::table.find(query.subject.expose()).get_result(connection).optional()?;
        let performer: Option<EmployeeRow> =
            employees::table.find(query.performer.to_string()).get_result(connection).optional()?;
        let program: Option<MedicalProgramRow> = match query.program {
            None => None,
            Some(program) => {
                medical_programs::table.find(program.to_string()).get_result(connection).optional()?
            }
        };
        Ok(RegistryFacts {
            person: person.map(|row| row.facts()).transpose()?,
            party: party(connection, query.user)?,
            legal_entity_name: legal_entity_name(connection, query.legal_entity)?,
            performer: performer.map(|row| row.facts()).transpose()?,
            location: location(connection, query.location)?,
            program: program.map(|row| row.facts()),
            definitions: definitions(connection, &query.definitions)?,
            program_devices: program_devices(connection, &query.program_devices)?,
        })
    })
}

/// Finds the party of a user.
pub(super) fn party(connection: &mut SqliteConnection, user: UserId) -> Result<Option<Party>, SqliteError> {
    let of_user = parties::table
        .inner_join(party_users::table)
        .filter(party_users::user_id.eq(user.to_string()))
        .select(PartyRow::as_select());
    let row = of_user.get_result(connection).optional()?;
    Ok(row.map(|row| row.facts()).transpose()?)
}

fn legal_entity_name(connection: &mut SqliteConnection, id: LegalEntityId) -> QueryResult<Option<String>> {
    let name = legal_entities::table.find(id.to_string()).select(legal_entities::name);
    name.get_result(connection).optional()
}

fn location(connection: &mut SqliteConnection, id: DivisionId) -> Result<Option<Location>, SqliteError> {
    let division = divisions::table.find(id.to_string()).select((
        divisions::legal_entity_id,
        divisions::is_active,
        divisions::status,
        divisions::dls_verified,
        divisions::name,
    ));
    let row: Option<(String, bool, String, Option<bool>, String)> =
        division.get_result(connection).optional()?;
    let location = row.map(|(legal_entity, is_active, status, is_dls_verified, name)| {
        let row = rows::Location { table: "divisions", id: &id.to_string() };
        let status: DivisionStatus = row.parse("status", &status)?;
        Ok::<_, StoreError>(Location {
            legal_entity: row.parse("legal_entity_id", &legal_entity)?,
            is_active,
            is_in_use: status == DivisionStatus::Active,
            is_dls_verified,
            name,
        })
    });
    Ok(location.transpose()?)
}

fn definitions(
    connection: &mut SqliteConnection,
    ids: &[DeviceDefinitionId],
) -> Result<Vec<DeviceDefinition>, SqliteError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids = ids.iter().map(ToString::to_string);
    let rows: Vec<DeviceDefinitionRow> = device_definitions::table
        .filter(device_definitions::id.eq_any(ids))
        .order(device_definitions::id)
        .load(connection)?;
    Ok(rows.iter().map(DeviceDefinitionRow::facts).collect::<Result<_, _>>()?)
}

/// Finds the chosen program devices, each with its definition.
pub(super) fn program_devices(
    connection: &mut SqliteConnection,
    choice: &DeviceChoice,
) -> Result<Vec<(ProgramDevice, DeviceDefinition)>, SqliteError> {
    let rows: Vec<(ProgramDeviceRow, DeviceDefinitionRow)> = chosen(choice).load(connection)?;
    let facts = rows.iter().map(|(device, definition)| Ok((device.facts()?, definition.facts()?)));
    Ok(facts.collect::<Result<_, StoreError>>()?)
}

type DeviceColumns = (AsSelect<ProgramDeviceRow, Sqlite>, AsSelect<DeviceDefinitionRow, Sqlite>);
type Devices = diesel::dsl::InnerJoin<program_devices::table, device_definitions::table>;

/// The rows that [`DeviceChoice::includes`]. Each of the three conditions has an index, so that none reads a whole table.
fn chosen(
    choice: &DeviceChoice,
) -> diesel::dsl::IntoBoxed<'_, diesel::dsl::Select<Devices, DeviceColumns>, Sqlite> {
    let typed = alias!(device_definitions as typed);
    // The empty text is the id of no program.
    let program = choice.program.map(|program| program.to_string()).unwrap_or_default();
    let of_types = typed
        .filter(typed.field(device_definitions::classification_type).eq_any(&choice.classification_types))
        .select(typed.field(device_definitions::id));
    let has_id = program_devices::id.eq_any(choice.ids.iter().map(ToString::to_string));
    let definitions = choice.definitions.iter().map(ToString::to_string);
    let is_of_definition = program_devices::program_id
        .eq(program.clone())
        .and(program_devices::device_definition_id.eq_any(definitions));
    let is_of_type =
        program_devices::program_id.eq(program).and(program_devices::device_definition_id.eq_any(of_types));
    program_devices::table
        .inner_join(device_definitions::table)
        .select((ProgramDeviceRow::as_select(), DeviceDefinitionRow::as_select()))
        .into_boxed()
        .filter(has_id.or(is_of_definition).or(is_of_type))
        .order(program_devices::id)
}

#[cfg(test)]
mod tests {
    use esoz_kernel::{MedicalProgramId, ProgramDeviceId, Uuid};

    use super::*;
    use crate::query_plan::{migrated, plan};

    #[test]
    fn chosen_devices_are_found_by_indexes() {
        let (_folder, mut connection) = migrated();
        let choice = DeviceChoice {
            ids: vec![ProgramDeviceId::new(Uuid::nil())],
            program: Some(MedicalProgramId::new(Uuid::nil())),
            definitions: vec![DeviceDefinitionId::new(Uuid::nil())],
            classification_types: vec!["30221".to_owned()],
        };
        let (plan, _) = plan(&mut connection, &chosen(&choice));
        for index in [
            "sqlite_autoindex_program_devices_1 (id=?)",
            "program_devices_program_id (program_id=? AND device_definition_id=?)",
            "device_definitions_classification_type (classification_type=?)",
        ] {
            assert!(plan.contains(index), "{index}: {plan}");
        }
        assert!(
            !plan.contains("SCAN program_devices") && !plan.contains("SCAN device_definitions"),
            "{plan}"
        );
    }
}
