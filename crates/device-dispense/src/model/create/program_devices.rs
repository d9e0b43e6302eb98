use esoz_kernel::{CivilDate, MedicalProgramId, ProgramDeviceId};
use esoz_registries::{DeviceDefinition, ProgramDevice, RegistryFacts};

use super::faults::{each, fault};
use super::program::fits;
use super::texts;
use super::{AnyReference, CreateRefusal, NewDetail, NewDevice, NewDispense};
use crate::model::request::DeviceRequest;

/// The code of a reference to a program device.
pub(super) const PROGRAM_DEVICE: &str = "program_device";

/// A program device with its definition.
pub(super) type Chosen<'a> = &'a (ProgramDevice, DeviceDefinition);

/// Rules 27 and 28: each program device that is named fits, one is found where none is named, and its daily limit is kept. Returns the one of each
/// detail; `None` without a program.
pub(super) fn check<'a>(
    body: &NewDispense,
    request: &DeviceRequest,
    registries: &'a RegistryFacts,
    definitions: &[Option<&DeviceDefinition>],
    today: CivilDate,
) -> Result<Vec<Option<Chosen<'a>>>, CreateRefusal> {
    let program = body.program.as_ref().map(|program| program.id);
    let choose = |place: usize, detail: &NewDetail| {
        let definition = definitions.get(place).copied().flatten();
        let is_of_device = |known: &DeviceDefinition| match &detail.device {
            NewDevice::Reference(_) => definition.is_some_and(|definition| definition.id == known.id),
            NewDevice::Code { code, .. } => known.classification_type == *code,
        };
        match (&detail.program_device, program) {
            (Some(named), _) => find(named, program, registries, is_of_device, today).map(Some),
            (None, Some(program)) => {
                let fitting = registries.program_devices.iter().filter(|(device, known)| {
                    device.program == program && is_of_device(known) && fits(device, known, request, today)
                });
                exactly_one(fitting).map(Some)
            }
            (None, None) => Ok(None),
        }
    };
    each(&body.details, CreateRefusal::ProgramDevice, |place, detail| {
        choose(place, detail).err().map(|text| fault(place, PROGRAM_DEVICE, text)).into_iter().collect()
    })?;
    let chosen: Vec<Option<Chosen<'a>>> =
        body.details.iter().enumerate().map(|(place, detail)| choose(place, detail).ok().flatten()).collect();
    each(&chosen, CreateRefusal::DailyCount, |place, chosen| {
        let is_kept =
            chosen.is_none_or(|(device, _)| request.keeps_daily_limit(device.max_daily_count.as_ref()));
        (!is_kept).then(|| fault(place, PROGRAM_DEVICE, texts::DAILY_COUNT)).into_iter().collect()
    })?;
    Ok(chosen)
}

/// The one that is named, or why it does not fit.
fn find<'a>(
    named: &AnyReference,
    program: Option<MedicalProgramId>,
    registries: &'a RegistryFacts,
    is_of_device: impl Fn(&DeviceDefinition) -> bool,
    today: CivilDate,
) -> Result<Chosen<'a>, &'static str> {
    if named.code != PROGRAM_DEVICE {
        return Err(texts::NOT_IN_ENUM);
    }
    let id = ProgramDeviceId::new(named.named.id);
    let known = registries.program_devices.iter().find(|(device, _)| device.id == id);
    let known =
        known.filter(|(device, _)| device.is_active_on(today)).ok_or(texts::PROGRAM_DEVICE_NOT_ACTIVE)?;
    if !is_of_device(&known.1) {
        return Err("Program device doesn't match with device");
    }
    if Some(known.0.program) != program {
        return Err("Program device doesn't match with program");
    }
    Ok(known)
}

fn exactly_one<'a>(mut fitting: impl Iterator<Item = Chosen<'a>>) -> Result<Chosen<'a>, &'static str> {
    let first = fitting.next().ok_or("No appropriate participants found for this medical program")?;
    match fitting.next() {
        None => Ok(first),
        Some(_) => Err("More than one program_device was found. Specify the required in the request"),
    }
}
