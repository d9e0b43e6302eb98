use esoz_registries::{DeviceDefinition, RegistryFacts};

use super::faults::{each, fault};
use super::texts;
use super::{CreateRefusal, NewDetail, NewDevice, NewDispense};
use crate::model::request::{DeviceRequest, RequestedDevice};

/// The code of a reference to a device definition.
const DEVICE_DEFINITION: &str = "device_definition";

/// Rules 22 to 26: each device is a definition that exists, is what was prescribed, in the prescribed unit, in whole packages. Returns the definition
/// of each detail; `None` for one by code.
pub(super) fn check<'a>(
    body: &NewDispense,
    request: &DeviceRequest,
    registries: &'a RegistryFacts,
) -> Result<Vec<Option<&'a DeviceDefinition>>, CreateRefusal> {
    let details = &body.details;
    let definition = |detail: &NewDetail| {
        let id = detail.device.definition()?;
        registries.definitions.iter().find(|definition| definition.id == id && definition.is_active)
    };
    each(details, CreateRefusal::DeviceCode, |place, detail| {
        let is_wrong =
            matches!(&detail.device, NewDevice::Reference(device) if device.code != DEVICE_DEFINITION);
        is_wrong.then(|| fault(place, "device", texts::NOT_IN_ENUM)).into_iter().collect()
    })?;
    each(details, CreateRefusal::DeviceNotFound, |place, detail| {
        let is_missing = detail.device.definition().is_some() && definition(detail).is_none();
        is_missing.then(|| fault(place, "device", texts::DEVICE_NOT_FOUND)).into_iter().collect()
    })?;
    each(details, CreateRefusal::DeviceMismatch, |place, detail| {
        let (field, is_requested) = match &detail.device {
            NewDevice::Reference(_) => {
                ("device", definition(detail).is_some_and(|definition| request.device.includes(definition)))
            }
            NewDevice::Code { code, .. } => (
                "device_code",
                matches!(&request.device, RequestedDevice::Type(requested) if requested == code),
            ),
        };
        let text = texts::DEVICE_MISMATCH;
        (!is_requested).then(|| fault(place, field, text)).into_iter().collect()
    })?;
    each(details, CreateRefusal::PackagingUnit, |place, detail| {
        let is_wrong =
            definition(detail).is_some_and(|definition| !request.is_of_unit(&definition.packaging_unit));
        let text = texts::PACKAGING_UNIT;
        is_wrong.then(|| fault(place, "device", text)).into_iter().collect()
    })?;
    each(details, CreateRefusal::PackagingCount, |place, detail| {
        let is_wrong = definition(detail)
            .is_some_and(|definition| !detail.quantity.is_multiple_of(&definition.packaging_count));
        let text = texts::PACKAGING_COUNT;
        is_wrong.then(|| fault(place, "quantity.value", text)).into_iter().collect()
    })?;
    Ok(details.iter().map(definition).collect())
}
