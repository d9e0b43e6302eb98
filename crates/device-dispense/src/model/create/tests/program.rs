//! Rules 19, 24, 27 and 28: what a program pays for.

use esoz_kernel::{DeviceDefinitionId, MedicalProgramId, ProgramDeviceId};

use super::fixture::{STRIPS, definition, named, program_device, uuid};
use super::*;
use crate::RequestedDevice;

const DEVICE: &str = "$.details[0].program_device";

fn by_code(fixture: &mut Fixture, code: &str) {
    fixture.detail().device =
        NewDevice::Code { system: "types".to_owned(), code: code.to_owned(), text: String::new() };
}

fn name(fixture: &mut Fixture, number: u128) {
    let code = "program_device".to_owned();
    fixture.detail().program_device = Some(AnyReference { code, named: named(uuid(number)) });
}

/// The program device that stays without the fault of the change, so that rule 19 passes.
fn witness(fixture: &mut Fixture) {
    let other = (program_device(11, 12), definition(12));
    fixture.facts.registries.program_devices.push(other);
}

#[test]
fn given_no_program_device_fits_then_the_request_is_not_qualified() {
    let changes: [fn(&mut Fixture); 9] = [
        |it| it.facts.registries.program = None,
        |it| it.facts.registries.program_devices.clear(),
        |it| it.facts.registries.program_devices[0].0.program = MedicalProgramId::new(uuid(66)),
        |it| it.facts.registries.program_devices[0].0.is_active = false,
        |it| it.facts.registries.program_devices[0].0.start_date = fixture::day("2026-02-01"),
        |it| it.facts.registries.program_devices[0].0.max_daily_count = "0.19".parse().ok(),
        |it| it.facts.registries.program_devices[0].1.is_active = false,
        |it| it.facts.registries.program_devices[0].1.packaging_unit = "ml".to_owned(),
        |it| it.facts.registries.program_devices[0].1.packaging_count = 4.into(),
    ];
    for (place, change) in changes.into_iter().enumerate() {
        assert_eq!(refusal(change), CreateRefusal::NotQualified, "change {place}");
    }
    let of_another_type =
        refusal(|it| it.facts.registries.program_devices[0].1.classification_type = "x".to_owned());
    assert_eq!(of_another_type, CreateRefusal::NotQualified);
}

#[test]
fn given_a_request_for_one_device_then_only_that_one_fits() {
    let request = |number: u128| {
        move |fixture: &mut Fixture| {
            fixture.request().device = RequestedDevice::Definition(DeviceDefinitionId::new(uuid(number)));
        }
    };
    assert!(passes(request(9)));
    assert_eq!(refusal(request(12)), CreateRefusal::NotQualified);
    let told = faults(|fixture| {
        witness(fixture);
        request(12)(fixture);
    });
    assert_eq!(told, [fault("$.details[0].device", "Dispensed device doesn't match with prescribed device")]);
}

#[test]
fn given_a_device_by_code_then_the_request_must_name_that_code() {
    assert!(passes(|fixture| by_code(fixture, STRIPS)));
    let text = "Dispensed device doesn't match with prescribed device";
    assert_eq!(faults(|fixture| by_code(fixture, "needles")), [fault("$.details[0].device_code", text)]);
    let by_reference = faults(|fixture| {
        by_code(fixture, STRIPS);
        fixture.request().device = RequestedDevice::Definition(DeviceDefinitionId::new(uuid(9)));
    });
    assert_eq!(by_reference, [fault("$.details[0].device_code", text)]);
}

