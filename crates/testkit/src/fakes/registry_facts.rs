use async_trait::async_trait;
use esoz_contract_division::DivisionStatus;
use esoz_kernel::{DivisionId, LegalEntityId, StoreError, UserId};
use esoz_registries::{
    DeviceChoice, DeviceDefinition, Location, Party, ProgramDevice, Registries, RegistryFacts, RegistryQuery,
};

use super::FakeRegistries;
use super::registries::State;

impl State {
    fn party(&self, user: UserId) -> Option<Party> {
        self.parties.values().find(|party| party.users.contains(&user)).map(|party| party.facts.clone())
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
        let program = query.program.and_then(|program| state.medical_programs.get(&program));
        let definitions =
            state.device_definitions.values().filter(|it| query.definitions.contains(&it.facts.id));
        let mut definitions: Vec<_> = definitions.map(|definition| definition.facts.clone()).collect();
        definitions.sort_unstable_by_key(|definition| definition.id);
        Ok(RegistryFacts {
            person: state.persons.get(&query.subject).map(|person| person.facts),
            party: state.party(query.user),
            legal_entity_name: self.legal_entity_name(query.legal_entity),
            performer: state.employees.get(&query.performer).map(|employee| employee.facts.clone()),
            location: self.location(query.location),
            program: program.map(|program| program.facts.clone()),
            definitions,
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
