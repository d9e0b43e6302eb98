use async_trait::async_trait;
use esoz_contract_division::DivisionStatus;
use esoz_kernel::{
    DeviceDefinitionId, DivisionId, EmployeeId, LegalEntityId, MedicalProgramId, Pseudonym, StoreError,
    UserId,
};
use esoz_registries::{
    DeviceChoice, DeviceDefinition, DeviceDefinitions, Employee, Employees, LegalEntityNames, Location,
    Locations, MedicalProgram, MedicalPrograms, Parties, Party, Person, Persons, ProgramDevice,
    ProgramDevices, Registries, RegistryFacts, RegistryQuery,
};

use super::FakeRegistries;
use super::registries::State;

impl State {
    fn person(&self, subject: &Pseudonym) -> Option<Person> {
        self.persons.get(subject).map(|person| person.facts)
    }

    fn party(&self, user: UserId) -> Option<Party> {
        self.parties.values().find(|party| party.users.contains(&user)).map(|party| party.facts.clone())
    }

    fn employee(&self, id: EmployeeId) -> Option<Employee> {
        self.employees.get(&id).map(|employee| employee.facts.clone())
    }

    fn program(&self, id: MedicalProgramId) -> Option<MedicalProgram> {
        self.medical_programs.get(&id).map(|program| program.facts.clone())
    }

    fn definitions(&self, ids: &[DeviceDefinitionId]) -> Vec<DeviceDefinition> {
        let named = self.device_definitions.values().filter(|definition| ids.contains(&definition.facts.id));
        let mut definitions: Vec<_> = named.map(|definition| definition.facts.clone()).collect();
        definitions.sort_unstable_by_key(|definition| definition.id);
        definitions
    }

    fn chosen(&self, choice: &DeviceChoice) -> Vec<(ProgramDevice, DeviceDefinition)> {
        let with_definition = self.program_devices.values().filter_map(|device| {
            let definition = self.device_definitions.get(&device.facts.device_definition)?;
            Some((device.facts.clone(), definition.facts.clone()))
        });
        let mut chosen: Vec<_> =
            with_definition.filter(|(device, definition)| choice.includes(device, definition)).collect();
        chosen.sort_unstable_by_key(|(device, _)| device.id);
        chosen
    }
}

impl FakeRegistries {
    fn legal_entity_name(&self, id: LegalEntityId) -> Option<String> {
        self.contracts.0.lock().legal_entities.get(&id).map(|record| record.name.clone())
    }

    fn location(&self, id: DivisionId) -> Option<Location> {
        self.contracts.0.lock().divisions.get(&id).map(|record| Location {
            legal_entity: record.facts.legal_entity,
            is_active: record.facts.is_active,
            is_in_use: record.status == DivisionStatus::Active,
            is_dls_verified: record.dls_verified,
            name: record.name.clone(),
        })
    }
}

#[async_trait]
impl Registries for FakeRegistries {
    async fn facts(&self, query: &RegistryQuery) -> Result<RegistryFacts, StoreError> {
        let state = self.state.lock();
        Ok(RegistryFacts {
            person: state.person(&query.subject),
            party: state.party(query.user),
            legal_entity_name: self.legal_entity_name(query.legal_entity),
            performer: state.employee(query.performer),
            location: self.location(query.location),
            program: query.program.and_then(|id| state.program(id)),
            definitions: state.definitions(&query.definitions),
            program_devices: state.chosen(&query.program_devices),
        })
    }

    async fn program_devices(
        &self,
        choice: &DeviceChoice,
    ) -> Result<Vec<(ProgramDevice, DeviceDefinition)>, StoreError> {
        Ok(self.state.lock().chosen(choice))
    }

    async fn party(&self, user: UserId) -> Result<Option<Party>, StoreError> {
        Ok(self.state.lock().party(user))
    }
}

/// Implements the small ports: the method, and what it finds in the fake or in its state.
macro_rules! lookups {
    ($($port:ident: $method:ident($argument:ident: $type:ty) -> $found:ty = |$fake:ident| $find:expr;)+) => {$(
        #[async_trait]
        impl $port for FakeRegistries {
            async fn $method(&self, $argument: $type) -> Result<$found, StoreError> {
                let $fake = self;
                Ok($find)
            }
        }
    )+};
}

lookups! {
    Persons: find(subject: &Pseudonym) -> Option<Person> = |fake| fake.state.lock().person(subject);
    Parties: of_user(user: UserId) -> Option<Party> = |fake| fake.state.lock().party(user);
    Employees: find(id: EmployeeId) -> Option<Employee> = |fake| fake.state.lock().employee(id);
    Locations: find(id: DivisionId) -> Option<Location> = |fake| fake.location(id);
    LegalEntityNames: find(id: LegalEntityId) -> Option<String> = |fake| fake.legal_entity_name(id);
    MedicalPrograms: find(id: MedicalProgramId) -> Option<MedicalProgram> = |fake| fake.state.lock().program(id);
    DeviceDefinitions: find_all(ids: &[DeviceDefinitionId]) -> Vec<DeviceDefinition>
        = |fake| fake.state.lock().definitions(ids);
    ProgramDevices: find_all(choice: &DeviceChoice) -> Vec<(ProgramDevice, DeviceDefinition)>
        = |fake| fake.state.lock().chosen(choice);
}
