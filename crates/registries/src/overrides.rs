use std::sync::Arc;

use async_trait::async_trait;
use esoz_kernel::{
    DeviceDefinitionId, DivisionId, EmployeeId, LegalEntityId, MedicalProgramId, Pseudonym, StoreError,
    UserId, join,
};

use crate::{
    DeviceChoice, DeviceDefinition, DeviceDefinitions, Employee, Employees, LegalEntityNames, Location,
    Locations, MedicalProgram, MedicalPrograms, Parties, Party, Person, Persons, ProgramDevice,
    ProgramDevices, Registries, RegistryFacts, RegistryQuery, SeparateRegistries,
};

/// Registries that are kept in places of their own, while a store keeps the others: those that are set take the place of the store's.
#[derive(Clone, Default)]
pub struct RegistryOverrides {
    /// Looks up patients.
    pub persons: Option<Arc<dyn Persons>>,
    /// Looks up parties.
    pub parties: Option<Arc<dyn Parties>>,
    /// Looks up employees.
    pub employees: Option<Arc<dyn Employees>>,
    /// Looks up divisions.
    pub locations: Option<Arc<dyn Locations>>,
    /// Looks up the names of legal entities.
    pub legal_entity_names: Option<Arc<dyn LegalEntityNames>>,
    /// Looks up medical programs.
    pub medical_programs: Option<Arc<dyn MedicalPrograms>>,
    /// Looks up device definitions.
    pub device_definitions: Option<Arc<dyn DeviceDefinitions>>,
    /// Looks up the devices of programs.
    pub program_devices: Option<Arc<dyn ProgramDevices>>,
}

impl RegistryOverrides {
    /// Puts them in front of a store. It is asked side by side with them, in one round trip as before, and not at all if they are all set.
    pub fn over(self, store: Arc<dyn Registries>) -> Arc<dyn Registries> {
        let nothing = Arc::new(Nothing);
        let overrides = self.clone();
        let separate = SeparateRegistries {
            persons: self.persons.unwrap_or_else(|| nothing.clone()),
            parties: self.parties.unwrap_or_else(|| nothing.clone()),
            employees: self.employees.unwrap_or_else(|| nothing.clone()),
            locations: self.locations.unwrap_or_else(|| nothing.clone()),
            legal_entity_names: self.legal_entity_names.unwrap_or_else(|| nothing.clone()),
            medical_programs: self.medical_programs.unwrap_or_else(|| nothing.clone()),
            device_definitions: self.device_definitions.unwrap_or_else(|| nothing.clone()),
            program_devices: self.program_devices.unwrap_or(nothing),
        };
        if overrides.are_all_set() {
            return Arc::new(separate);
        }
        Arc::new(Overridden { store, overrides, separate })
    }

    fn are_all_set(&self) -> bool {
        let Self { persons, parties, employees, locations, legal_entity_names, .. } = self;
        let Self { medical_programs, device_definitions, program_devices, .. } = self;
        let places = locations.is_some() && legal_entity_names.is_some();
        let devices = device_definitions.is_some() && program_devices.is_some();
        let people = persons.is_some() && parties.is_some() && employees.is_some();
        people && places && devices && medical_programs.is_some()
    }

    /// What is left for the store to look up. Without a name of its own in the query, a person, party, employee or place is looked up as well.
    fn rest_of(&self, query: &RegistryQuery) -> RegistryQuery {
        let mut rest = query.clone();
        if self.medical_programs.is_some() {
            rest.program = None;
        }
        if self.device_definitions.is_some() {
            rest.definitions.clear();
        }
        if self.program_devices.is_some() {
            rest.program_devices = DeviceChoice::default();
        }
        rest
    }

    /// Puts what they found in the place of what the store found.
    fn replace(&self, facts: &mut RegistryFacts, own: RegistryFacts) {
        if self.persons.is_some() {
            facts.person = own.person;
        }
        if self.parties.is_some() {
            facts.party = own.party;
        }
        if self.employees.is_some() {
            facts.performer = own.performer;
        }
        if self.locations.is_some() {
            facts.location = own.location;
        }
        if self.legal_entity_names.is_some() {
            facts.legal_entity_name = own.legal_entity_name;
        }
        if self.medical_programs.is_some() {
            facts.program = own.program;
        }
        if self.device_definitions.is_some() {
            facts.definitions = own.definitions;
        }
        if self.program_devices.is_some() {
            facts.program_devices = own.program_devices;
        }
    }
}

/// A store with some of its registries replaced.
struct Overridden {
    store: Arc<dyn Registries>,
    overrides: RegistryOverrides,
    /// The same, with nothing where the store is asked.
    separate: SeparateRegistries,
}

#[async_trait]
impl Registries for Overridden {
    async fn facts(&self, query: &RegistryQuery) -> Result<RegistryFacts, StoreError> {
        let rest = self.overrides.rest_of(query);
        let (found, own) = join(self.store.facts(&rest), self.separate.facts(query)).await;
        let mut facts = found?;
        self.overrides.replace(&mut facts, own?);
        Ok(facts)
    }

    async fn program_devices(
        &self,
        choice: &DeviceChoice,
    ) -> Result<Vec<(ProgramDevice, DeviceDefinition)>, StoreError> {
        if self.overrides.program_devices.is_some() {
            Registries::program_devices(&self.separate, choice).await
        } else {
            self.store.program_devices(choice).await
        }
    }

    async fn party(&self, user: UserId) -> Result<Option<Party>, StoreError> {
        match &self.overrides.parties {
            Some(parties) => parties.of_user(user).await,
            None => self.store.party(user).await,
        }
    }
}

/// Stands where the store is asked.
struct Nothing;

/// Implements ports that find nothing.
macro_rules! nothing {
    ($($port:ident: $method:ident($type:ty) -> $found:ty;)+) => {$(
        #[async_trait]
        impl $port for Nothing {
            async fn $method(&self, _: $type) -> Result<$found, StoreError> {
                Ok(<$found>::default())
            }
        }
    )+};
}

nothing! {
    Persons: find(&Pseudonym) -> Option<Person>;
    Parties: of_user(UserId) -> Option<Party>;
    Employees: find(EmployeeId) -> Option<Employee>;
    Locations: find(DivisionId) -> Option<Location>;
    LegalEntityNames: find(LegalEntityId) -> Option<String>;
    MedicalPrograms: find(MedicalProgramId) -> Option<MedicalProgram>;
    DeviceDefinitions: find_all(&[DeviceDefinitionId]) -> Vec<DeviceDefinition>;
    ProgramDevices: find_all(&DeviceChoice) -> Vec<(ProgramDevice, DeviceDefinition)>;
}

#[cfg(test)]
#[path = "overrides_tests.rs"]
mod tests;
