//! What may be wrong with the details of a create.

use esoz_device_dispense::{RequestedDevice, VerificationCode};
use esoz_kernel::ProgramDeviceId;
use esoz_registries::{DeviceDefinitionRecord, ProgramDeviceRecord};
use esoz_testkit::builders::{concept, device_definition, fresh, program_device_of};
use esoz_tests::{CreateFixture, given};
use serde_json::{Value, json};

use super::super::{Told, WRONG_CODE};
use super::{ANOTHER_IN_PROGRESS, Case, YESTERDAY, case, detail, leave_out};

/// Another device than the program's, changed, is dispensed; where it is already, it is changed further.
fn another_device(it: &mut CreateFixture, body: &mut Value, change: fn(&mut DeviceDefinitionRecord)) {
    let mut another = it.definitions.pop().unwrap_or_else(device_definition);
    change(&mut another);
    detail(body)["device"] = given("device_definition", another.facts.id);
    it.definitions.push(another);
}

/// That device of a program is named.
fn another_program_device(it: &mut CreateFixture, body: &mut Value, another: ProgramDeviceRecord) {
    detail(body)["program_device"] = given("program_device", another.facts.id);
    it.devices.push(another);
}

/// The device is given by its type, not by a reference.
pub(crate) fn by_code(body: &mut Value, code: &str) {
    leave_out(detail(body), "device");
    detail(body)["device_code"] = concept("device_definition_classification_type", code);
}

fn set_code(reference: &mut Value, code: &str) {
    reference["identifier"]["type"]["coding"][0]["code"] = json!(code);
}

const DEVICE: &str = "$.details[0].device";
const PROGRAM_DEVICE: &str = "$.details[0].program_device";
const DISCOUNT: &str = "$.details[0].discount_amount";
const NO_DEFINITION: Told = Told::Refused(&[(DEVICE, "Device definition not found")]);
const DEVICE_MISMATCH: Told =
    Told::Refused(&[(DEVICE, "Dispensed device doesn't match with prescribed device")]);
const TYPE_MISMATCH: Told =
    Told::Refused(&[("$.details[0].device_code", "Dispensed device doesn't match with prescribed device")]);
const PROGRAM_DEVICE_NOT_ACTIVE: Told = Told::Refused(&[(PROGRAM_DEVICE, "Program device is not active")]);

