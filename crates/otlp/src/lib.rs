#![doc = include_str!("../README.md")]

mod collector;
mod export;
mod queue;
mod sampler;
mod sender;
mod settings;

pub use esoz_https::SettingsError;
pub use export::Export;
pub use settings::OtlpSettings;
