//! The network between the servers and each store, through a proxy: cut, stalled, delayed, half open.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use esoz_test_servers::proxy::Proxy;

use super::{Run, millis};
use crate::report::Report;
use crate::trial::{Setup, Trial};

const CHANGES_BETWEEN: usize = 20;
const RECOVERED_WITHIN: Duration = Duration::from_mins(1);

pub(super) async fn run(run: &mut Run) -> Result<Vec<Report>> {
    let mut reports = Vec::new();
    for (part, store, variable) in
        [(50, "PostgreSQL", "ESOZ_POSTGRES__URL"), (51, "MongoDB", "ESOZ_MONGODB__URI")]
    {
        let mut rng = run.rng(part);
        let stores = run.servers().await?.stores().await?;
        let (proxy, url) = before(stores.variables(), variable)?;
        let name = format!("network to {store} cut, stalled, delayed, half open");
        // What hangs is to be given up well before the clients give up.
        let setup = Setup::new(&name, rng.u64(..), 2)
            .variable(variable, url)
            .variable("ESOZ_POSTGRES__STATEMENT_TIMEOUT_MS", "1000")
            .variable("ESOZ_POSTGRES__LOCK_TIMEOUT_MS", "500")
            .variable("ESOZ_POSTGRES__CONNECT_TIMEOUT_MS", "1000")
            .variable("ESOZ_MONGODB__OPERATION_TIMEOUT_MS", "2000")
            .variable("ESOZ_MONGODB__SERVER_SELECTION_TIMEOUT_MS", "1000");
        let mut trial = Trial::begin(setup, stores).await?;
        let rounds = run.of(1, 5);
        let mut acknowledged = 0;
        for _ in 0..rounds {
            for fault in [cut, stall, delay, half_open] {
                let wait = trial.until_more_acknowledged(acknowledged, CHANGES_BETWEEN, RECOVERED_WITHIN);
                acknowledged = wait.await?;
                tokio::task::block_in_place(|| fault(&proxy));
                tokio::time::sleep(millis(&mut rng, 300, 1_500)).await;
                tokio::task::block_in_place(|| proxy.heal());
            }
        }
        trial.until_more_acknowledged(acknowledged, CHANGES_BETWEEN, RECOVERED_WITHIN).await?;
        trial.notes.push(format!("{rounds} times each"));
        reports.push(trial.end().await?);
        tokio::task::block_in_place(|| drop(proxy));
    }
    Ok(reports)
}

fn cut(proxy: &Proxy) {
    proxy.cut();
}

fn stall(proxy: &Proxy) {
    proxy.stall();
}

fn delay(proxy: &Proxy) {
    proxy.delay(Duration::from_millis(150));
}

fn half_open(proxy: &Proxy) {
    proxy.half_open();
}

/// A proxy before the server that a variable names, and the variable with the proxy in its place.
pub(super) fn before(variables: &[(String, String)], name: &str) -> Result<(Proxy, String)> {
    let (_, url) = variables.iter().find(|(other, _)| other == name).context("a store with an address")?;
    let (_, place) = url.split_once("//").context("a URL")?;
    let place = place.rsplit('@').next().unwrap_or(place);
    let target: SocketAddr = place.split(['/', '?']).next().unwrap_or(place).parse()?;
    let proxy = Proxy::start(target)?;
    let url = url.replace(&target.to_string(), &proxy.address().to_string());
    Ok((proxy, url))
}
