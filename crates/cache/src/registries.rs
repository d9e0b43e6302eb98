//! Caches in front of registries that are asked elsewhere.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use esoz_kernel::{
    DeviceDefinitionId, DivisionId, EmployeeId, LegalEntityId, MedicalProgramId, Pseudonym, StoreError,
    UserId,
};
use esoz_registries::{
    DeviceChoice, DeviceDefinition, DeviceDefinitions, Employee, Employees, LegalEntityNames, Location,
    Locations, MedicalProgram, MedicalPrograms, Parties, Party, Person, Persons, ProgramDevice,
    ProgramDevices,
};

use crate::{CacheLimits, Cached};

/// Declares the cache of a port that finds one thing by its key.
macro_rules! cached {
    ($($(#[$doc:meta])* $cached:ident: $port:ident, $method:ident($argument:ident: $type:ty) by $key:ty = $owned:expr => $found:ty;)+) => {$(
        $(#[$doc])*
        pub type $cached = Cached<dyn $port, $key, $found>;

        #[async_trait]
        impl $port for $cached {
            async fn $method(&self, $argument: $type) -> Result<Option<$found>, StoreError> {
                self.get_or_find($owned, self.inner.$method($argument)).await
            }
        }
    )+};
}

cached! {
    /// Caches facts about patients by pseudonym. A change takes effect within [`CacheLimits::ttl`].
    CachedPersons: Persons, find(subject: &Pseudonym) by Pseudonym = subject.clone() => Person;
    /// Caches parties by user. A change takes effect within [`CacheLimits::ttl`].
    CachedParties: Parties, of_user(user: UserId) by UserId = user => Party;
    /// Caches employees by id. A change takes effect within [`CacheLimits::ttl`].
    CachedEmployees: Employees, find(id: EmployeeId) by EmployeeId = id => Employee;
    /// Caches divisions by id. A change takes effect within [`CacheLimits::ttl`].
    CachedLocations: Locations, find(id: DivisionId) by DivisionId = id => Location;
    /// Caches names of legal entities by id. A change takes effect within [`CacheLimits::ttl`].
    CachedLegalEntityNames: LegalEntityNames, find(id: LegalEntityId) by LegalEntityId = id => String;
    /// Caches medical programs by id. A change takes effect within [`CacheLimits::ttl`].
    CachedMedicalPrograms: MedicalPrograms, find(id: MedicalProgramId) by MedicalProgramId = id => MedicalProgram;
}

/// Caches device definitions, each by its id. Those of the ids that are not cached are looked up together. A change takes effect within
/// [`CacheLimits::ttl`].
pub type CachedDeviceDefinitions = Cached<dyn DeviceDefinitions, DeviceDefinitionId, DeviceDefinition>;

#[async_trait]
impl DeviceDefinitions for CachedDeviceDefinitions {
    async fn find_all(&self, ids: &[DeviceDefinitionId]) -> Result<Vec<DeviceDefinition>, StoreError> {
        let since = (self.now)();
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for id in ids {
            match self.fresh(id, since) {
                Some(definition) => found.push(definition),
                None => missing.push(*id),
            }
        }
        if !missing.is_empty() {
            for definition in self.inner.find_all(&missing).await? {
                self.remember(definition.id, since, &definition);
                found.push(definition);
            }
        }
        Ok(found)
    }
}

/// Program devices that were found together, each with its definition.
pub type ChosenDevices = Arc<Vec<(ProgramDevice, DeviceDefinition)>>;

/// Caches program devices by the whole choice. A change, and a device that is new among others, take effect within [`CacheLimits::ttl`].
pub type CachedProgramDevices = Cached<dyn ProgramDevices, DeviceChoice, ChosenDevices>;

impl CachedProgramDevices {
    /// Wraps the port in a cache. [`CacheLimits::max_entries`] counts each device and each part of a choice: either can be many.
    pub fn of_choices(inner: Arc<dyn ProgramDevices>, limits: CacheLimits) -> Self {
        Self::weighing(inner, limits, Box::new(Instant::now), weight)
    }
}

/// The bytes of a classification type that count as much as an id.
const TYPE_BYTES: usize = 64;

pub(crate) fn weight(choice: &DeviceChoice, found: &ChosenDevices) -> u32 {
    let types = choice.classification_types.iter().map(|word| 1 + word.len() / TYPE_BYTES);
    let parts = choice.ids.len() + choice.definitions.len() + types.sum::<usize>();
    u32::try_from(parts + found.len()).unwrap_or(u32::MAX)
}

#[async_trait]
impl ProgramDevices for CachedProgramDevices {
    async fn find_all(
        &self,
        choice: &DeviceChoice,
    ) -> Result<Vec<(ProgramDevice, DeviceDefinition)>, StoreError> {
        let lookup = async {
            let found = self.inner.find_all(choice).await?;
            // Nothing found is asked for again.
            Ok((!found.is_empty()).then(|| Arc::new(found)))
        };
        let found = self.get_or_find(choice.clone(), lookup).await?;
        Ok(found.map(|found| found.to_vec()).unwrap_or_default())
    }
}