/// The details: rules 22 to 33, after the last rule that does not look at them.
pub(crate) const DETAILS: [Case; 24] = [
    ANOTHER_IN_PROGRESS,
    case(
        22,
        "a device by another word",
        |_, body| set_code(&mut detail(body)["device"], "device"),
        Told::Refused(&[(DEVICE, "value is not allowed in enum")]),
    ),
    case(
        23,
        "no such device",
        |_, body| detail(body)["device"] = given("device_definition", fresh()),
        NO_DEFINITION,
    ),
    case(
        23,
        "inactive device",
        |it, body| another_device(it, body, |device| device.facts.is_active = false),
        NO_DEFINITION,
    ),
    case(
        24,
        "a device of another type",
        |it, body| {
            another_device(it, body, |device| "needles".clone_into(&mut device.facts.classification_type));
        },
        DEVICE_MISMATCH,
    ),
    case(
        24,
        "another device than the one requested",
        |it, body| {
            another_device(it, body, |_| ());
            it.request.facts.device = RequestedDevice::Definition(it.records.definition.facts.id);
        },
        DEVICE_MISMATCH,
    ),
    case(24, "another type than the one requested", |_, body| by_code(body, "needles"), TYPE_MISMATCH),
    case(
        24,
        "a type where a device is requested",
        |it, body| {
            by_code(body, "30221");
            it.request.facts.device = RequestedDevice::Definition(it.records.definition.facts.id);
        },
        TYPE_MISMATCH,
    ),
    case(
        25,
        "packages of millilitres",
        |it, body| another_device(it, body, |device| "ml".clone_into(&mut device.facts.packaging_unit)),
        Told::Refused(&[(DEVICE, "Dispensed packaging unit doesn't match with prescribed packaging unit")]),
    ),
    case(
        26,
        "no whole packages",
        |it, body| another_device(it, body, |device| device.facts.packaging_count = 30.into()),
        Told::Refused(&[(
            "$.details[0].quantity.value",
            "The quantity must be divisible to packaging_count of prescribed Device Definition",
        )]),
    ),
    case(
        27,
        "a program device by another word",
        |it, body| {
            let named = given("program_device", it.records.device.facts.id);
            let detail = detail(body).as_object_mut().unwrap();
            set_code(detail.entry("program_device").or_insert(named), "device");
        },
        Told::Refused(&[(PROGRAM_DEVICE, "value is not allowed in enum")]),
    ),
    case(
        27,
        "no such program device",
        |_, body| detail(body)["program_device"] = given("program_device", fresh()),
        PROGRAM_DEVICE_NOT_ACTIVE,
    ),
    case(
        27,
        "a program device until yesterday",
        |it, body| {
            let mut device = it.records.device.clone();
            (device.facts.id, device.facts.end_date) = (ProgramDeviceId::new(fresh()), Some(YESTERDAY));
            another_program_device(it, body, device);
        },
        PROGRAM_DEVICE_NOT_ACTIVE,
    ),
    case(
        27,
        "a program device of another device",
        |it, body| {
            let another = device_definition();
            another_program_device(it, body, program_device_of(it.records.program.id, another.facts.id));
            it.definitions.push(another);
        },
        Told::Refused(&[(PROGRAM_DEVICE, "Program device doesn't match with device")]),
    ),
    case(
        27,
        "a program device of another program",
        |it, body| {
            let definition = it.records.definition.facts.id;
            another_program_device(it, body, program_device_of(it.another_program.id, definition));
        },
        Told::Refused(&[(PROGRAM_DEVICE, "Program device doesn't match with program")]),
    ),
    case(
        27,
        "none of the program",
        |it, body| another_device(it, body, |_| ()),
        Told::Refused(&[(PROGRAM_DEVICE, "No appropriate participants found for this medical program")]),
    ),
    case(
        27,
        "several of the program",
        |it, _| it.devices.push(program_device_of(it.records.program.id, it.records.definition.facts.id)),
        Told::Refused(&[(
            PROGRAM_DEVICE,
            "More than one program_device was found. Specify the required in the request",
        )]),
    ),
    case(
        28,
        "too many a day",
        |it, body| {
            let mut device = it.records.device.clone();
            device.facts.id = ProgramDeviceId::new(fresh());
            device.facts.max_daily_count = "3.33".parse().ok();
            another_program_device(it, body, device);
        },
        Told::Refused(&[(PROGRAM_DEVICE, "max daily count exceeded")]),
    ),
    case(
        29,
        "more than requested",
        |_, body| detail(body)["quantity"]["value"] = json!(150),
        Told::Refused(&[(
            "$.details",
            "Dispensed quantity must be equal to prescribed quantity in Device Request",
        )]),
    ),
    case(
        30,
        "another unit",
        |_, body| detail(body)["quantity"]["code"] = json!("ml"),
        Told::Refused(&[(
            "$.details[0].quantity.code",
            "Does not match the packaging unit of the prescribed device",
        )]),
    ),
    case(
        31,
        "no price",
        |_, body| leave_out(detail(body), "sell_price"),
        Told::Refused(&[("$.details[0].sell_price", "Required property sell_price was not present")]),
    ),
    case(
        31,
        "no discount",
        |_, body| leave_out(detail(body), "discount_amount"),
        Told::Refused(&[(DISCOUNT, "Required property discount_amount was not present")]),
    ),
    case(
        32,
        "a discount too high",
        |_, body| detail(body)["discount_amount"] = json!(200.01),
        Told::Refused(&[(
            DISCOUNT,
            "Requested discount amount must be less or equal to allowed reimbursement amount",
        )]),
    ),
    case(
        33,
        "a code that was not given",
        |it, _| it.request.facts.verification_code = VerificationCode::parse("0420"),
        WRONG_CODE,
    ),
];
