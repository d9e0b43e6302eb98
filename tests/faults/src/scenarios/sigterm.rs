//! Servers are asked to stop while clients work on them: nobody may notice, however long clients stay on their connections.

use std::time::Duration;

use anyhow::{Result, ensure};
use esoz_tests::Kind;

use super::{Run, millis};
use crate::report::Report;
use crate::trial::{Setup, Trial};

/// How long a server may take to end.
const ENDED_WITHIN: Duration = Duration::from_secs(10);

pub(super) async fn run(run: &mut Run) -> Result<Vec<Report>> {
    let mut reports = Vec::new();
    for (part, replicas) in [(90, 2), (91, 1)] {
        let mut rng = run.rng(part);
        let stores = run.stores(Kind::Servers).await?;
        let mut setup = Setup::new(&format!("SIGTERM under load, {replicas} servers"), rng.u64(..), replicas);
        setup.checks_event_log = false;
        setup.pace.stays = true;
        setup.pace.rest_max = Duration::from_millis(10);
        let mut trial = Trial::begin(setup, stores).await?;
        let times = run.of(2, 10);
        let mut longest = Duration::ZERO;
        for number in (0..replicas).cycle().take(times) {
            tokio::time::sleep(millis(&mut rng, 700, 1_500)).await;
            trial.replicas.terminate(number)?;
            let (status, took) = trial.replicas.wait(number, ENDED_WITHIN).await?;
            ensure!(status.success(), "a server that was asked to stop ended with {status}");
            longest = longest.max(took);
            trial.replicas.launch(number).await?;
        }
        tokio::time::sleep(millis(&mut rng, 300, 500)).await;
        trial.pause().await;
        trial.notes.push(format!("{times} times, ended within {} ms", longest.as_millis()));
        let mut report = trial.end().await?;
        report.must_answer_all();
        reports.push(report);
    }
    Ok(reports)
}
