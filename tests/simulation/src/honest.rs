//! What a request may be answered at an instant. The rules are written down here a second time, without the product.

use std::collections::BTreeSet;

use esoz_contract_division::{ContractType, Pair};
use esoz_kernel::{ContractDivisionId, DispenseId, PatientId, Timestamp};
use esoz_testkit::contract_divisions;

use crate::process::MAX_AHEAD;
use crate::stored::Stored;
use crate::watch::{Ask, Belongs, Request, Watch, at_once};

/// That a request is carried out, as a possible answer.
pub(crate) const CARRIED_OUT: &str = "carried out";
const KEY_REUSED: &str = "The idempotency key was used for another request";
const NOT_FOUND: &str = "not_found";

impl Watch {
    /// The honest answers at that instant: several while clocks that differ decide.
    pub(crate) fn honest(
        &self,
        stored: &Stored,
        requests: &[Request],
        request: &Request,
        now: Timestamp,
    ) -> BTreeSet<String> {
        let mut sharing = requests.iter().filter(|other| other.shares_key_with(request));
        if let Some(done) = sharing.find(|other| self.took_effect(stored, other)) {
            let answer = if done.ask == request.ask { CARRIED_OUT } else { KEY_REUSED };
            return BTreeSet::from([answer.to_owned()]);
        }
        let one = |answer: &str| BTreeSet::from([answer.to_owned()]);
        match &request.ask {
            Ask::Create { dispense } => self.honest_to_create(stored, *dispense, now),
            Ask::Stop { dispense, patient } => match self.seen_by(stored, request, *dispense, *patient) {
                None => one(NOT_FOUND),
                Some("in_progress") => one(CARRIED_OUT),
                Some(other) => one(&format!("Device dispense in status {other} cannot be stopped")),
            },
            Ask::Complete { dispense, .. } => {
                let of = self.belongs(*dispense);
                match self.seen_by(stored, request, *dispense, of.patient) {
                    None => one(NOT_FOUND),
                    Some(_) if stored.completed.contains(&of.request) => one("Device request is not active"),
                    Some("in_progress") => one(CARRIED_OUT),
                    Some(other) => one(&format!("Device dispense in status {other} cannot be completed")),
                }
            }
            Ask::MarkInError { dispense, .. } => {
                let of = self.belongs(*dispense);
                match self.seen_by(stored, request, *dispense, of.patient) {
                    None => one(NOT_FOUND),
                    Some("in_progress" | "stopped" | "unknown") => one(CARRIED_OUT),
                    Some(other) => {
                        one(&format!("Device dispense in status {other} cannot be marked in error"))
                    }
                }
            }
            Ask::Update { record, change } => one(self.honest_to_update(*record, change)),
        }
    }

    /// The status of the dispense, if who asks may see it.
    fn seen_by<'a>(
        &self,
        stored: &'a Stored,
        request: &Request,
        dispense: DispenseId,
        patient: PatientId,
    ) -> Option<&'a str> {
        let of = self.belongs(dispense);
        let may_see = of.owner == request.client && of.patient == patient;
        stored.status(dispense).filter(|_| may_see)
    }

    fn honest_to_create(&self, stored: &Stored, dispense: DispenseId, now: Timestamp) -> BTreeSet<String> {
        let of = self.belongs(dispense);
        if stored.completed.contains(&of.request) {
            return BTreeSet::from(["Device request is not active".to_owned()]);
        }
        if stored.status(dispense).is_some() {
            return BTreeSet::from(["Device dispense with such id already exists".to_owned()]);
        }
        let mut answers = BTreeSet::new();
        let mut is_free = true;
        // A request without a quantity is dispensed any number of times.
        for other in self.in_progress(stored, of).filter(|_| of.is_once) {
            if !stored.is_overdue(other.dispense, now.saturating_add(MAX_AHEAD)) {
                is_free = false;
            }
            if !stored.is_overdue(other.dispense, now.saturating_sub(MAX_AHEAD)) {
                answers.insert("Other active device dispense already exist.".to_owned());
            }
        }
        if is_free {
            answers.insert(CARRIED_OUT.to_owned());
        }
        answers
    }

    /// The dispenses in progress of the same request.
    fn in_progress<'a>(&'a self, stored: &'a Stored, of: &'a Belongs) -> impl Iterator<Item = &'a Belongs> {
        let of_request = self.belongings.iter().filter(|other| other.request == of.request);
        of_request.filter(|other| stored.status(other.dispense) == Some("in_progress"))
    }

    /// What is wrong with the requests at that instant, after whatever has just changed.
    pub(crate) fn broken(&self, stored: &Stored, now: Timestamp) -> Option<String> {
        self.belongings.iter().find_map(|of| {
            let active: Vec<_> = (self.in_progress(stored, of))
                .filter(|other| !stored.is_overdue(other.dispense, now.saturating_add(MAX_AHEAD)))
                .map(|other| other.dispense)
                .collect();
            let of_request = self.belongings.iter().filter(|other| other.request == of.request);
            let completed = of_request.filter(|other| stored.status(other.dispense) == Some("completed"));
            let completed = completed.count();
            let is_completed = stored.completed.contains(&of.request);
            if of.is_once && active.len() > 1 {
                Some(format!("two active dispenses of request {}: {active:?}", of.request))
            } else if is_completed != (of.is_once && completed > 0) || of.is_once && completed > 1 {
                Some(format!(
                    "request {} is completed: {is_completed}, and {completed} of its dispenses are",
                    of.request
                ))
            } else {
                None
            }
        })
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
}
