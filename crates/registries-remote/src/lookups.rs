//! The ports.

use async_trait::async_trait;
use esoz_contract_division::{DivisionRecord, DivisionStatus};
use esoz_import::{JsonRecord, patient_fields};
use esoz_kernel::{
    DeviceDefinitionId, DivisionId, EmployeeId, LegalEntityId, MedicalProgramId, PatientId, ProgramDeviceId,
    Pseudonym, StoreError, UserId, Uuid,
};
use esoz_legal_entity::{LegalEntities, LegalEntity, LegalEntityRecord};
use esoz_registries::{
    DeviceChoice, DeviceDefinition, DeviceDefinitionRecord, DeviceDefinitions, Employee, EmployeeRecord,
    Employees, LegalEntityNames, Location, Locations, MedicalProgram, MedicalProgramRecord, MedicalPrograms,
    Parties, Party, PartyRecord, Person, PersonRecord, Persons, ProgramDevice, ProgramDevices,
};
use futures_util::future::try_join_all;
use serde_json::{Map, Value};

use crate::error::LookupError;
use crate::{RegistryKind, RemoteRegistries, answer};

/// The search for the party of a user.
pub(crate) fn party_search(user: Uuid) -> Map<String, Value> {
    [("user_id".to_owned(), user.to_string().into())].into_iter().collect()
}

/// The search for the program devices of a choice.
pub(crate) fn device_search(choice: &DeviceChoice) -> Map<String, Value> {
    let DeviceChoice { ids, program, definitions, classification_types } = choice;
    let program = program.map(|program| ("program_id", program.to_string().into()));
    let lists = [
        ("ids", ids.iter().map(ToString::to_string).collect()),
        ("device_definition_ids", definitions.iter().map(ToString::to_string).collect()),
        ("classification_types", classification_types.iter().map(String::as_str).collect()),
    ];
    program.into_iter().chain(lists).map(|(name, value)| (name.to_owned(), value)).collect()
}

impl RemoteRegistries {
    /// Probes a registry: looks up the nil UUID, which no record has.
    ///
    /// # Errors
    /// [`StoreError`] when the registry cannot be asked, so that every lookup in it would fail.
    pub async fn ping(&self, kind: RegistryKind) -> Result<(), StoreError> {
        let id = Uuid::nil();
        let answer = match kind {
            RegistryKind::Persons => self.find_person(&self.pseudonyms.of(PatientId::new(id))).await,
            RegistryKind::Parties => self.search(kind, party_search(id)).await,
            RegistryKind::ProgramDevices => {
                let nothing = DeviceChoice { ids: vec![ProgramDeviceId::new(id)], ..DeviceChoice::default() };
                self.search(kind, device_search(&nothing)).await
            }
            _ => self.get(kind, id).await,
        };
        answer.map(drop).map_err(|error| self.store_error(error, kind))
    }

    /// Asks about a patient: by id where the pseudonym tells it, otherwise by the pseudonym.
    pub(crate) async fn find_person(
        &self,
        subject: &Pseudonym,
    ) -> Result<Option<Map<String, Value>>, LookupError> {
        self.search(RegistryKind::Persons, patient_fields(subject, &*self.pseudonyms)?).await
    }

    /// Looks up the record with that id.
    async fn record<R: JsonRecord>(
        &self,
        kind: RegistryKind,
        id: Uuid,
        id_of: fn(&R) -> Uuid,
    ) -> Result<Option<R>, StoreError> {
        let data = self.get(kind, id).await;
        self.read(kind, data, |record| id_of(record) == id)
    }

    /// Reads a record that was answered, if it is about what was asked.
    fn read<R: JsonRecord>(
        &self,
        kind: RegistryKind,
        data: Result<Option<Map<String, Value>>, LookupError>,
        is_asked: impl FnOnce(&R) -> bool,
    ) -> Result<Option<R>, StoreError> {
        let record = |data: Map<String, Value>| answer::record(&data, &self.context(), is_asked);
        data.and_then(|data| data.map(record).transpose()).map_err(|error| self.store_error(error, kind))
    }

    async fn legal_entity(&self, id: LegalEntityId) -> Result<Option<LegalEntityRecord>, StoreError> {
        self.record(RegistryKind::LegalEntities, id.uuid(), |it: &LegalEntityRecord| it.facts.id.uuid()).await
    }

