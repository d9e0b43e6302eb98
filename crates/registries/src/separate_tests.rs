//! The lookups of one request: all at once, none that is not needed, and none that failed is passed over.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use esoz_kernel::{
    Decimal, DivisionId, EmployeeId, LegalEntityId, ProgramDeviceId, Pseudonym, StoreErrorKind, Uuid,
};

use super::*;
use crate::{Employee, Location, Person};

/// Every registry: empty, but for the definitions that are asked for.
#[derive(Default)]
struct Lookups {
    /// The ports that were asked.
    asked: Mutex<Vec<&'static str>>,
    /// The port that fails.
    failing: Option<&'static str>,
    /// Whether every answer comes only after all of so many were asked.
    wait_for: usize,
}

impl Lookups {
    async fn answer<T>(&self, port: &'static str, found: T) -> Result<T, StoreError> {
        self.asked.lock().unwrap().push(port);
        poll_fn(|_| {
            if self.asked.lock().unwrap().len() < self.wait_for { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
        if self.failing == Some(port) {
            return Err(StoreError::new(StoreErrorKind::Unavailable, "testing"));
        }
        Ok(found)
    }
}

/// Implements the ports that find one thing: nothing is there.
macro_rules! absent {
    ($($port:ident: $method:ident($type:ty) -> $found:ty;)+) => {$(
        #[async_trait]
        impl $port for Lookups {
            async fn $method(&self, _: $type) -> Result<Option<$found>, StoreError> {
                self.answer(stringify!($port), None).await
            }
        }
    )+};
}

absent! {
    Persons: find(&Pseudonym) -> Person;
    Parties: of_user(UserId) -> Party;
    Employees: find(EmployeeId) -> Employee;
    Locations: find(DivisionId) -> Location;
    LegalEntityNames: find(LegalEntityId) -> String;
    MedicalPrograms: find(MedicalProgramId) -> MedicalProgram;
}

#[async_trait]
impl DeviceDefinitions for Lookups {
    async fn find_all(&self, ids: &[DeviceDefinitionId]) -> Result<Vec<DeviceDefinition>, StoreError> {
        let found = ids.iter().rev().map(|id| DeviceDefinition {
            id: *id,
            is_active: true,
            classification_type: String::new(),
            packaging_unit: String::new(),
            packaging_count: Decimal::from(1),
        });
        self.answer("DeviceDefinitions", found.collect()).await
    }
}

#[async_trait]
impl ProgramDevices for Lookups {
    async fn find_all(&self, _: &DeviceChoice) -> Result<Vec<(ProgramDevice, DeviceDefinition)>, StoreError> {
        self.answer("ProgramDevices", Vec::new()).await
    }
}

const ALL: [&str; 8] = [
    "Persons",
    "Parties",
    "LegalEntityNames",
    "Employees",
    "Locations",
    "MedicalPrograms",
    "DeviceDefinitions",
    "ProgramDevices",
];

fn query() -> RegistryQuery {
    RegistryQuery {
        subject: Pseudonym::new("A"),
        user: UserId::new(Uuid::nil()),
        legal_entity: LegalEntityId::new(Uuid::nil()),
        performer: EmployeeId::new(Uuid::nil()),
        location: DivisionId::new(Uuid::nil()),
        program: Some(MedicalProgramId::new(Uuid::nil())),
        definitions: vec![definition(2), definition(1), definition(2)],
        program_devices: DeviceChoice {
            ids: vec![ProgramDeviceId::new(Uuid::nil())],
            ..DeviceChoice::default()
        },
    }
}

fn definition(number: u128) -> DeviceDefinitionId {
    DeviceDefinitionId::new(Uuid::from_u128(number))
}

/// Polls until it is ready. Nothing here waits for anything but other lookups of the same poll.
fn facts(lookups: &Arc<Lookups>, query: &RegistryQuery) -> Result<RegistryFacts, StoreError> {
    let registries = SeparateRegistries::of(lookups);
    let polls = Cell::new(0);
    let mut facts = pin!(registries.facts(query));
    loop {
        polls.set(polls.get() + 1);
        assert!(polls.get() <= 2, "the lookups wait for each other");
        if let Poll::Ready(facts) = facts.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return facts;
        }
    }
}

#[test]
fn given_a_query_then_all_of_it_is_looked_up_in_one_step() {
    let lookups = Arc::new(Lookups { wait_for: ALL.len(), ..Lookups::default() });
    let found = facts(&lookups, &query()).unwrap();
    assert_eq!(*lookups.asked.lock().unwrap(), ALL);
    let definitions: Vec<_> = found.definitions.iter().map(|definition| definition.id).collect();
    assert_eq!(definitions, [definition(1), definition(2)], "each once, in order");
    assert_eq!(RegistryFacts { definitions: Vec::new(), ..found }, RegistryFacts::default());
}

#[test]
fn given_a_query_that_does_not_name_something_then_that_is_not_asked_for() {
    let lookups = Arc::<Lookups>::default();
    let query = RegistryQuery {
        program: None,
        definitions: Vec::new(),
        program_devices: DeviceChoice { definitions: vec![definition(1)], ..DeviceChoice::default() },
        ..query()
    };
    assert_eq!(facts(&lookups, &query).unwrap(), RegistryFacts::default());
    assert_eq!(*lookups.asked.lock().unwrap(), ALL[..5]);
}

#[test]
fn given_one_lookup_that_fails_then_the_whole_fails() {
    for failing in ALL {
        let lookups = Arc::new(Lookups { failing: Some(failing), ..Lookups::default() });
        assert!(facts(&lookups, &query()).is_err(), "{failing}");
    }
}
