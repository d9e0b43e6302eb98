//! The configuration: its sources, what is refused, and its secrets.

mod features;
#[cfg(feature = "servers")]
mod kafka;
mod secrets;
mod sources;
mod validation;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;

use anyhow::Result;
use esoz_https::Proxies;

use super::*;

fn load(file: Option<&str>, variables: &[(&str, &str)]) -> Result<Config> {
    let environment = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let Some(text) = file else { return Config::from_sources(None, environment) };
    let mut file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    Config::from_sources(Some(file.path()), environment)
}

fn refusal(file: Option<&str>, variables: &[(&str, &str)]) -> String {
    format!("{:#}", load(file, variables).unwrap_err())
}
