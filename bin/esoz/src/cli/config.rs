use std::process::ExitCode;

use anyhow::{Context as _, Result};

use super::args::OutputArgs;
use super::print;
use crate::config::Config;

/// Prints the configuration in force. That it was loaded means that it can be used.
pub(crate) fn check(config: &Config, output: OutputArgs) -> Result<ExitCode> {
    if let Some(files) = config.tls_files()? {
        files.check().context("section `tls`")?;
    }
    let effective = config.effective()?;
    if output.json {
        print(&serde_json::to_string(&effective)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    for one in effective {
        print(&format!("{} = {}    # {}", one.key, one.value, one.source))?;
    }
    Ok(ExitCode::SUCCESS)
}
