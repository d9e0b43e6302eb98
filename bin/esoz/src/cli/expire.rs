use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use esoz_kernel::system::{RandomIds, SystemClock};
use esoz_kernel::{Clock, IdGenerator};

use super::args::ExpireArgs;
use super::print;
use crate::compose::jobs::expiry;
use crate::compose::stores::Stores;
use crate::config::Config;
use crate::jobs::{count_overdue, expire_all, log_skipped};

/// Expires overdue device dispenses in one pass, or counts them. Prints how many.
pub(crate) async fn run(config: &Config, args: ExpireArgs) -> Result<()> {
    let stores = Stores::open(config).await?;
    let (clock, ids): (Arc<dyn Clock>, Arc<dyn IdGenerator>) = (Arc::new(SystemClock), Arc::new(RandomIds));
    let Some(expire) = expiry(config, &stores.dispenses, &clock, &ids)? else {
        bail!("`device_dispense.lifetime_s` is 0: device dispenses do not expire");
    };
    if args.dry_run {
        let overdue = count_overdue(&expire).await.context("counting overdue dispenses")?;
        return print(&format!("{overdue} overdue dispenses would expire"));
    }
    let pass = expire_all(&expire).await;
    print(&format!("{} overdue dispenses expired", pass.expired))?;
    for (id, error) in &pass.skipped {
        log_skipped(*id, error);
    }
    if let Some(failure) = pass.failure {
        return Err(failure).context("expiring overdue dispenses");
    }
    if pass.skipped.is_empty() {
        return Ok(());
    }
    bail!("{} overdue dispenses were not expired; correct their documents", pass.skipped.len())
}
