//! What is asked and answered, and beside it what an honest answer may be: while a request is under way, the rules are applied to the
//! stores as they are after every single change. They are written down here a second time, without the product.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use esoz_contract_division::{ContractDivision, ContractType, Pair};
use esoz_kernel::{
    ClientId, ContractDivisionId, DispenseId, IdempotencyKey, PatientId, Timestamp, UserId, Uuid,
};
use esoz_testkit::contract::{Audit as _, AuditRow, RawDispenses as _};
use esoz_testkit::contract_divisions;
use esoz_testkit::fakes::{FakeContracts, FakeDispenses};
use serde_json::Value;

/// That a request is carried out, as a possible answer.
pub(crate) const CARRIED_OUT: &str = "carried out";
const KEY_REUSED: &str = "The idempotency key was used for another request";
/// What the simulation's own method, which takes a dispense back as a mistake, refuses with.
pub(crate) const ALREADY_IN_ERROR: &str = "already entered in error";

/// What somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ask {
    Stop { dispense: DispenseId, patient: PatientId },
    MarkInError { dispense: DispenseId },
    Update { record: ContractDivisionId, change: Pair },
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
    /// A dispense was changed: its status, by whom, when.
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
}

/// The user in whose name dispenses expire.
pub(crate) const SYSTEM_USER: UserId = UserId::new(Uuid::from_u128(8_001));
/// How long a dispense may be in progress.
pub(crate) const LIFETIME: Duration = Duration::from_mins(10);

/// Whose and whose patient's a dispense is, and since when it is in progress.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Belongs {
    pub(crate) inserted_at: Timestamp,
    pub(crate) dispense: DispenseId,
    pub(crate) owner: ClientId,
    pub(crate) patient: PatientId,
}

impl Belongs {
    /// Whether the dispense is overdue by a clock that shows that time, if it is in progress.
    pub(crate) fn is_overdue(&self, now: Timestamp) -> bool {
        self.inserted_at.saturating_add(LIFETIME) < now
    }
}

pub(crate) struct Watch {
    pub(crate) dispenses: Arc<FakeDispenses>,
    pub(crate) contracts: Arc<FakeContracts>,
    pub(crate) belongings: Vec<Belongs>,
    log: Mutex<Log>,
}

impl Watch {
    pub(crate) fn new(
        dispenses: Arc<FakeDispenses>,
        contracts: Arc<FakeContracts>,
        belongings: Vec<Belongs>,
    ) -> Self {
        Self { dispenses, contracts, belongings, log: Mutex::default() }
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
        let Log { requests, attempts } = &mut *log;
        for attempt in attempts.iter_mut().filter(|attempt| attempt.answer.is_none()) {
            attempt.possible.insert(self.honest(requests, &requests[attempt.request]));
        }
    }

    /// The honest answer at this instant.
    fn honest(&self, requests: &[Request], request: &Request) -> String {
        let mut sharing = requests.iter().filter(|other| other.shares_key_with(request));
        if let Some(done) = sharing.find(|other| self.took_effect(other)) {
            return if done.ask == request.ask { CARRIED_OUT } else { KEY_REUSED }.to_owned();
        }
        match &request.ask {
            Ask::Stop { dispense, patient } => {
                let of = self.belongings.iter().find(|of| of.dispense == *dispense);
                let may_see = of.is_some_and(|of| of.owner == request.client && of.patient == *patient);
                match (may_see, self.status(*dispense).as_str()) {
                    (false, _) => "not_found".to_owned(),
                    (true, "in_progress") => CARRIED_OUT.to_owned(),
                    (true, other) => format!("Device dispense in status {other} cannot be stopped"),
                }
            }
            Ask::MarkInError { dispense } => {
                let may = self.status(*dispense) != "entered_in_error";
                if may { CARRIED_OUT } else { ALREADY_IN_ERROR }.to_owned()
            }
            Ask::Update { record, change } => self.honest_to_update(*record, change).to_owned(),
        }
    }

    fn honest_to_update(&self, record: ContractDivisionId, change: &Pair) -> &'static str {
        let facts =
            at_once(contract_divisions::facts(&*self.contracts, record, Some(*change))).expect("a fake");
        let usable = |contract: &esoz_contract_division::Contract| {
            contract.is_active && contract.kind == ContractType::GbCbp
        };
        match (facts.current, facts.division, facts.contract) {
            (None, ..) => "Contract division with such id is not found",
            (Some(current), ..) if !current.record.is_active => "Contract division with such id is not found",
            (Some(current), ..) if !usable(&current.contract) => {
                "Only contract divisions for contract with type GB_CBP can be updated"
            }
            (_, None, _) => "Division is not found",
            (_, Some(division), _) if !division.is_active => "Division is not found",
            (_, Some(division), Some(contract)) if division.legal_entity != contract.contractor => {
                "Division is not correspond to contractor legal entity"
            }
            (_, _, Some(contract)) if usable(&contract) => {
                if facts.is_pair_taken {
                    "Contract division with such contract and division already exists"
                } else {
                    CARRIED_OUT
                }
            }
            _ => "Contract must be an active and with GB_CBP type",
        }
    }

    /// Whether something in the stores is that request's work.
    pub(crate) fn took_effect(&self, request: &Request) -> bool {
        match &request.ask {
            Ask::Stop { dispense, .. } | Ask::MarkInError { dispense } => {
                self.history(*dispense).iter().any(|(_, by)| *by == request.user)
            }
            Ask::Update { record, .. } => self.audit(*record).iter().any(|row| row.actor_id == request.user),
        }
    }

    /// The status that is stored.
    pub(crate) fn status(&self, dispense: DispenseId) -> String {
        let document = at_once(self.dispenses.document(dispense));
        document["status"].as_str().expect("a status").to_owned()
    }

    /// Every change of the dispense since the simulation began: to which status, by whom.
    pub(crate) fn history(&self, dispense: DispenseId) -> Vec<(String, UserId)> {
        let document = at_once(self.dispenses.document(dispense));
        let text = |entry: &Value, field: &str| entry[field].as_str().expect("text").to_owned();
        let entries = document["status_history"].as_array().expect("a history").iter();
        entries
            .map(|entry| (text(entry, "status"), text(entry, "inserted_by").parse().expect("a user")))
            .collect()
    }

    /// When the dispense expired, if it did, by the clock of the server that expired it.
    pub(crate) fn expired_at(&self, dispense: DispenseId) -> Option<Timestamp> {
        let document = at_once(self.dispenses.document(dispense));
        let mut entries = document["status_history"].as_array()?.iter();
        let expiry = entries.find(|entry| entry["inserted_by"] == SYSTEM_USER.to_string())?;
        expiry["inserted_at"].as_str()?.parse().ok()
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
