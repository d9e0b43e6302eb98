//! The administrative registries: `people` and `programs` map and import rows, `scan` reads their pages, `facts` finds facts.

mod facts;
mod people;
mod programs;
mod scan;

use async_trait::async_trait;
use esoz_kernel::{StoreError, UserId};
use esoz_registries::{
    DeviceChoice, DeviceDefinition, Party, ProgramDevice, Registries, RegistryFacts, RegistryQuery,
};

use self::facts::{FindFacts, FindProgramDevices};
use self::people::FindParty;
use crate::PostgresStore;
use crate::error::During as _;
use crate::statement::at_most_one;

#[async_trait]
impl Registries for PostgresStore {
    async fn facts(&self, query: &RegistryQuery) -> Result<RegistryFacts, StoreError> {
        let rows = self.records.query(FindFacts::of(query)).await;
        let row = at_most_one(rows.during("finding the facts of a dispense")?);
        row.map_or_else(|| Ok(RegistryFacts::default()), |row| facts::facts(query, row))
    }

    async fn program_devices(
        &self,
        choice: &DeviceChoice,
    ) -> Result<Vec<(ProgramDevice, DeviceDefinition)>, StoreError> {
        let rows = self.records.query(FindProgramDevices::of(choice)).await;
        let rows = rows.during("finding program devices")?;
        rows.into_iter().map(programs::device_with_definition).collect()
    }

    async fn party(&self, user: UserId) -> Result<Option<Party>, StoreError> {
        let rows = self.records.query(FindParty { user_id: user.uuid() }).await;
        let rows = rows.during(format_args!("finding the party of user {user}"))?;
        at_most_one(rows).map(people::party).transpose()
    }
}
