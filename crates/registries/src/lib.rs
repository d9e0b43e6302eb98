#![doc = include_str!("../README.md")]

mod device;
mod facts;
mod overrides;
mod people;
mod ports;
mod program;
mod separate;

pub use device::{DeviceDefinition, DeviceDefinitionRecord};
pub use facts::{DeviceChoice, RegistryFacts, RegistryQuery};
pub use overrides::RegistryOverrides;
pub use people::{
    Employee, EmployeeRecord, Location, Party, PartyRecord, Person, PersonRecord, PersonStatus,
    VerificationStatus,
};
pub use ports::{
    DeviceDefinitions, Employees, LegalEntityNames, Locations, MedicalPrograms, Parties, Persons,
    ProgramDevices, Registries, Registry, RegistryRecords,
};
pub use program::{MedicalProgram, MedicalProgramRecord, ProgramDevice, ProgramDeviceRecord, Reimbursement};
pub use separate::SeparateRegistries;

#[cfg(any(test, feature = "mock"))]
pub use ports::MockRegistries;
