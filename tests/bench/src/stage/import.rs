//! Files for `esoz import`, the import of one, and what it is held against.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use esoz_kernel::Uuid;

use super::bulk::{self, Rows};
use super::server::{Taken, succeed_watched};
use super::{Stage, Store, database};
use crate::ids::{Numbered, contract_of, contracts_for, division_of, id};

/// In which order the lines of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Kind by kind.
    Sorted,
    /// Each record behind what it refers to.
    Interleaved,
}

impl Stage {
    /// Writes a file with about so many lines.
    pub fn write_lines(&self, rows: Rows, order: Order, lines: u64) -> Result<PathBuf> {
        let path = self.folder().join("import.ndjson");
        let mut file = BufWriter::new(File::create(&path).context("making a file to import")?);
        let people = &self.people;
        let [_, division, contract, record, dispense] = people.lines();
        let mut write = |line: &str, replaced: &[(Uuid, Uuid)]| {
            let with =
                |line: String, (old, new): &(Uuid, Uuid)| line.replace(&old.to_string(), &new.to_string());
            writeln!(file, "{}", replaced.iter().fold(line.to_owned(), with))
        };
        if rows == Rows::Dispenses {
            (0..lines).try_for_each(|number| {
                write(&dispense, &[(people.dispense, id(Numbered::Dispense, number))])
            })?;
            return file.flush().map(|()| path).context("writing a file to import");
        }
        let records = lines.div_ceil(2);
        let contracts = |number: u64| [(people.contract, id(Numbered::Contract, number))];
        let divisions = |number: u64| [(people.division, division_of(number, false))];
        let of_record = |number: u64| {
            let [division] = divisions(number);
            [(people.record, id(Numbered::Record, number)), (people.contract, contract_of(number)), division]
        };
        match order {
            Order::Sorted => {
                (0..contracts_for(records)).try_for_each(|number| write(&contract, &contracts(number)))?;
                (0..records).try_for_each(|number| write(&division, &divisions(number)))?;
                (0..records).try_for_each(|number| write(&record, &of_record(number)))?;
            }
            Order::Interleaved => {
                for number in 0..records {
                    if contracts_for(number) < contracts_for(number + 1) {
                        write(&contract, &contracts(contracts_for(number)))?;
                    }
                    write(&division, &divisions(number))?;
                    write(&record, &of_record(number))?;
                }
            }
        }
        file.flush().map(|()| path).context("writing a file to import")
    }

    /// Imports a file as an operator does.
    pub fn import(&self, file: &std::path::Path) -> Result<Taken> {
        let file = file.to_str().context("a path that is no text")?;
        succeed_watched(&self.program, &self.variables, &["import", file])
    }

    /// Brings the rows of another stage into this one by the database's own way for many; tells how long that took.
    pub fn take_in_bulk(&self, store: Store, from: &Self, rows: Rows) -> Result<Duration> {
        match store {
            Store::Sqlite => bulk::sqlite(&from.file(), &self.file(), rows),
            Store::Postgres => self.runtime.block_on(bulk::postgres(&from.postgres, &self.postgres, rows)),
            Store::Mongodb => {
                let servers = self.servers.as_ref().context("this stage has no MongoDB")?;
                let (from, into) = (database(&from.folder), database(&self.folder));
                self.runtime.block_on(bulk::mongodb(servers.mongodb(), &from, &into))
            }
        }
        .with_context(|| format!("bringing rows into {}", store.name()))
    }
}
