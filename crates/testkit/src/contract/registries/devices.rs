//! Which program devices are chosen.

use esoz_kernel::ProgramDeviceId;
use esoz_registries::{DeviceChoice, DeviceDefinition, ProgramDevice, RegistryQuery, Reimbursement};

use super::super::RegistryStore;
use super::fixtures::{create, day, decimal, put_one, stored_device, stored_fixture};
use crate::builders::{fresh, medical_program, program_device_of};
use crate::registries::RegistryFixture;

type Chosen = Vec<(ProgramDevice, DeviceDefinition)>;

/// What is chosen, alone and among the facts.
async fn chosen(store: &RegistryStore, fixture: &RegistryFixture, choice: &DeviceChoice) -> Chosen {
    let alone = store.registries.program_devices(choice).await.unwrap();
    let query = RegistryQuery { program_devices: choice.clone(), ..fixture.query() };
    let facts = store.registries.facts(&query).await.unwrap();
    assert_eq!(facts.program_devices, alone, "{choice:?}");
    alone
}

/// By id, by definition, by type, and by all of them together, in the order of ids, each once: whatever is asked for.
pub async fn devices_are_those_that_the_choice_includes(store: RegistryStore) {
    let fixture = stored_fixture(&store).await;
    let (program, other) = (fixture.program.id, medical_program());
    create(&store, std::slice::from_ref(&other)).await;
    let mut all: Chosen = vec![(fixture.device.facts.clone(), fixture.definition.facts.clone())];
    for (program, classification_type) in
        [(program, "30221"), (program, "Тип"), (program, "30222"), (other.id, "30221"), (other.id, "Тип")]
    {
        let (device, definition) = stored_device(&store, program, classification_type).await;
        all.push((device.facts, definition.facts));
    }
    // The same device in both programs, and twice in one of them.
    let definition = all[2].1.clone();
    for program in [program, other.id] {
        let device = program_device_of(program, definition.id);
        create(&store, std::slice::from_ref(&device)).await;
        all.push((device.facts, definition.clone()));
    }
    all.sort_unstable_by_key(|(device, _)| device.id);

    let id = |place: usize| all[place].0.id;
    let unknown = ProgramDeviceId::new(fresh());
    for ids in [vec![], vec![unknown], vec![id(0)], vec![id(7), id(3), unknown, id(3)]] {
        for program in [None, Some(program), Some(other.id)] {
            for definitions in [vec![], vec![definition.id], vec![fixture.definition.facts.id, definition.id]]
            {
                for types in [&[][..], &["Тип"], &["30221", "30222"], &["3022"]] {
                    let choice = DeviceChoice {
                        ids: ids.clone(),
                        program,
                        definitions: definitions.clone(),
                        classification_types: types.iter().map(|&word| word.to_owned()).collect(),
                    };
                    let included =
                        all.iter().filter(|(device, definition)| choice.includes(device, definition));
                    let expected: Chosen = included.cloned().collect();
                    assert_eq!(chosen(&store, &fixture, &choice).await, expected, "{choice:?}");
                }
            }
        }
    }
}

/// A device that is not active, not yet or no longer in its program, is found: whether that matters is for the rules to say.
pub async fn a_device_is_found_whatever_its_period(store: RegistryStore) {
    let mut fixture = stored_fixture(&store).await;
    let choice = fixture.query().program_devices;
    fixture.definition.facts.is_active = false;
    assert_eq!(put_one(&store, &fixture.definition).await, esoz_kernel::Put::Updated);
    for (is_active, start, end) in [
        (false, "2026-01-01", Some("2026-12-31")),
        (true, "0000-01-01", Some("0000-01-01")),
        (true, "9999-12-31", Some("9999-12-31")),
        (true, "0000-01-01", None),
    ] {
        fixture.device.facts.is_active = is_active;
        fixture.device.facts.start_date = day(start);
        fixture.device.facts.end_date = end.map(day);
        assert_eq!(put_one(&store, &fixture.device).await, esoz_kernel::Put::Updated);
        let expected = vec![(fixture.device.facts.clone(), fixture.definition.facts.clone())];
        assert_eq!(chosen(&store, &fixture, &choice).await, expected);
    }
}

/// Numbers come back to the digit.
pub async fn numbers_survive_to_the_digit(store: RegistryStore) {
    let mut fixture = stored_fixture(&store).await;
    let choice = fixture.query().program_devices;
    for number in [
        "1",
        "0.1",
        "0.30000000000000000000000000004",
        "9007199254740993",
        "123456789012345678901234567890.123456789012345678901234567891",
        "0.000000000000000000000000000001",
    ] {
        fixture.definition.facts.packaging_count = decimal(number);
        fixture.device.facts.max_daily_count = Some(decimal(number));
        fixture.device.facts.reimbursement = Reimbursement::Fixed(decimal(number));
        put_one(&store, &fixture.definition).await;
        put_one(&store, &fixture.device).await;
        let found = chosen(&store, &fixture, &choice).await;
        assert_eq!(found, [(fixture.device.facts.clone(), fixture.definition.facts.clone())]);
        assert_eq!(found[0].1.packaging_count.to_string(), number);
    }
}
