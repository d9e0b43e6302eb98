//! PostgreSQL is killed and restarted, its connections are cut, and others hold the locks that updates need.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{Run, millis};
use crate::report::Report;
use crate::trial::{Setup, Trial};

const CHANGES_BETWEEN: usize = 30;
const RECOVERED_WITHIN: Duration = Duration::from_mins(1);
/// Longer than the servers' `lock_timeout` or `statement_timeout` in this scenario, in seconds.
const HELD_S: f64 = 1.5;

pub(super) async fn run(run: &mut Run) -> Result<Vec<Report>> {
    Ok(vec![restarted(run).await?, cut(run).await?, held(run).await?])
}

async fn restarted(run: &mut Run) -> Result<Report> {
    let mut rng = run.rng(30);
    let stores = run.servers().await?.stores().await?;
    let setup = Setup::new("PostgreSQL killed and restarted", rng.u64(..), 2);
    let mut trial = Trial::begin(setup, stores).await?;
    let times = run.of(1, 6);
    let mut acknowledged = 0;
    for _ in 0..times {
        acknowledged = trial.until_more_acknowledged(acknowledged, CHANGES_BETWEEN, RECOVERED_WITHIN).await?;
        tokio::time::sleep(millis(&mut rng, 0, 500)).await;
        let postgres = &mut run.started().context("PostgreSQL")?.postgres;
        tokio::task::block_in_place(|| {
            postgres.stop()?;
            postgres.restart()
        })?;
    }
    trial.until_more_acknowledged(acknowledged, CHANGES_BETWEEN, RECOVERED_WITHIN).await?;
    trial.notes.push(format!("killed {times} times"));
    trial.end().await
}

async fn cut(run: &mut Run) -> Result<Report> {
    let mut rng = run.rng(31);
    let stores = run.servers().await?.stores().await?;
    let setup = Setup::new("PostgreSQL's connections cut", rng.u64(..), 2);
    let mut trial = Trial::begin(setup, stores).await?;
    let times = run.of(3, 30);
    let mut cut = 0;
    for _ in 0..times {
        tokio::time::sleep(millis(&mut rng, 200, 900)).await;
        let sql =
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'esoz'";
        let ended = tokio::task::block_in_place(|| trial.database(sql))?;
        cut += ended.trim().parse::<usize>()?;
    }
    trial.notes.push(format!("{cut} connections cut"));
    trial.end().await
}

/// What updates write is locked by somebody else, longer than a statement waits for a lock, and longer than it may take at all.
async fn held(run: &mut Run) -> Result<Report> {
    let mut rng = run.rng(32);
    let stores = run.servers().await?.stores().await?;
    let setup = Setup::new("lock_timeout and statement_timeout of PostgreSQL hit", rng.u64(..), 2)
        .variable("ESOZ_POSTGRES__LOCK_TIMEOUT_MS", "300")
        .variable("ESOZ_POSTGRES__STATEMENT_TIMEOUT_MS", "600");
    let mut trial = Trial::begin(setup, stores).await?;
    let times = run.of(2, 10);
    for round in 0..times {
        tokio::time::sleep(millis(&mut rng, 300, 900)).await;
        // A lock that is waited for, and one that lets statements in and makes them slow: the audit's trigger waits in its sleep.
        let sql = if round % 2 == 0 {
            format!(
                "BEGIN; LOCK TABLE contract_divisions IN EXCLUSIVE MODE; SELECT pg_sleep({HELD_S}); COMMIT"
            )
        } else {
            slow_for(HELD_S)
        };
        tokio::task::block_in_place(|| trial.database(&sql))?;
    }
    let unavailable = trial.refused_with(503);
    anyhow::ensure!(unavailable > 0, "no request met a timeout");
    trial.notes.push(format!("{unavailable} requests answered 503"));
    trial.end().await
}

/// For that long every update of a contract division sleeps longer than a statement may take.
fn slow_for(seconds: f64) -> String {
    format!(
        "CREATE OR REPLACE FUNCTION public.slow_by_a_test() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.9); RETURN NEW; END $$; \
         CREATE TRIGGER slow_by_a_test BEFORE UPDATE ON public.contract_divisions FOR EACH ROW EXECUTE FUNCTION public.slow_by_a_test(); \
         COMMIT; SELECT pg_sleep({seconds}); DROP TRIGGER slow_by_a_test ON public.contract_divisions"
    )
}
