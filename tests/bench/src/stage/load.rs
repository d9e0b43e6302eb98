//! Makes many of what there is one of, past the ports of the server: thousands a second more than it could be asked for.

use anyhow::{Context as _, Result};

use super::{Stage, Store, load_documents, load_rows};

impl Stage {
    /// Makes dispenses in progress with the numbers from `base` on.
    pub fn load_dispenses(&self, store: Store, base: u64, count: u64) -> Result<()> {
        let loading = || format!("loading {count} dispenses into {}", store.name());
        match store {
            Store::Sqlite => load_rows::dispenses_into_sqlite(&self.file(), &self.people, base..base + count),
            Store::Mongodb | Store::Postgres => {
                let servers = self.servers.as_ref().context("this stage has no MongoDB")?;
                let name = super::database(&self.folder);
                let load =
                    load_documents::dispenses(servers.mongodb(), &name, &self.people, base..base + count);
                self.runtime.block_on(load)
            }
        }
        .with_context(loading)
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
