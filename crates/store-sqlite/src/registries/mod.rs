//! The administrative registries: `people` and `programs` map and import rows, `query` finds facts.

mod people;
mod programs;
mod query;

use async_trait::async_trait;
use esoz_kernel::{StoreError, UserId};
use esoz_registries::{
    DeviceChoice, DeviceDefinition, Party, ProgramDevice, Registries, RegistryFacts, RegistryQuery,
};

use crate::SqliteStore;

#[async_trait]
impl Registries for SqliteStore {
    async fn facts(&self, query: &RegistryQuery) -> Result<RegistryFacts, StoreError> {
        let query = query.clone();
        let find = move |connection: &mut _| query::facts(connection, &query);
        self.read("finding the facts of a dispense", find).await
    }

    async fn program_devices(
        &self,
        choice: &DeviceChoice,
    ) -> Result<Vec<(ProgramDevice, DeviceDefinition)>, StoreError> {
        let choice = choice.clone();
        let find = move |connection: &mut _| query::program_devices(connection, &choice);
        self.read("finding program devices", find).await
    }

    async fn party(&self, user: UserId) -> Result<Option<Party>, StoreError> {
        self.read(format!("finding the party of user {user}"), move |connection| {
            query::party(connection, user)
        })
        .await
    }
}
