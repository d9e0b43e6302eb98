//! A rolling upgrade: the schema becomes newer under load, and servers of the version before are restarted on it.

use std::time::Duration;

use anyhow::{Result, ensure};
use esoz_tests::Kind;
use esoz_tests::future_schema::{ONE_AHEAD, TAKES_AWAY};

use super::{Run, millis};
use crate::report::Report;
use crate::trial::{Setup, Trial};

const ENDED_WITHIN: Duration = Duration::from_secs(10);
const CHANGES_BETWEEN: usize = 30;
const GOES_ON_WITHIN: Duration = Duration::from_secs(30);
/// What a server says that works on a schema which it does not know.
const WARNING: &str = "newer than this program, but compatible with it";

pub(super) async fn run(run: &mut Run) -> Result<Vec<Report>> {
    let mut rng = run.rng(100);
    let stores = run.stores(Kind::Servers).await?;
    let mut setup = Setup::new("rolling upgrade, 2 servers of the version before", rng.u64(..), 2);
    setup.checks_event_log = false;
    setup.pace.stays = true;
    let mut trial = Trial::begin(setup, stores).await?;
    let mut acknowledged = trial.until_more_acknowledged(0, CHANGES_BETWEEN, GOES_ON_WITHIN).await?;
    tokio::task::block_in_place(|| trial.database(ONE_AHEAD))?;
    for number in 0..2 {
        acknowledged = trial.until_more_acknowledged(acknowledged, CHANGES_BETWEEN, GOES_ON_WITHIN).await?;
        tokio::time::sleep(millis(&mut rng, 0, 500)).await;
        trial.replicas.terminate(number)?;
        let (status, _) = trial.replicas.wait(number, ENDED_WITHIN).await?;
        ensure!(status.success(), "a server that was asked to stop ended with {status}");
        trial.replicas.launch(number).await?;
        trial.replicas.logged(number, WARNING, GOES_ON_WITHIN).await?;
    }
    trial.until_more_acknowledged(acknowledged, CHANGES_BETWEEN, GOES_ON_WITHIN).await?;
    trial.pause().await;

    // And one that may not go on is told so at its start.
    tokio::task::block_in_place(|| trial.database(TAKES_AWAY))?;
    trial.replicas.terminate(0)?;
    trial.replicas.wait(0, ENDED_WITHIN).await?;
    ensure!(trial.replicas.launch(0).await.is_err(), "a server works on a schema that is not made for it");
    trial.replicas.logged(0, "not made for it: update the program", GOES_ON_WITHIN).await?;
    for number in 0..2 {
        let warned = trial.replicas.log(number)?.matches(WARNING).count();
        ensure!(warned == 1, "server {number} warned {warned} times of the newer schema");
    }
    trial
        .notes
        .push(String::from("both restarted on the newer schema, and one refused on one not made for it"));
    let mut report = trial.end().await?;
    report.must_answer_all();
    Ok(vec![report])
}
