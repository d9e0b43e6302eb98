//! Registries behind a cache: asked once for what is there, each time for what is not.

use std::sync::Mutex;

use esoz_kernel::{
    CivilDate, Decimal, DeviceDefinitionId, MedicalProgramId, ProgramDeviceId, Pseudonym, Uuid,
};
use esoz_registries::{
    DeviceChoice, DeviceDefinition, DeviceDefinitions, Person, PersonStatus, Persons, ProgramDevice,
    ProgramDevices, Reimbursement, VerificationStatus,
};
use pollster::block_on;

use super::memory_tests::Hand;
use super::registries::weight;
use super::*;

const LIMITS: CacheLimits = CacheLimits { ttl: Duration::from_secs(5), max_entries: 100 };

const PERSON: Person = Person { status: PersonStatus::Active, verification: VerificationStatus::NotVerified };

/// A registry that has those definitions, each in a program, and one person; keeps what it was asked.
#[derive(Default)]
struct Registry {
    definitions: Vec<u128>,
    person: Option<Person>,
    asked: Mutex<Vec<Vec<u128>>>,
}

fn definition_id(number: u128) -> DeviceDefinitionId {
    DeviceDefinitionId::new(Uuid::from_u128(number))
}

fn definition(number: u128) -> DeviceDefinition {
    DeviceDefinition {
        id: definition_id(number),
        is_active: true,
        classification_type: "30221".to_owned(),
        packaging_unit: "piece".to_owned(),
        packaging_count: Decimal::from(50),
    }
}

fn device(number: u128) -> (ProgramDevice, DeviceDefinition) {
    let device = ProgramDevice {
        id: ProgramDeviceId::new(Uuid::from_u128(number)),
        program: MedicalProgramId::new(Uuid::nil()),
        device_definition: definition_id(number),
        is_active: true,
        start_date: CivilDate::constant(2026, 1, 1),
        end_date: None,
        reimbursement: Reimbursement::Fixed(Decimal::from(1)),
        max_daily_count: None,
    };
    (device, definition(number))
}

fn choice(types: &[&str]) -> DeviceChoice {
    let classification_types = types.iter().map(|&word| word.to_owned()).collect();
    DeviceChoice {
        program: Some(MedicalProgramId::new(Uuid::nil())),
        classification_types,
        ..Default::default()
    }
}

#[async_trait]
impl Persons for Registry {
    async fn find(&self, _: &Pseudonym) -> Result<Option<Person>, StoreError> {
        self.asked.lock().unwrap().push(Vec::new());
        Ok(self.person)
    }
}

#[async_trait]
impl DeviceDefinitions for Registry {
    async fn find_all(&self, ids: &[DeviceDefinitionId]) -> Result<Vec<DeviceDefinition>, StoreError> {
        let asked: Vec<u128> = ids.iter().map(|id| id.uuid().as_u128()).collect();
        let found = asked.iter().copied().filter(|number| self.definitions.contains(number));
        let found = found.map(definition).collect();
        self.asked.lock().unwrap().push(asked);
        Ok(found)
    }
}

#[async_trait]
impl ProgramDevices for Registry {
    async fn find_all(
        &self,
        choice: &DeviceChoice,
    ) -> Result<Vec<(ProgramDevice, DeviceDefinition)>, StoreError> {
        self.asked.lock().unwrap().push(Vec::new());
        let all = self.definitions.iter().copied().map(device);
        Ok(all.filter(|(device, definition)| choice.includes(device, definition)).collect())
    }
}

fn asked(registry: &Registry) -> usize {
    registry.asked.lock().unwrap().len()
}

#[test]
fn given_a_patient_then_the_registry_is_asked_again_after_the_ttl() {
    let registry = Arc::new(Registry { person: Some(PERSON), ..Registry::default() });
    let hand = Hand::new();
    let cached = CachedPersons::with_clock(registry.clone(), LIMITS, hand.clock());
    let find = |pseudonym: &str| block_on(cached.find(&Pseudonym::new(pseudonym))).unwrap();
    assert_eq!((find("A"), find("A"), asked(&registry)), (Some(PERSON), Some(PERSON), 1));
    assert_eq!((find("B"), asked(&registry)), (Some(PERSON), 2), "another patient");
    hand.advance(LIMITS.ttl);
    assert_eq!((find("A"), asked(&registry)), (Some(PERSON), 3));
}

#[test]
fn given_a_patient_who_is_not_there_then_the_registry_is_asked_each_time() {
    let registry = Arc::<Registry>::default();
    let cached = CachedPersons::new(registry.clone(), LIMITS);
    for times in 1..4 {
        assert_eq!(block_on(cached.find(&Pseudonym::new("A"))).unwrap(), None);
        assert_eq!(asked(&registry), times);
    }
}

#[test]
fn given_definitions_of_which_some_are_known_then_the_others_alone_are_asked_for() {
    let registry = Arc::new(Registry { definitions: vec![1, 2, 3], ..Registry::default() });
    let hand = Hand::new();
    let cached = CachedDeviceDefinitions::with_clock(registry.clone(), LIMITS, hand.clock());
    let find = |numbers: &[u128]| {
        let ids: Vec<_> = numbers.iter().copied().map(definition_id).collect();
        let mut found = block_on(cached.find_all(&ids)).unwrap();
        found.sort_unstable_by_key(|definition| definition.id);
        found
    };
    assert_eq!(find(&[1, 9]), [definition(1)]);
    assert_eq!(find(&[3, 1, 9]), [definition(1), definition(3)]);
    assert_eq!(find(&[1, 3]), [definition(1), definition(3)]);
    hand.advance(LIMITS.ttl);
    assert_eq!(find(&[1]), [definition(1)]);
    assert_eq!(*registry.asked.lock().unwrap(), [vec![1, 9], vec![3, 9], vec![1]]);
    assert_eq!(cached.stats(), CacheStats { hits: 3, misses: 5 });
}

#[test]
fn given_a_choice_then_it_is_looked_up_once_unless_nothing_is_found() {
    let registry = Arc::new(Registry { definitions: vec![1, 2], ..Registry::default() });
    let cached = CachedProgramDevices::of_choices(registry.clone(), LIMITS);
    for _ in 0..2 {
        assert_eq!(block_on(cached.find_all(&choice(&["30221"]))).unwrap(), [device(1), device(2)]);
    }
    assert_eq!(asked(&registry), 1);
    for times in 2..4 {
        assert_eq!(block_on(cached.find_all(&choice(&["30222"]))).unwrap(), []);
        assert_eq!(asked(&registry), times);
    }
}

#[test]
fn a_choice_weighs_what_it_names_and_what_it_finds() {
    let found = Arc::new(vec![device(1), device(2)]);
    assert_eq!(weight(&choice(&["30221"]), &found), 3);
    assert_eq!(weight(&choice(&["30221", &"x".repeat(640)]), &found), 14);
    let ids = vec![ProgramDeviceId::new(Uuid::nil()); 5];
    let definitions = vec![definition_id(1); 4];
    assert_eq!(weight(&DeviceChoice { ids, definitions, ..choice(&[]) }, &found), 11);
}

#[test]
fn choices_that_weigh_too_much_are_not_kept() {
    let registry = Arc::new(Registry { definitions: vec![1], ..Registry::default() });
    let cached = CachedProgramDevices::of_choices(registry.clone(), LIMITS);
    let large = choice(&["30221", &"x".repeat(64 * 100)]);
    for times in 1..3 {
        assert_eq!(block_on(cached.find_all(&large)).unwrap(), [device(1)]);
        assert_eq!((asked(&registry), cached.entries()), (times, 0));
    }
}
