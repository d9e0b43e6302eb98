#![doc = include_str!("../README.md")]

mod answer;
mod error;
mod kind;
mod lookups;
mod remote;

pub use kind::RegistryKind;
pub use remote::RemoteRegistries;
