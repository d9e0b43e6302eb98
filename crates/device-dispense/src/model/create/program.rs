use esoz_kernel::{CivilDate, MedicalProgramId};
use esoz_registries::{DeviceChoice, DeviceDefinition, ProgramDevice, RegistryFacts};

use super::{CreateRefusal, NewDispense};
use crate::model::request::{DeviceRequest, RequestedDevice};

/// Rule 19: a program is active, and pays for some device that the request asks for.
///
/// Any device that fits is a witness, so that the registries need not be asked for all devices of a program.
pub(super) fn check(
    body: &NewDispense,
    request: &DeviceRequest,
    registries: &RegistryFacts,
    today: CivilDate,
) -> Result<(), CreateRefusal> {
    let Some(program) = &body.program else { return Ok(()) };
    let is_active = registries.program.as_ref().is_some_and(|program| program.is_active);
    let mut of_program = registries.program_devices.iter().filter(|(device, _)| device.program == program.id);
    if is_active && of_program.any(|(device, definition)| fits(device, definition, request, today)) {
        Ok(())
    } else {
        Err(CreateRefusal::NotQualified)
    }
}

/// Whether a program device, with its definition, is one that the request can be dispensed with.
pub(super) fn fits(
    device: &ProgramDevice,
    definition: &DeviceDefinition,
    request: &DeviceRequest,
    today: CivilDate,
) -> bool {
    device.is_active_on(today)
        && request.keeps_daily_limit(device.max_daily_count.as_ref())
        && definition.is_active
        && request.device.includes(definition)
        && request.is_of_unit(&definition.packaging_unit)
        && request
            .quantity
            .as_ref()
            .is_none_or(|quantity| quantity.value.is_multiple_of(&definition.packaging_count))
}

impl RequestedDevice {
    /// Whether a device is one that is asked for.
    pub(super) fn includes(&self, definition: &DeviceDefinition) -> bool {
        match self {
            Self::Type(code) => definition.classification_type == *code,
            Self::Definition(id) => definition.id == *id,
        }
    }

    /// Chooses the program devices that fit it, whatever is dispensed: those among which rule 19 looks for a witness.
    pub(crate) fn choice(&self, program: MedicalProgramId) -> DeviceChoice {
        let (definitions, classification_types) = match self {
            Self::Type(code) => (Vec::new(), vec![code.clone()]),
            Self::Definition(id) => (vec![*id], Vec::new()),
        };
        DeviceChoice { ids: Vec::new(), program: Some(program), definitions, classification_types }
    }
}
