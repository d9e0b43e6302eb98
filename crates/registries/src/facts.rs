use esoz_kernel::{
    DeviceDefinitionId, DivisionId, EmployeeId, LegalEntityId, MedicalProgramId, ProgramDeviceId, Pseudonym,
    UserId,
};

use crate::{DeviceDefinition, Employee, Location, MedicalProgram, Party, Person, ProgramDevice};

/// Which facts a request needs. What it does not name is not looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryQuery {
    /// The patient.
    pub subject: Pseudonym,
    /// The user, whose party is looked up.
    pub user: UserId,
    /// The legal entity, whose name is looked up.
    pub legal_entity: LegalEntityId,
    /// The employee who dispenses.
    pub performer: EmployeeId,
    /// The division where it is dispensed.
    pub location: DivisionId,
    /// The medical program, if there is one.
    pub program: Option<MedicalProgramId>,
    /// The device definitions named.
    pub definitions: Vec<DeviceDefinitionId>,
    /// The program devices.
    pub program_devices: DeviceChoice,
}

/// Which program devices are looked up: those with one of the ids, and those of the program that are of one of the definitions or types.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct DeviceChoice {
    /// By id, of whatever program.
    pub ids: Vec<ProgramDeviceId>,
    /// The program; `None`: those by id alone.
    pub program: Option<MedicalProgramId>,
    /// Those of the program that are of one of these definitions,
    pub definitions: Vec<DeviceDefinitionId>,
    /// or of a definition of one of these classification types.
    pub classification_types: Vec<String>,
}

impl DeviceChoice {
    /// Whether no program device can be one of them.
    pub fn is_empty(&self) -> bool {
        let names_kinds = !(self.definitions.is_empty() && self.classification_types.is_empty());
        self.ids.is_empty() && !(self.program.is_some() && names_kinds)
    }

    /// Whether a program device, with its definition, is one of them.
    pub fn includes(&self, device: &ProgramDevice, definition: &DeviceDefinition) -> bool {
        let is_of_kind = self.definitions.contains(&definition.id)
            || self.classification_types.contains(&definition.classification_type);
        self.ids.contains(&device.id) || (self.program == Some(device.program) && is_of_kind)
    }
}

/// What the registries know, as of one instant or as of several close to each other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RegistryFacts {
    /// The patient.
    pub person: Option<Person>,
    /// The user's party.
    pub party: Option<Party>,
    /// The name of the legal entity.
    pub legal_entity_name: Option<String>,
    /// The employee.
    pub performer: Option<Employee>,
    /// The division.
    pub location: Option<Location>,
    /// The medical program.
    pub program: Option<MedicalProgram>,
    /// The device definitions that are there.
    pub definitions: Vec<DeviceDefinition>,
    /// The program devices, each with its definition, in ascending order of their ids.
    pub program_devices: Vec<(ProgramDevice, DeviceDefinition)>,
}
