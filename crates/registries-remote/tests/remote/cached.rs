//! A registry behind its cache: asked once for what is there, each time for what is not.

use std::slice;
use std::sync::Arc;
use std::time::Duration;

use esoz_cache::{
    CacheLimits, CachedDeviceDefinitions, CachedEmployees, CachedPersons, CachedProgramDevices,
};
use esoz_registries::{DeviceDefinitions as _, Employees as _, Persons as _, ProgramDevices as _};
use esoz_testkit::builders::{employee_of, fresh};
use esoz_testkit::registries::RegistryFixture;

use crate::support::{Reply, TestRegistry, TestServer, remote};

const LIMITS: CacheLimits = CacheLimits { ttl: Duration::from_hours(1), max_entries: 100 };

#[tokio::test]
async fn given_a_cache_then_the_registry_is_asked_once_and_an_outage_is_not_noticed() {
    let fixture = RegistryFixture::build();
    let server = TestServer::start(TestRegistry::with(&fixture).await.reply()).await;
    let remote = Arc::new(remote(&server));
    let query = fixture.query();
    let persons = CachedPersons::new(remote.clone(), LIMITS);
    let definitions = CachedDeviceDefinitions::new(remote.clone(), LIMITS);
    let devices = CachedProgramDevices::of_choices(remote, LIMITS);
    for _ in 0..2 {
        assert_eq!(persons.find(&query.subject).await.unwrap(), Some(fixture.person.facts));
        assert_eq!(
            definitions.find_all(&query.definitions).await.unwrap(),
            slice::from_ref(&fixture.definition.facts)
        );
        assert_eq!(devices.find_all(&query.program_devices).await.unwrap().len(), 1);
        assert_eq!(server.requests(), 3);
        server.set(Reply::Raw(Vec::new()));
    }
    let another = RegistryFixture::build().person.subject;
    assert!(persons.find(&another).await.is_err());
}

#[tokio::test]
async fn given_what_is_not_there_or_a_failure_then_the_registry_is_asked_again() {
    let fixture = RegistryFixture::build();
    let registry = TestRegistry::new();
    let server = TestServer::start(registry.reply()).await;
    let persons = CachedPersons::new(Arc::new(remote(&server)), LIMITS);
    let subject = &fixture.person.subject;
    assert_eq!(persons.find(subject).await.unwrap(), None);
    server.set(Reply::Raw(Vec::new()));
    assert!(persons.find(subject).await.is_err());
    fixture.store(&*registry.records, &*registry.contracts, &*registry.contracts).await;
    server.set(registry.reply());
    assert_eq!(persons.find(subject).await.unwrap(), Some(fixture.person.facts));
    assert_eq!(server.requests(), 3);
}

#[tokio::test]
async fn given_more_than_fits_then_the_cache_stays_within_its_bound() {
    let fixture = RegistryFixture::build();
    let registry = TestRegistry::with(&fixture).await;
    let more: Vec<_> =
        (0..30).map(|_| employee_of(fixture.party.facts.id, fixture.legal_entity.facts.id)).collect();
    esoz_registries::Registry::put(&*registry.records, &more).await.unwrap();
    let server = TestServer::start(registry.reply()).await;
    let limits = CacheLimits { max_entries: 10, ..LIMITS };
    let employees = CachedEmployees::new(Arc::new(remote(&server)), limits);
    for employee in &more {
        assert_eq!(employees.find(employee.facts.id).await.unwrap().as_ref(), Some(&employee.facts));
    }
    assert!(employees.entries() <= 10, "{}", employees.entries());
    assert_eq!(employees.find(esoz_kernel::EmployeeId::new(fresh())).await.unwrap(), None);
}
