use async_trait::async_trait;
use esoz_kernel::{
    DeviceDefinitionId, DivisionId, EmployeeId, LegalEntityId, MedicalProgramId, Pseudonym, Put, ScanCursor,
    ScanPage, StoreError, UserId,
};

use crate::{
    DeviceChoice, DeviceDefinition, DeviceDefinitionRecord, Employee, EmployeeRecord, Location,
    MedicalProgram, MedicalProgramRecord, Party, PartyRecord, Person, PersonRecord, ProgramDevice,
    ProgramDeviceRecord, RegistryFacts, RegistryQuery,
};

/// Gathers the facts of one request at once.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
#[async_trait]
pub trait Registries: Send + Sync {
    /// Looks up everything that the query names, in at most one round trip per database, side by side. What is not there is absent from the facts.
    ///
    /// # Errors
    /// [`StoreError`] when one of the lookups failed: no rule is decided on half of the facts.
    async fn facts(&self, query: &RegistryQuery) -> Result<RegistryFacts, StoreError>;

    /// Looks up program devices alone, each with its definition, in ascending order of their ids.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn program_devices(
        &self,
        choice: &DeviceChoice,
    ) -> Result<Vec<(ProgramDevice, DeviceDefinition)>, StoreError>;

    /// Looks up the party of a user.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn party(&self, user: UserId) -> Result<Option<Party>, StoreError>;
}

/// Declares the port of a registry: one method that looks up.
macro_rules! lookup {
    ($($(#[$doc:meta])* $name:ident: $(#[$method_doc:meta])* $method:ident($argument:ident: $type:ty) -> $found:ty;)+) => {$(
        $(#[$doc])*
        #[async_trait]
        pub trait $name: Send + Sync {
            $(#[$method_doc])*
            ///
            /// # Errors
            /// [`StoreError`] when the lookup failed, or what is stored is corrupt.
            async fn $method(&self, $argument: $type) -> Result<$found, StoreError>;
        }
    )+};
}

lookup! {
    /// Looks up patients.
    Persons: /** Finds a patient by the pseudonym. */ find(subject: &Pseudonym) -> Option<Person>;
    /// Looks up parties.
    Parties: /** Finds the party of a user. */ of_user(user: UserId) -> Option<Party>;
    /// Looks up employees.
    Employees: /** Finds an employee. */ find(id: EmployeeId) -> Option<Employee>;
    /// Looks up the divisions where something is dispensed.
    Locations: /** Finds a division. */ find(id: DivisionId) -> Option<Location>;
    /// Looks up the names of legal entities.
    LegalEntityNames: /** Finds the name to show. */ find(id: LegalEntityId) -> Option<String>;
    /// Looks up medical programs.
    MedicalPrograms: /** Finds a program. */ find(id: MedicalProgramId) -> Option<MedicalProgram>;
    /// Looks up device definitions.
    DeviceDefinitions: /** Finds those of the ids that there are. */ find_all(ids: &[DeviceDefinitionId]) -> Vec<DeviceDefinition>;
    /// Looks up the devices of programs.
    ProgramDevices: /** Finds those that are chosen, each with its definition, in ascending order of their ids. */
        find_all(choice: &DeviceChoice) -> Vec<(ProgramDevice, DeviceDefinition)>;
}

/// Imports the records of a registry from the system that keeps them, and exports them.
#[async_trait]
pub trait Registry<Record>: Send + Sync {
    /// Stores the records, one answer each in their order. A record that is there already takes the new content
    /// ([`Put::Updated`]; [`Put::Kept`] when nothing differs), its `inserted_at` and `inserted_by` staying as they were.
    /// A refused record (e.g. what it refers to is not there) does not hinder the others.
    ///
    /// # Errors
    /// [`StoreError`] when the store failed; which of the records it took is then unknown, and importing again is safe.
    async fn put(&self, records: &[Record]) -> Result<Vec<Put>, StoreError>;

    /// Reads a page of the [scan](ScanPage) of all records: at most `limit` of them, at least 1.
    ///
    /// # Errors
    /// [`StoreError`] when the store failed.
    async fn scan(&self, after: Option<ScanCursor>, limit: u32) -> Result<ScanPage<Record>, StoreError>;
}

/// Imports and exports the records of every administrative registry: what implements [`Registry`] for each of them.
pub trait RegistryRecords:
    Registry<PersonRecord>
    + Registry<PartyRecord>
    + Registry<EmployeeRecord>
    + Registry<MedicalProgramRecord>
    + Registry<DeviceDefinitionRecord>
    + Registry<ProgramDeviceRecord>
{
}

impl<T> RegistryRecords for T where
    T: Registry<PersonRecord>
        + Registry<PartyRecord>
        + Registry<EmployeeRecord>
        + Registry<MedicalProgramRecord>
        + Registry<DeviceDefinitionRecord>
        + Registry<ProgramDeviceRecord>
        + ?Sized
{
}