    async fn definition(&self, id: DeviceDefinitionId) -> Result<Option<DeviceDefinition>, StoreError> {
        let id_of = |it: &DeviceDefinitionRecord| it.facts.id.uuid();
        let record = self.record(RegistryKind::DeviceDefinitions, id.uuid(), id_of).await?;
        Ok(record.map(|record| record.facts))
    }
}

#[async_trait]
impl LegalEntities for RemoteRegistries {
    async fn find(&self, id: LegalEntityId) -> Result<Option<LegalEntity>, StoreError> {
        Ok(self.legal_entity(id).await?.map(|record| record.facts))
    }
}

#[async_trait]
impl LegalEntityNames for RemoteRegistries {
    async fn find(&self, id: LegalEntityId) -> Result<Option<String>, StoreError> {
        Ok(self.legal_entity(id).await?.map(|record| record.name))
    }
}

#[async_trait]
impl Locations for RemoteRegistries {
    async fn find(&self, id: DivisionId) -> Result<Option<Location>, StoreError> {
        let id_of = |it: &DivisionRecord| it.facts.id.uuid();
        let record = self.record(RegistryKind::Divisions, id.uuid(), id_of).await?;
        Ok(record.map(|record| Location {
            legal_entity: record.facts.legal_entity,
            is_active: record.facts.is_active,
            is_in_use: record.status == DivisionStatus::Active,
            is_dls_verified: record.dls_verified,
            name: record.name,
        }))
    }
}

#[async_trait]
impl Persons for RemoteRegistries {
    async fn find(&self, subject: &Pseudonym) -> Result<Option<Person>, StoreError> {
        let found = self.find_person(subject).await;
        let is_asked = |record: &PersonRecord| record.subject == *subject;
        Ok(self.read(RegistryKind::Persons, found, is_asked)?.map(|record| record.facts))
    }
}

#[async_trait]
impl Parties for RemoteRegistries {
    async fn of_user(&self, user: UserId) -> Result<Option<Party>, StoreError> {
        let found = self.search(RegistryKind::Parties, party_search(user.uuid())).await;
        let is_asked = |record: &PartyRecord| record.users.contains(&user);
        Ok(self.read(RegistryKind::Parties, found, is_asked)?.map(|record| record.facts))
    }
}

#[async_trait]
impl Employees for RemoteRegistries {
    async fn find(&self, id: EmployeeId) -> Result<Option<Employee>, StoreError> {
        let id_of = |it: &EmployeeRecord| it.facts.id.uuid();
        let record = self.record(RegistryKind::Employees, id.uuid(), id_of).await?;
        Ok(record.map(|record| record.facts))
    }
}

#[async_trait]
impl MedicalPrograms for RemoteRegistries {
    async fn find(&self, id: MedicalProgramId) -> Result<Option<MedicalProgram>, StoreError> {
        let id_of = |it: &MedicalProgramRecord| it.id.uuid();
        let record = self.record(RegistryKind::MedicalPrograms, id.uuid(), id_of).await?;
        Ok(record.map(|record| record.facts))
    }
}

#[async_trait]
impl DeviceDefinitions for RemoteRegistries {
    async fn find_all(&self, ids: &[DeviceDefinitionId]) -> Result<Vec<DeviceDefinition>, StoreError> {
        let found = try_join_all(ids.iter().map(|id| self.definition(*id))).await?;
        Ok(found.into_iter().flatten().collect())
    }
}

#[async_trait]
impl ProgramDevices for RemoteRegistries {
    async fn find_all(
        &self,
        choice: &DeviceChoice,
    ) -> Result<Vec<(ProgramDevice, DeviceDefinition)>, StoreError> {
        let kind = RegistryKind::ProgramDevices;
        let found = match self.search(kind, device_search(choice)).await {
            Ok(Some(data)) => answer::devices(&data, choice, &self.context()),
            // A search that finds nothing answers with empty lists.
            Ok(None) => Err(LookupError::answer("says that there is no such search")),
            Err(error) => Err(error),
        };
        found.map_err(|error| self.store_error(error, kind))
    }
}
