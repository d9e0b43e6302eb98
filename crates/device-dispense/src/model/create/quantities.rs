use esoz_kernel::Decimal;

use super::faults::{each, fault};
use super::texts;
use super::{CreateRefusal, NewDispense};
use crate::model::request::DeviceRequest;

/// Rules 29 and 30: what is dispensed is as much as was prescribed, in its unit.
pub(super) fn check(body: &NewDispense, request: &DeviceRequest) -> Result<(), CreateRefusal> {
    let sum: Decimal = body.details.iter().map(|detail| detail.quantity.clone()).sum();
    if request.quantity.as_ref().is_some_and(|requested| requested.value != sum) {
        return Err(CreateRefusal::Quantity);
    }
    each(&body.details, CreateRefusal::Unit, |place, detail| {
        let text = texts::UNIT;
        (!request.is_of_unit(&detail.unit)).then(|| fault(place, "quantity.code", text)).into_iter().collect()
    })
}
