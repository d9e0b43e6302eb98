//! Makes many of what there is one of, past the ports of the server: thousands a second more than it could be asked for.

use anyhow::{Context as _, Result};
use esoz_kernel::Uuid;

use super::{Stage, Store, load_documents, load_rows};
use crate::ids::owner_of;

impl Stage {
    /// Makes dispenses in progress with the numbers from `base` on.
    pub fn load_dispenses(&self, store: Store, base: u64, count: u64) -> Result<()> {
        let owner = self.people.legal_entity;
        self.load_dispenses_of(store, base, count, |_| owner)
    }

    /// The same, belonging to other legal entities.
    pub fn load_dispenses_of_others(&self, store: Store, base: u64, count: u64) -> Result<()> {
        self.load_dispenses_of(store, base, count, owner_of)
    }

    fn load_dispenses_of(
        &self,
        store: Store,
        base: u64,
        count: u64,
        owner: impl Fn(u64) -> Uuid,
    ) -> Result<()> {
        let loading = || format!("loading {count} dispenses into {}", store.name());
        match store {
            Store::Sqlite => {
                load_rows::dispenses_into_sqlite(&self.file(), &self.people, base..base + count, owner)
            }
            Store::Mongodb | Store::Postgres => {
                let servers = self.servers.as_ref().context("this stage has no MongoDB")?;
                let name = super::database(&self.folder);
                let load = load_documents::dispenses(
                    servers.mongodb(),
                    &name,
                    &self.people,
                    base..base + count,
                    owner,
                );
                self.runtime.block_on(load)
            }
        }
        .with_context(loading)
    }

    /// Makes device requests with the numbers from `base` on, each with a quantity: what the dispenses with these numbers are based on.
    pub fn load_requests(&self, store: Store, base: u64, count: u64) -> Result<()> {
        let (numbers, original) = (base..base + count, self.people.request);
        match store {
            Store::Sqlite => load_rows::requests_into_sqlite(&self.file(), original, numbers),
            Store::Mongodb | Store::Postgres => {
                let servers = self.servers.as_ref().context("this stage has no MongoDB")?;
                let name = super::database(&self.folder);
                self.runtime.block_on(load_documents::requests(servers.mongodb(), &name, original, numbers))
            }
        }
        .with_context(|| format!("loading {count} device requests into {}", store.name()))
    }

    /// Makes that many contract divisions, with contracts and divisions for all. To be called once.
    pub fn load_records(&self, store: Store, count: u64) -> Result<()> {
        let loading = || format!("loading {count} contract divisions into {}", store.name());
        match store {
            Store::Sqlite => load_rows::records_into_sqlite(&self.file(), &self.people, count),
            Store::Mongodb | Store::Postgres => {
                self.runtime.block_on(load_rows::records_into_postgres(&self.postgres, &self.people, count))
            }
        }
        .with_context(loading)
    }
}
