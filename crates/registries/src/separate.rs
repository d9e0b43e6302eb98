use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use esoz_kernel::{DeviceDefinitionId, MedicalProgramId, StoreError, UserId, join};

use crate::{
    DeviceChoice, DeviceDefinition, DeviceDefinitions, Employees, LegalEntityNames, Locations,
    MedicalProgram, MedicalPrograms, Parties, Party, Persons, ProgramDevice, ProgramDevices, Registries,
    RegistryFacts, RegistryQuery,
};

/// Registries that are kept in separate places, joined: each lookup of a request goes to its own port.
///
/// No lookup needs what another one finds, so that all of a request run side by side, in one step. What the query does not name is not asked for.
/// The facts are of several instants close to each other.
#[derive(Clone)]
pub struct SeparateRegistries {
    /// Looks up patients.
    pub persons: Arc<dyn Persons>,
    /// Looks up parties.
    pub parties: Arc<dyn Parties>,
    /// Looks up employees.
    pub employees: Arc<dyn Employees>,
    /// Looks up divisions.
    pub locations: Arc<dyn Locations>,
    /// Looks up the names of legal entities.
    pub legal_entity_names: Arc<dyn LegalEntityNames>,
    /// Looks up medical programs.
    pub medical_programs: Arc<dyn MedicalPrograms>,
    /// Looks up device definitions.
    pub device_definitions: Arc<dyn DeviceDefinitions>,
    /// Looks up the devices of programs.
    pub program_devices: Arc<dyn ProgramDevices>,
}

impl SeparateRegistries {
    /// Joins the ports of one adapter that implements them all.
    pub fn of<T>(adapter: &Arc<T>) -> Self
    where
        T: Persons + Parties + Employees + Locations + LegalEntityNames,
        T: MedicalPrograms + DeviceDefinitions + ProgramDevices + 'static,
    {
        Self {
            persons: adapter.clone(),
            parties: adapter.clone(),
            employees: adapter.clone(),
            locations: adapter.clone(),
            legal_entity_names: adapter.clone(),
            medical_programs: adapter.clone(),
            device_definitions: adapter.clone(),
            program_devices: adapter.clone(),
        }
    }

    async fn program(&self, id: Option<MedicalProgramId>) -> Result<Option<MedicalProgram>, StoreError> {
        match id {
            None => Ok(None),
            Some(id) => self.medical_programs.find(id).await,
        }
    }

    /// Each definition once, in ascending order of their ids, as stores find them.
    async fn definitions(&self, ids: &[DeviceDefinitionId]) -> Result<Vec<DeviceDefinition>, StoreError> {
        let ids: Vec<_> = ids.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut found = self.device_definitions.find_all(&ids).await?;
        found.sort_unstable_by_key(|definition| definition.id);
        Ok(found)
    }
}

#[async_trait]
impl Registries for SeparateRegistries {
    async fn facts(&self, query: &RegistryQuery) -> Result<RegistryFacts, StoreError> {
        let people = join(self.persons.find(&query.subject), self.parties.of_user(query.user));
        let names =
            join(self.legal_entity_names.find(query.legal_entity), self.employees.find(query.performer));
        let places = join(self.locations.find(query.location), self.program(query.program));
        let devices = join(
            self.definitions(&query.definitions),
            Registries::program_devices(self, &query.program_devices),
        );
        let (((person, party), (legal_entity_name, performer)), ((location, program), devices)) =
            join(join(people, names), join(places, devices)).await;
        let (definitions, program_devices) = devices;
        Ok(RegistryFacts {
            person: person?,
            party: party?,
            legal_entity_name: legal_entity_name?,
            performer: performer?,
            location: location?,
            program: program?,
            definitions: definitions?,
            program_devices: program_devices?,
        })
    }

    async fn program_devices(
        &self,
        choice: &DeviceChoice,
    ) -> Result<Vec<(ProgramDevice, DeviceDefinition)>, StoreError> {
        if choice.is_empty() {
            return Ok(Vec::new());
        }
        self.program_devices.find_all(choice).await
    }

    async fn party(&self, user: UserId) -> Result<Option<Party>, StoreError> {
        self.parties.of_user(user).await
    }
}

#[cfg(test)]
#[path = "separate_tests.rs"]
mod tests;
