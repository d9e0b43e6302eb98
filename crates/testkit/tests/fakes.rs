//! The fakes keep the contracts of their ports.

// ANCHOR: suites
use esoz_testkit::contract::{
    ContractStore, CredentialStore, DispenseStore, DispenseWriteStore, EventLogUnderTest,
    MediaStorageUnderTest, OutboxUnderTest, PublisherUnderTest, RegistryStore,
};
use esoz_testkit::fakes::{
    FakeContracts, FakeCredentials, FakeDispenses, FakeEventLog, FakeMediaStorage, FakeRegistries,
    RecordingPublisher,
};

async fn dispense_store() -> DispenseStore {
    FakeDispenses::under_test()
}

async fn dispense_writes() -> DispenseWriteStore {
    FakeDispenses::writes_under_test()
}

async fn fresh_outbox() -> OutboxUnderTest {
    FakeDispenses::outbox_under_test()
}

async fn contract_store() -> ContractStore {
    FakeContracts::under_test()
}

async fn credential_store() -> CredentialStore {
    FakeCredentials::under_test()
}

async fn registry_store() -> RegistryStore {
    FakeRegistries::under_test()
}

async fn fresh_event_log() -> EventLogUnderTest {
    FakeEventLog::under_test()
}

async fn fresh_media_storage() -> MediaStorageUnderTest {
    FakeMediaStorage::under_test()
}

async fn fresh_publisher() -> PublisherUnderTest {
    RecordingPublisher::under_test()
}

esoz_testkit::dispense_store_contract!(dispense_store);
esoz_testkit::dispense_writes_contract!(dispense_writes);
esoz_testkit::outbox_contract!(fresh_outbox);
esoz_testkit::contract_store_contract!(contract_store);
esoz_testkit::credential_store_contract!(credential_store);
esoz_testkit::registry_store_contract!(registry_store);
esoz_testkit::event_log_contract!(fresh_event_log);
esoz_testkit::media_storage_contract!(fresh_media_storage);
esoz_testkit::publisher_contract!(fresh_publisher);
// ANCHOR_END: suites

mod separate {
    use super::*;

    async fn separate_registries() -> RegistryStore {
        FakeRegistries::separate_under_test()
    }

    esoz_testkit::registry_store_contract!(separate_registries);
}

#[test]
fn every_sequence_of_operations_is_answered_as_by_the_model() {
    esoz_testkit::contract::sequences::every_sequence(256, file!(), dispense_store);
}
