use anyhow::Result;

use super::args::OutputArgs;
use super::print;
use crate::compose;
use crate::config::Config;

/// Prints the effective configuration, which was validated when it was loaded. Validates what only the adapters know as well.
pub(crate) async fn check(config: &Config, output: OutputArgs) -> Result<()> {
    compose::check(config, false).await?;
    let effective = config.effective()?;
    if output.json {
        print(&serde_json::to_string(&effective)?)?;
    } else {
        effective
            .iter()
            .try_for_each(|one| print(&format!("{} = {}    # {}", one.key, one.value, one.source)))?;
    }
    if let Err(missing) = compose::check(config, true).await {
        let missing = format!("{missing:#}");
        tracing::info!(missing, "the configuration serves `esoz migrate` alone: more is needed to serve");
    }
    Ok(())
}