#[test]
fn given_a_program_device_is_named_then_it_must_fit() {
    assert!(passes(|fixture| name(fixture, 10)));
    let unknown = faults(|fixture| name(fixture, 66));
    assert_eq!(unknown, [fault(DEVICE, "Program device is not active")]);
    let ended = faults(|fixture| {
        witness(fixture);
        name(fixture, 10);
        fixture.facts.registries.program_devices[0].0.end_date = Some(fixture::day("2026-01-30"));
    });
    assert_eq!(ended, [fault(DEVICE, "Program device is not active")]);
    let of_another_device = faults(|fixture| {
        witness(fixture);
        name(fixture, 11);
    });
    assert_eq!(of_another_device, [fault(DEVICE, "Program device doesn't match with device")]);
    let of_another_program = faults(|fixture| {
        let mut other = program_device(13, 9);
        other.program = MedicalProgramId::new(uuid(66));
        fixture.facts.registries.program_devices.push((other, definition(9)));
        name(fixture, 13);
    });
    assert_eq!(of_another_program, [fault(DEVICE, "Program device doesn't match with program")]);
    let without_program = faults(|fixture| {
        (fixture.facts.body.program, fixture.request().program) = (None, None);
        (fixture.detail().sell_price, fixture.detail().discount_amount) = (None, None);
        name(fixture, 10);
    });
    assert_eq!(without_program, [fault(DEVICE, "Program device doesn't match with program")]);
}

#[test]
fn given_none_is_named_then_the_only_one_that_fits_is_taken() {
    let none = faults(|fixture| {
        witness(fixture);
        fixture.facts.registries.program_devices.remove(0);
    });
    assert_eq!(none, [fault(DEVICE, "No appropriate participants found for this medical program")]);
    let several = faults(|fixture| {
        fixture.facts.registries.program_devices.push((program_device(13, 9), definition(9)));
    });
    assert_eq!(
        several,
        [fault(DEVICE, "More than one program_device was found. Specify the required in the request")]
    );
    let by_code = faults(|fixture| {
        witness(fixture);
        by_code(fixture, STRIPS);
    });
    assert_eq!(by_code, several);
    assert!(passes(|fixture| {
        let mut ended = program_device(13, 9);
        ended.is_active = false;
        fixture.facts.registries.program_devices.push((ended, definition(9)));
    }));
}

#[test]
fn given_a_daily_limit_then_it_is_kept_to_the_digit() {
    // Six pieces in thirty days: 0.2 a day.
    for (most, expected) in [("0.2", true), ("0.19999", false)] {
        let mut fixture = Fixture::new();
        witness(&mut fixture);
        name(&mut fixture, 10);
        fixture.facts.registries.program_devices[0].0.max_daily_count = most.parse().ok();
        let told = fixture.decide().err().map(|refusal| refusal.faults());
        let exceeded = vec![fault(DEVICE, "max daily count exceeded")];
        assert_eq!(told, (!expected).then_some(exceeded), "{most}");
    }
    let without: [fn(&mut Fixture); 2] =
        [|fixture| fixture.request().occurrence_period = None, |fixture| fixture.request().quantity = None];
    for change in without {
        assert!(passes(|fixture| {
            change(fixture);
            fixture.facts.registries.program_devices[0].0.max_daily_count = "0.001".parse().ok();
        }));
    }
}

#[test]
fn given_a_request_then_its_choice_includes_what_fits_it_and_no_other() {
    let program = MedicalProgramId::new(uuid(8));
    let (device, definition) = (program_device(10, 9), definition(9));
    for (requested, expected) in [
        (RequestedDevice::Type(STRIPS.to_owned()), true),
        (RequestedDevice::Type("needles".to_owned()), false),
        (RequestedDevice::Definition(DeviceDefinitionId::new(uuid(9))), true),
        (RequestedDevice::Definition(DeviceDefinitionId::new(uuid(12))), false),
    ] {
        let choice = requested.choice(program);
        assert_eq!(choice.includes(&device, &definition), expected, "{requested:?}");
        assert!(!requested.choice(MedicalProgramId::new(uuid(66))).includes(&device, &definition));
        assert_eq!(choice.ids, Vec::<ProgramDeviceId>::new());
    }
}
