//! The workload: clients that stop, update, revoke, repeat and ask for what they may not, each choosing by its own seed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use tokio::task::JoinSet;

use crate::client::Connection;
use crate::fixtures::{Fixtures, PHARMACIES, Tokens};
use crate::history::{Action, Operation, Outcome, Recorder};
use crate::reopen::Reopening;
use crate::requests::{AGAIN_AFTER, Asked, RESOLVED_WITHIN, Sender};
use crate::server::Listening;

/// How many dispenses are in everybody's reach at the same time, so that requests meet on them.
const HOT: usize = 6;

/// How the clients behave.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How many clients there are.
    pub clients: u32,
    /// How long a client rests between two operations, at most.
    pub rest_max: Duration,
    /// How long an answer may take.
    pub answer_within: Duration,
    /// Whether clients stay on a connection for as long as the server keeps it, whoever else is there.
    pub stays: bool,
    /// Whether tokens are revoked.
    pub revokes: bool,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            clients: 16,
            rest_max: Duration::from_millis(30),
            answer_within: Duration::from_secs(35),
            stays: false,
            revokes: true,
        }
    }
}

/// What all clients share.
pub struct Shared {
    /// What requests are about.
    pub fixtures: Arc<Fixtures>,
    /// What is taken down.
    pub recorder: Arc<Recorder>,
    /// Who is asked.
    pub listening: Listening,
    /// How dispenses are set in progress again.
    pub reopening: Reopening,
}

/// Clients at work.
pub struct Load {
    stopping: Arc<AtomicBool>,
    clients: JoinSet<()>,
}

impl Load {
    /// Lets the clients begin.
    pub fn start(shared: &Arc<Shared>, seed: u64, pace: Pace) -> Self {
        let stopping = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for number in 0..pace.clients {
            let client = Client {
                rng: Rng::with_seed(seed ^ (u64::from(number) << 32)),
                sender: Sender {
                    number,
                    shared: shared.clone(),
                    connection: Connection::new(pace.answer_within, pace.stays),
                },
                shared: shared.clone(),
                pace,
            };
            clients.spawn(client.run(stopping.clone()));
        }
        Self { stopping, clients }
    }

    /// Lets the clients finish what they have begun; what is unclear is asked again until it is not.
    ///
    /// # Panics
    /// When a client panicked.
    pub async fn finish(mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        while let Some(ended) = self.clients.join_next().await {
            ended.expect("a client that ends");
        }
    }
}

struct Client {
    rng: Rng,
    sender: Sender,
    shared: Arc<Shared>,
    pace: Pace,
}

impl Client {
    async fn run(mut self, stopping: Arc<AtomicBool>) {
        while !stopping.load(Ordering::SeqCst) {
            match self.rng.u32(0..100) {
                0..42 => self.stop().await,
                42..60 => self.reopen().await,
                60..92 => self.update().await,
                92..97 => self.refused().await,
                97..100 if self.pace.revokes => self.revoke().await,
                _ => {}
            }
            let rest = u64::try_from(self.pace.rest_max.as_micros()).unwrap_or(u64::MAX);
            tokio::time::sleep(Duration::from_micros(self.rng.u64(0..=rest))).await;
        }
    }

    /// Half of the requests meet on few dispenses; which these are moves on.
    fn any_dispense(&mut self) -> usize {
        let all = self.shared.fixtures.dispenses.len();
        if self.rng.bool() {
            let moved = usize::try_from(self.shared.recorder.now_us() / 500_000).unwrap_or_default();
            (moved + self.rng.usize(0..HOT)) % all
        } else {
            self.rng.usize(0..all)
        }
    }

    /// A place of tokens whose client may stop dispenses of that pharmacy.
    fn any_place(&mut self, pharmacy: usize) -> usize {
        pharmacy + PHARMACIES * self.rng.usize(0..64)
    }

    fn any_key(&mut self) -> Option<String> {
        self.rng.bool().then(|| esoz_testkit::builders::fresh().to_string())
    }

