//! The broker is away, slow, restarted: requests go on, and what waits is delivered afterwards.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::{Run, millis};
use crate::report::Report;
use crate::trial::{Setup, Trial};

const RECOVERED_WITHIN: Duration = Duration::from_secs(30);

pub(super) async fn run(run: &mut Run) -> Result<Vec<Report>> {
    Ok(vec![down(run).await?, slow_and_restarted(run).await?])
}

async fn down(run: &mut Run) -> Result<Report> {
    let mut rng = run.rng(40);
    let stores = run.servers().await?.stores().await?;
    let down = Duration::from_secs(run.of(5, 60));
    let setup = Setup::new(&format!("broker down for {} s", down.as_secs()), rng.u64(..), 2);
    let mut trial = Trial::begin(setup, stores).await?;
    let before = trial.until_more_acknowledged(0, 50, RECOVERED_WITHIN).await?;
    let servers = run.started().context("a broker")?;
    tokio::task::block_in_place(|| servers.kafka.stop())?;
    tokio::time::sleep(down).await;
    let waiting = trial.shared.fixtures.stores.backlog().await?.depth;
    let acknowledged = trial.acknowledged() - before;
    let failed = trial.refused_with(503);
    tokio::task::block_in_place(|| servers.kafka.restart())?;
    ensure!(waiting > 0, "nothing waited for the broker");
    ensure!(failed == 0, "{failed} requests failed because there was no broker");
    trial.notes.push(format!("{acknowledged} changes acknowledged meanwhile, {waiting} events waited"));
    trial.pause().await;
    let drained = trial.wait_for_delivery().await?;
    trial.notes.push(format!("delivered within {} ms", drained.as_millis()));
    trial.end().await
}

async fn slow_and_restarted(run: &mut Run) -> Result<Report> {
    let mut rng = run.rng(41);
    let rounds = run.of(1, 6);
    let stores = run.servers().await?.stores().await?;
    let setup = Setup::new("broker slow, stalled, cut off and restarted", rng.u64(..), 2);
    let mut trial = Trial::begin(setup, stores).await?;
    let servers = run.started().context("a broker")?;
    for _ in 0..rounds {
        tokio::task::block_in_place(|| servers.kafka_proxy.delay(Duration::from_millis(300)));
        tokio::time::sleep(millis(&mut rng, 800, 2_000)).await;
        // Longer than a delivery may take, so that what the broker took is published once more.
        tokio::task::block_in_place(|| servers.kafka_proxy.stall());
        tokio::time::sleep(millis(&mut rng, 1_200, 2_000)).await;
        tokio::task::block_in_place(|| {
            servers.kafka_proxy.heal();
            servers.kafka_proxy.cut();
            servers.kafka_proxy.heal();
        });
        tokio::time::sleep(millis(&mut rng, 200, 800)).await;
        tokio::task::block_in_place(|| servers.kafka.restart())?;
        tokio::time::sleep(millis(&mut rng, 200, 800)).await;
    }
    let failed = trial.refused_with(503);
    ensure!(failed == 0, "{failed} requests failed because of the broker");
    trial.notes.push(format!("{rounds} times each"));
    trial.end().await
}
