//! One record of every administrative registry, in tests.

use std::slice;

use esoz_contract_division::{ContractRegistry, DivisionRecord};
use esoz_kernel::{Put, UserId};
use esoz_legal_entity::{LegalEntityRecord, LegalEntityRegistry};
use esoz_registries::{
    DeviceDefinitionRecord, EmployeeRecord, MedicalProgramRecord, PartyRecord, PersonRecord,
    ProgramDeviceRecord, Registry, RegistryQuery, RegistryRecords,
};

use crate::builders::{
    device_choice, device_definition, division_of, employee_of, legal_entity, medical_program, party_of,
    person, program_device_of, user,
};

/// Records that belong together, and a query that names them all.
#[derive(Debug, Clone)]
pub struct RegistryFixture {
    /// The user of the party.
    pub user: UserId,
    /// Where the employee works and the division is.
    pub legal_entity: LegalEntityRecord,
    /// The patient.
    pub person: PersonRecord,
    /// The party of the user.
    pub party: PartyRecord,
    /// The party's post.
    pub employee: EmployeeRecord,
    /// The division.
    pub division: DivisionRecord,
    /// The medical program.
    pub program: MedicalProgramRecord,
    /// The device.
    pub definition: DeviceDefinitionRecord,
    /// The device in the program.
    pub device: ProgramDeviceRecord,
}

impl RegistryFixture {
    /// Makes the records.
    pub fn build() -> Self {
        let (user, legal_entity) = (user(), legal_entity());
        let owner = legal_entity.facts.id;
        let (party, program, definition) = (party_of([user]), medical_program(), device_definition());
        Self {
            user,
            person: person(),
            employee: employee_of(party.facts.id, owner),
            division: division_of(owner),
            device: program_device_of(program.id, definition.facts.id),
            legal_entity,
            party,
            program,
            definition,
        }
    }

    /// The query that names them all.
    pub fn query(&self) -> RegistryQuery {
        RegistryQuery {
            subject: self.person.subject.clone(),
            user: self.user,
            legal_entity: self.legal_entity.facts.id,
            performer: self.employee.facts.id,
            location: self.division.facts.id,
            program: Some(self.program.id),
            definitions: vec![self.definition.facts.id],
            program_devices: device_choice(self.program.id, [self.definition.facts.id]),
        }
    }

    /// Stores them.
    ///
    /// # Panics
    /// When one is not created.
    #[expect(clippy::unwrap_used, reason = "a fixture of tests: a failure is to end them")]
    pub async fn store(
        &self,
        records: &(impl RegistryRecords + ?Sized),
        contracts: &(impl ContractRegistry + ?Sized),
        legal_entities: &(impl LegalEntityRegistry + ?Sized),
    ) {
        let created = [Put::Created];
        let legal_entity = slice::from_ref(&self.legal_entity);
        assert_eq!(legal_entities.put_legal_entities(legal_entity).await.unwrap(), created);
        assert_eq!(contracts.put_divisions(slice::from_ref(&self.division)).await.unwrap(), created);
        assert_eq!(Registry::put(records, slice::from_ref(&self.person)).await.unwrap(), created);
        assert_eq!(Registry::put(records, slice::from_ref(&self.party)).await.unwrap(), created);
        assert_eq!(Registry::put(records, slice::from_ref(&self.employee)).await.unwrap(), created);
        assert_eq!(Registry::put(records, slice::from_ref(&self.program)).await.unwrap(), created);
        assert_eq!(Registry::put(records, slice::from_ref(&self.definition)).await.unwrap(), created);
        assert_eq!(Registry::put(records, slice::from_ref(&self.device)).await.unwrap(), created);
    }
}
