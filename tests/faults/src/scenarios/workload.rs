//! Closed and open workloads: requests that wait for those before them, and requests at a rate, whatever becomes of those before.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use esoz_tests::Kind;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinSet, block_in_place};

use super::Run;
use crate::client::Connection;
use crate::fixtures::Size;
use crate::history::Operation;
use crate::requests::{Asked, Sender};
use crate::trial::{Setup, Trial};

/// Requests that the server works on at once under overload. Above it, it refuses.
pub(super) const IN_FLIGHT: usize = 64;

/// Connections over which requests are offered, whatever becomes of those before.
const CONNECTIONS: u32 = 512;

const ANSWER_WITHIN: Duration = Duration::from_secs(30);

pub(super) const MEASURED_FOR: Duration = Duration::from_secs(3);

/// As short as a timer can tell: what comes in bursts leaves the server idle in between.
const TICK: Duration = Duration::from_millis(1);

pub(super) async fn begin(run: &mut Run, name: &str, in_flight: Option<usize>) -> Result<Trial> {
    let stores = run.stores(Kind::Servers).await?;
    let mut setup = Setup::new(name, run.seed, 1);
    if let Some(in_flight) = in_flight {
        setup = setup.variable("ESOZ_HTTP__MAX_IN_FLIGHT", in_flight.to_string());
    }
    setup.size = Size { dispenses: 4, overdue: 0, contracts: 24, records: 512, tokens: 4 };
    Trial::without_load(setup, stores).await
}

#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "a number to be told")]
pub(super) fn per_second(count: usize, during: Duration) -> f64 {
    count as f64 / during.as_secs_f64()
}

/// Connections over which updates are offered, each of a record of its own.
pub(super) struct Offering {
    free: Arc<Mutex<VecDeque<(Sender, Asked)>>>,
    /// One thread has time for all clients; more would take it from the server, which is on the same machine.
    runtime: Option<Runtime>,
}

impl Drop for Offering {
    fn drop(&mut self) {
        // It ends in an asynchronous context, where a runtime may not wait for its threads.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Offering {
    pub(super) fn on(trial: &Trial) -> Result<Self> {
        let fixtures = &trial.shared.fixtures;
        let one = |number: u32| {
            let place = usize::try_from(number).unwrap_or_default() % fixtures.records.len();
            let record = &fixtures.records[place];
            // The pair that it has: nobody else can be in its way.
            let (contract, division) = &fixtures.loaded.records[record];
            let asked = Asked::update(fixtures, record, contract, division, None);
            let shared = trial.shared.clone();
            (Sender { number, shared, connection: Connection::new(ANSWER_WITHIN, true) }, asked)
        };
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self { free: Arc::new(Mutex::new((0..CONNECTIONS).map(one).collect())), runtime: Some(runtime) })
    }

    fn take(&self) -> Option<(Sender, Asked)> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    fn block_on<T>(&self, asking: impl Future<Output = Result<T>>) -> Result<T> {
        let runtime = self.runtime.as_ref().context("the runtime of the clients has ended")?;
        block_in_place(|| runtime.block_on(asking))
    }

    /// That many requests at once, or one on every connection, each followed by the next; gives how many a second were done.
    pub(super) fn closed(&self, trial: &Trial, at_once: usize, during: Duration) -> Result<f64> {
        self.block_on(self.ask_in_turn(trial, at_once, during))
    }

    async fn ask_in_turn(&self, trial: &Trial, at_once: usize, during: Duration) -> Result<f64> {
        let mut clients = JoinSet::new();
        let before = trial.acknowledged();
        let began = Instant::now();
        for _ in 0..at_once {
            let Some((mut sender, asked)) = self.take() else { break };
            let (free, token) = (self.free.clone(), trial.shared.fixtures.updating.at(0));
            clients.spawn(async move {
                while began.elapsed() < during {
                    sender.send(&asked, Some(&token), None).await;
                }
                give_back(&free, sender, asked);
            });
        }
        while let Some(ended) = clients.join_next().await {
            ended?;
        }
        Ok(per_second(trial.acknowledged() - before, began.elapsed()))
    }

    /// That many requests a second, whatever becomes of them. One for which no connection is left is not offered.
    pub(super) fn open(&self, trial: &Trial, rate: f64, during: Duration) -> Result<()> {
        self.block_on(self.ask_at_a_rate(trial, rate, during))
    }

    async fn ask_at_a_rate(&self, trial: &Trial, rate: f64, during: Duration) -> Result<()> {
        let mut requests: JoinSet<Option<Operation>> = JoinSet::new();
        let began = Instant::now();
        let mut offered = 0.0;
        while began.elapsed() < during {
            while offered < rate * began.elapsed().as_secs_f64() {
                offered += 1.0;
                let Some((mut sender, asked)) = self.take() else { continue };
                let (free, token) = (self.free.clone(), trial.shared.fixtures.updating.at(0));
                requests.spawn(async move {
                    let sent = sender.send(&asked, Some(&token), None).await;
                    give_back(&free, sender, asked);
                    sent
                });
            }
            while requests.try_join_next().is_some() {}
            tokio::time::sleep(TICK).await;
        }
        while let Some(ended) = requests.join_next().await {
            ended?;
        }
        Ok(())
    }

    /// Each of these once more, by its own client, no more at once than the server works on.
    pub(super) fn again(&self, trial: &Trial, refused: &[&Operation]) -> Result<()> {
        self.block_on(self.ask_again(trial, refused))
    }

    async fn ask_again(&self, trial: &Trial, refused: &[&Operation]) -> Result<()> {
        let mut clients = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let Some((mut sender, asked)) = self.take() else { break };
            let own = refused.iter().filter(|operation| operation.client == sender.number);
            let own: Vec<Operation> = own.map(|operation| (*operation).clone()).collect();
            let (free, shared) = (self.free.clone(), trial.shared.clone());
            if clients.len() == IN_FLIGHT {
                clients.join_next().await.transpose()?;
            }
            clients.spawn(async move {
                for first in &own {
                    sender.resolve(&asked, Some((&shared.fixtures.updating, 0)), first).await;
                }
                give_back(&free, sender, asked);
            });
        }
        while let Some(ended) = clients.join_next().await {
            ended?;
        }
        Ok(())
    }
}

fn give_back(free: &Mutex<VecDeque<(Sender, Asked)>>, sender: Sender, asked: Asked) {
    free.lock().unwrap_or_else(PoisonError::into_inner).push_back((sender, asked));
}
