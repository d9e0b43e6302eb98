//! A replica set of three loses its primary: killed, and stepped down, again and again.

use std::time::Duration;

use anyhow::Result;
use esoz_test_servers::MongoSet;

use super::{Run, millis};
use crate::report::Report;
use crate::trial::{Setup, Trial};

const MEMBERS: usize = 3;
/// Changes that must be acknowledged after each loss.
const CHANGES_BETWEEN: usize = 30;
const RECOVERED_WITHIN: Duration = Duration::from_mins(1);

pub(super) async fn run(run: &mut Run) -> Result<Vec<Report>> {
    let mut rng = run.rng(2);
    let mut set = tokio::task::spawn_blocking(|| MongoSet::start(MEMBERS)).await??;
    let stores = run.servers().await?.stores_with(&set.uri()).await?;
    let mut setup = Setup::new("MongoDB's primary killed and stepped down, 2 servers", rng.u64(..), 2);
    setup.size.overdue = run.of(100, 600);
    let mut trial = Trial::begin(setup, stores).await?;
    let losses = run.of(2, 12);
    let mut acknowledged = 0;
    for loss in 0..losses {
        acknowledged = trial.until_more_acknowledged(acknowledged, CHANGES_BETWEEN, RECOVERED_WITHIN).await?;
        tokio::time::sleep(millis(&mut rng, 0, 1_000)).await;
        set = lose_primary(set, loss).await?;
    }
    trial.until_more_acknowledged(acknowledged, CHANGES_BETWEEN, RECOVERED_WITHIN).await?;
    trial.notes.push(lost_primaries(losses));
    let report = trial.end().await?;
    tokio::task::spawn_blocking(move || drop(set)).await?;
    Ok(vec![report])
}

/// Kills the primary or makes it step down, in turn, and waits until there is another one.
pub(super) async fn lose_primary(mut set: MongoSet, loss: usize) -> Result<MongoSet> {
    let task = tokio::task::spawn_blocking(move || {
        let primary = set.primary()?;
        if loss.is_multiple_of(2) {
            set.kill(primary)?;
            set.primary()?;
            set.restart(primary)?;
        } else {
            set.step_down(primary)?;
        }
        anyhow::Ok(set)
    });
    task.await?
}

/// Tells how often [`lose_primary`] did which.
pub(super) fn lost_primaries(losses: usize) -> String {
    let (killed, stepped_down) = (losses - losses / 2, losses / 2);
    format!("primary killed {killed} times, stepped down {stepped_down} times")
}
