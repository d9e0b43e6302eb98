use anyhow::{Context as _, Result};

use super::args::OutputArgs;
use super::print;
use crate::config::Config;

/// Prints the effective configuration, which was validated when it was loaded. Validates the files of the TLS certificate as well.
pub(crate) fn check(config: &Config, output: OutputArgs) -> Result<()> {
    if let Some(files) = config.tls_files()? {
        files.check().context("section `tls`")?;
    }
    let effective = config.effective()?;
    if output.json {
        return print(&serde_json::to_string(&effective)?);
    }
    effective.iter().try_for_each(|one| print(&format!("{} = {}    # {}", one.key, one.value, one.source)))
}
