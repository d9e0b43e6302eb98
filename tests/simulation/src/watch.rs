//! What is asked and answered, and beside it what an honest answer may be: while a request is under way, the rules are applied to the
//! stores as they are after every single change.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use esoz_contract_division::{ContractDivision, Pair};
use esoz_device_dispense::{DeviceRequestRecord, DeviceRequestStatus};
use esoz_kernel::{
    ClientId, ContractDivisionId, DeviceRequestId, DispenseId, IdempotencyKey, PatientId, Timestamp, UserId,
    Uuid,
};
use esoz_registries::Registry;
use esoz_testkit::contract::{Audit as _, AuditRow, RawDispenses as _};
use esoz_testkit::fakes::{FakeContracts, FakeDispenses, FakeMediaStorage};
use serde_json::Value;

use crate::sim::Sim;
use crate::stored::Stored;

/// What somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ask {
    Create {
        dispense: DispenseId,
    },
    Stop {
        dispense: DispenseId,
        patient: PatientId,
    },
    /// With what is signed.
    Complete {
        dispense: DispenseId,
        content: String,
    },
    /// With what is signed.
    MarkInError {
        dispense: DispenseId,
        content: String,
    },
    Update {
        record: ContractDivisionId,
        change: Pair,
    },
}

/// A request, which may be sent several times. Its user makes no other, so that whatever it did tells whose it is.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) user: UserId,
    pub(crate) client: ClientId,
    pub(crate) key: Option<IdempotencyKey>,
    pub(crate) ask: Ask,
}

impl Request {
    /// Whether the two use the same key for the same method.
    pub(crate) fn shares_key_with(&self, other: &Self) -> bool {
        let same_method = std::mem::discriminant(&self.ask) == std::mem::discriminant(&other.ask);
        self.key.is_some() && self.key == other.key && self.client == other.client && same_method
    }
}

/// What an answer tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A dispense was recorded or changed: its status, by whom, when.
    Changed { status: String, by: String, at: String },
    /// A contract division was updated: as it is after that.
    Updated(ContractDivision),
    /// It was refused, with that text.
    Refused(String),
    /// Nothing that tells what happened: no answer at all, or one that asks to try again.
    Nothing,
}

/// One sending of a request.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) request: usize,
    /// Every answer that was honest at some instant while it was under way.
    pub(crate) possible: BTreeSet<String>,
    /// `None` while it is under way.
    pub(crate) answer: Option<Answer>,
}

#[derive(Default)]
struct Log {
    requests: Vec<Request>,
    attempts: Vec<Attempt>,
    /// The first thing that was wrong at some instant.
    broken: Option<String>,
}

/// The user in whose name dispenses expire.
pub(crate) const SYSTEM_USER: UserId = UserId::new(Uuid::from_u128(8_001));
/// How long a dispense may be in progress.
pub(crate) const LIFETIME: Duration = Duration::from_mins(10);

/// A dispense that is there from the start, or that somebody may record: of which request, whose and whose patient's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Belongs {
    /// Since when it is in progress; `None` when it is not there from the start.
    pub(crate) inserted_at: Option<Timestamp>,
    pub(crate) dispense: DispenseId,
    pub(crate) request: DeviceRequestId,
    /// Whether the request is completed by one dispense.
    pub(crate) is_once: bool,
    pub(crate) owner: ClientId,
    pub(crate) patient: PatientId,
}

pub(crate) struct Watch {
    sim: Arc<Sim>,
    pub(crate) dispenses: Arc<FakeDispenses>,
    pub(crate) contracts: Arc<FakeContracts>,
    pub(crate) media: Arc<FakeMediaStorage>,
    pub(crate) belongings: Vec<Belongs>,
    log: Mutex<Log>,
}

impl Watch {
    pub(crate) fn new(sim: Arc<Sim>, belongings: Vec<Belongs>) -> Self {
        Self {
            sim,
            dispenses: Arc::default(),
            contracts: Arc::default(),
            media: Arc::default(),
            belongings,
            log: Mutex::default(),
        }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request that will be sent.
    pub(crate) fn ask(&self, request: Request) -> usize {
        let mut log = self.log();
        log.requests.push(request);
        log.requests.len() - 1
    }

    /// It is sent now.
    pub(crate) fn begin(&self, request: usize) -> usize {
        let mut log = self.log();
        log.attempts.push(Attempt { request, possible: BTreeSet::new(), answer: None });
        let attempt = log.attempts.len() - 1;
        drop(log);
        self.look();
        attempt
    }

    /// It has come to that.
    pub(crate) fn end(&self, attempt: usize, answer: Answer) {
        self.log().attempts[attempt].answer = Some(answer);
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.log().requests.clone()
    }

    /// What became of each sending of that request.
    pub(crate) fn answers_to(&self, request: usize) -> Vec<Answer> {
        let log = self.log();
        let of_it = log.attempts.iter().filter(|attempt| attempt.request == request);
        of_it.map(|attempt| attempt.answer.clone().unwrap_or(Answer::Nothing)).collect()
    }

    pub(crate) fn take_attempts(&self) -> Vec<Attempt> {
        std::mem::take(&mut self.log().attempts)
    }

    /// Something may have changed: what may the requests that are under way be answered now?
    pub(crate) fn look(&self) {
        let mut log = self.log();
        let Log { requests, attempts, broken } = &mut *log;
        let (stored, now) = (self.stored(), self.sim.now());
        for attempt in attempts.iter_mut().filter(|attempt| attempt.answer.is_none()) {
            attempt.possible.append(&mut self.honest(&stored, requests, &requests[attempt.request], now));
        }
        if broken.is_none() {
            *broken = self.broken(&stored, now);
        }
    }

    /// The first thing that was wrong at some instant.
    pub(crate) fn take_broken(&self) -> Option<String> {
        self.log().broken.take()
    }

    /// Whether something in the stores is that request's work.
    pub(crate) fn took_effect(&self, stored: &Stored, request: &Request) -> bool {
        match &request.ask {
            Ask::Create { dispense }
            | Ask::Stop { dispense, .. }
            | Ask::Complete { dispense, .. }
            | Ask::MarkInError { dispense, .. } => {
                stored.history(*dispense).iter().any(|(_, by)| *by == request.user)
            }
            Ask::Update { record, .. } => self.audit(*record).iter().any(|row| row.actor_id == request.user),
        }
    }

    /// Which request, owner and patient that dispense has, or will have.
    pub(crate) fn belongs(&self, dispense: DispenseId) -> &Belongs {
        let found = self.belongings.iter().find(|of| of.dispense == dispense);
        found.expect("nobody asks for another one")
    }

    /// The dispenses and requests as they are stored now.
    pub(crate) fn stored(&self) -> Stored {
        let document = |of: &Belongs| match at_once(self.dispenses.document(of.dispense)) {
            Value::Object(document) => Some((of.dispense, document)),
            _ => None,
        };
        let requests = Registry::<DeviceRequestRecord>::scan(&*self.dispenses, None, u32::MAX);
        let requests = at_once(requests).expect("a fake").records.into_iter().flatten();
        let completed = requests.filter(|record| record.facts.status == DeviceRequestStatus::Completed);
        Stored {
            dispenses: self.belongings.iter().filter_map(document).collect(),
            completed: completed.map(|record| record.facts.id).collect(),
        }
    }

    /// What was audited about the record.
    pub(crate) fn audit(&self, record: ContractDivisionId) -> Vec<AuditRow> {
        at_once(self.contracts.rows(record))
    }
}

/// The outcome of what never waits: a call of a fake.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("a fake does not wait"),
    }
}