    async fn stop(&mut self) {
        let fixtures = self.shared.fixtures.clone();
        let target = &fixtures.dispenses[self.any_dispense()];
        let place = self.any_place(target.pharmacy);
        let asked = Asked::stop(target, self.any_key());
        self.ask(&fixtures.stopping, place, asked).await;
    }

    async fn update(&mut self) {
        let fixtures = self.shared.fixtures.clone();
        let record = &fixtures.records[self.rng.usize(0..fixtures.records.len())];
        let contract = &fixtures.contracts[self.rng.usize(0..fixtures.contracts.len())];
        let division = &fixtures.divisions[self.rng.usize(0..fixtures.divisions.len())];
        let place = self.rng.usize(0..64);
        let asked = Asked::update(&fixtures, record, contract, division, self.any_key());
        self.ask(&fixtures.updating, place, asked).await;
    }

    /// Asks, sometimes with a revoked token, sometimes twice, and again until there is a clear answer.
    async fn ask(&mut self, tokens: &Tokens, place: usize, asked: Asked) {
        let revoked = if self.rng.u32(0..50) == 0 { tokens.revoked(place, self.rng.usize(..)) } else { None };
        let token = revoked.unwrap_or_else(|| tokens.at(place));
        let Some(first) = self.sender.send(&asked, Some(&token), None).await else { return };
        let twice = asked.key.is_some() && first.is_done() && self.rng.u32(0..10) == 0;
        if twice || first.is_unclear() {
            self.sender.resolve(&asked, Some((tokens, place)), &first).await;
        }
    }

    /// Requests that may never take effect.
    async fn refused(&mut self) {
        let fixtures = self.shared.fixtures.clone();
        let target = &fixtures.dispenses[self.any_dispense()];
        let mut target = target.clone();
        let mut place = self.any_place(target.pharmacy);
        match self.rng.u32(0..4) {
            // A stranger, another patient, no such dispense: all the same answer.
            0 => place += 1,
            1 => target.patient = esoz_testkit::builders::fresh().to_string(),
            2 => target.id = esoz_testkit::builders::fresh().to_string(),
            _ => {
                let asked = Asked::refused_stop(&target, 401);
                let first = self.sender.send(&asked, None, None).await;
                if let Some(first) = first.filter(Operation::is_unclear) {
                    self.sender.resolve(&asked, None, &first).await;
                }
                return;
            }
        }
        self.ask(&fixtures.stopping, place, Asked::refused_stop(&target, 404)).await;
    }

    /// A token is revoked after another of the same client has taken its place.
    async fn revoke(&mut self) {
        let fixtures = self.shared.fixtures.clone();
        let tokens = if self.rng.bool() { &fixtures.stopping } else { &fixtures.updating };
        let Ok(old) = fixtures.relieve(tokens, self.rng.usize(0..64)).await else { return };
        let mut first = None;
        let started = Instant::now();
        while started.elapsed() < RESOLVED_WITHIN {
            let recorder = &self.shared.recorder;
            let begun = recorder.begin();
            let outcome = match fixtures.revoke(&old).await {
                Ok(()) => Outcome::Done { at: String::new(), by: String::new(), state: Vec::new() },
                Err(error) => Outcome::Unanswered { why: format!("{error:#}") },
            };
            let operation = Operation {
                number: begun.number,
                client: self.sender.number,
                action: Action::Revoke { token: old.number },
                token: None,
                user: String::new(),
                request_id: format!("revocation-{}", begun.number),
                key: None,
                again: first,
                started_us: begun.started_us,
                ended_us: recorder.now_us(),
                outcome,
            };
            let is_done = operation.is_done();
            recorder.record(operation);
            if is_done {
                return;
            }
            first = first.or(Some(begun.number));
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    async fn reopen(&mut self) {
        let fixtures = self.shared.fixtures.clone();
        let target = &fixtures.dispenses[self.any_dispense()];
        let recorder = self.shared.recorder.clone();
        self.shared.reopening.reopen(&recorder, self.sender.number, &target.id).await;
    }
}
