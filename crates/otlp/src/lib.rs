#![doc = include_str!("../README.md")]

mod collector;
mod export;
mod queue;
mod sampler;
mod sender;
mod settings;

pub use export::Export;
pub use settings::{OtlpSettings, SettingsError};
