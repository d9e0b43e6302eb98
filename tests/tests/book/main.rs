//! The book under `docs/`: its links lead somewhere, what it quotes exists, and what it tells to run is run.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod asyncapi;
mod back_up;
mod commits;
mod embed;
mod generated;
mod guides;
mod page;
mod prepare_servers;
mod quotes;
mod records;
mod security;
mod shell;
mod tutorial;
mod walkthrough;
