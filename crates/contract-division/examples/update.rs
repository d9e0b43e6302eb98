//! Updates a contract division on a store of its own, with nothing but the domain crates: no web framework, no driver, no async
//! runtime. This is what a service that embeds the use case has to write.
//!
//! Run it with `cargo run -p esoz-contract-division --example update`. It checks what it prints.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]
#![expect(clippy::unwrap_used, reason = "an example stops at the first thing that is not as it says")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use esoz_auth::{ApiKeyHolder, Caller, Principal, Scope, authorize};
use esoz_contract_division::{
    Contract, ContractDivision, ContractDivisions, ContractType, Current, Division, Facts, Filter, Pair,
    Refusal, UpdateContractDivision, UpdateError, UpdateInput, Write,
};
use esoz_kernel::{
    ClientId, Clock, ContractDivisionId, ContractId, DivisionId, ErrorKind, Failure as _, IdempotencyKey,
    IdempotentRequest, LegalEntityId, Page, PageRequest, RequestId, Stamps, StoreError, StoreErrorKind,
    Timestamp, UserId, Uuid, Written,
};

/// Port 1: where contract divisions are kept, together with the contracts and divisions they name. One lock around all, the
/// audit included: a database does the same with a transaction.
#[derive(Default)]
struct Ledger {
    tables: Mutex<Tables>,
}

#[derive(Default)]
struct Tables {
    contracts: HashMap<ContractId, Contract>,
    divisions: HashMap<DivisionId, Division>,
    contract_divisions: HashMap<ContractDivisionId, ContractDivision>,
    audit: Vec<AuditRow>,
    /// Which updates were asked for under which key, with the first answer. A service would forget them after
    /// `esoz_kernel::idempotency::RETENTION`.
    keys: HashMap<[u8; 32], (IdempotentRequest, Timestamp, ContractDivision)>,
}

/// Who changed what, on whose request; the record before and after.
#[derive(Debug, Clone, PartialEq)]
struct AuditRow {
    actor: UserId,
    request_id: RequestId,
    before: Option<ContractDivision>,
    after: ContractDivision,
}

impl Tables {
    /// All that the rules read. Nothing is filtered: what an inactive record means is for the rules to say.
    fn facts(&self, id: ContractDivisionId, pair: Option<Pair>) -> Facts {
        let record = self.contract_divisions.get(&id).copied();
        let is_the_pair = |other: &ContractDivision| {
            let ContractDivision { contract_id, division_id, .. } = *other;
            pair == Some(Pair { contract_id, division_id })
        };
        Facts {
            current: record.and_then(|record| {
                self.contracts
                    .get(&record.contract_id)
                    .map(|contract| Current { record, contract: *contract })
            }),
            division: pair.and_then(|pair| self.divisions.get(&pair.division_id)).copied(),
            contract: pair.and_then(|pair| self.contracts.get(&pair.contract_id)).copied(),
            is_pair_taken: self
                .contract_divisions
                .values()
                .any(|other| other.id != id && other.is_active && is_the_pair(other)),
        }
    }
}

impl Ledger {
    fn lock(&self, attempted: &str) -> Result<MutexGuard<'_, Tables>, StoreError> {
        self.tables.lock().map_err(|_| StoreError::new(StoreErrorKind::Unexpected, attempted))
    }
}

#[async_trait]
impl ContractDivisions for Ledger {
    async fn find(&self, id: ContractDivisionId) -> Result<Option<Current>, StoreError> {
        Ok(self.lock("finding a contract division")?.facts(id, None).current)
    }

    async fn list(
        &self,
        filter: &Filter,
        page: PageRequest,
    ) -> Result<Page<Result<ContractDivision, StoreError>>, StoreError> {
        let tables = self.lock("listing contract divisions")?;
        let all = tables.contract_divisions.keys().filter_map(|id| tables.facts(*id, None).current);
        let mut matching: Vec<_> =
            all.filter(|current| filter.matches(current)).map(|current| current.record).collect();
        matching.sort_by_key(|record| (record.stamps.inserted_at, record.id));
        Ok(Page::of(matching.into_iter().map(Ok).collect(), page))
    }

    /// The heart of the port: read the facts under a lock, look the key up, decide, write. A database locks the rows instead.
    async fn write(&self, write: &Write) -> Result<Written<ContractDivision, Refusal>, StoreError> {
        let mut tables = self.lock("writing a contract division")?;
        if let Some(idempotency) = &write.idempotency
            && let Some((kept, since, first_answer)) = tables.keys.get(idempotency.key())
            && let Some(replay) = idempotency.replay(kept.request(), *since, write.at, || *first_answer)
        {
            return Ok(replay.into());
        }
        let after = match (write.decide)(&tables.facts(write.id, write.pair)) {
            Ok(after) => after,
            Err(refusal) => return Ok(Written::Refused(refusal)),
        };
        let before = tables.contract_divisions.insert(write.id, after);
        tables.audit.push(AuditRow {
            actor: after.stamps.updated_by,
            request_id: write.request_id.clone(),
            before,
            after,
        });
        if let Some(idempotency) = write.idempotency {
            tables.keys.insert(*idempotency.key(), (idempotency, write.at, after));
        }
        Ok(Written::Applied(after))
    }
}

/// Port 2: time. A service takes `SystemClock` from `esoz_kernel::system`; here it is fixed, so that the output is always the same.
struct NewYear;

impl Clock for NewYear {
    fn now(&self) -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }
}

const CLERK: UserId = UserId::new(Uuid::from_u128(0xA));
const HEALTH_SERVICE: ClientId = ClientId::new(Uuid::from_u128(0xB));
const CLINIC: LegalEntityId = LegalEntityId::new(Uuid::from_u128(0xC));
const OTHER_CLINIC: LegalEntityId = LegalEntityId::new(Uuid::from_u128(0xD));
const CONTRACT: ContractId = ContractId::new(Uuid::from_u128(0x10));
const OLD_DIVISION: DivisionId = DivisionId::new(Uuid::from_u128(0x20));
const NEW_DIVISION: DivisionId = DivisionId::new(Uuid::from_u128(0x21));
const FOREIGN_DIVISION: DivisionId = DivisionId::new(Uuid::from_u128(0x22));
const RECORD: ContractDivisionId = ContractDivisionId::new(Uuid::from_u128(0x30));

fn main() {
    let ledger = Arc::new(Ledger { tables: Mutex::new(tables()) });
    // The operation on its ports. It is cheap to clone and can be shared by all requests.
    let update = UpdateContractDivision { contract_divisions: ledger.clone(), clock: Arc::new(NewYear) };

    // Who calls, with which software. A service gets both from `esoz_auth::Authentication`, or from its own way to know its callers.
    let scope = Scope::parse("private_contracts:write");
    let caller = Caller {
        principal: Principal { user_id: CLERK, client_id: HEALTH_SERVICE, scope: scope.clone() },
        api_key: Some(ApiKeyHolder { client_id: HEALTH_SERVICE, scope }),
    };
    // The permit proves that both scopes were checked: without one there is no way to call the use case.
    let permit = authorize::<UpdateContractDivision>(&caller).unwrap();
    let request_id = RequestId::from_uuid(Uuid::from_u128(0xF));
    let pointing_at = |division_id| UpdateInput {
        id: Some(RECORD),
        pair: Pair { division_id, contract_id: CONTRACT },
        request_id: request_id.clone(),
        idempotency_key: None,
    };

    // A success.
    let updated = pollster::block_on(update.execute(&permit, pointing_at(NEW_DIVISION))).unwrap();
    println!("updated: {updated:?}");
    assert_eq!((updated.division_id, updated.contract_id), (NEW_DIVISION, CONTRACT));
    assert_eq!((updated.stamps.updated_at, updated.stamps.updated_by), (NewYear.now(), CLERK));
    assert_eq!(updated.stamps.inserted_at, Timestamp::UNIX_EPOCH, "who made it, and when, stays");

    // The audit row that goes with it.
    let audit = ledger.lock("looking at the audit").unwrap().audit.clone();
    println!("audit:   {audit:?}");
    let before = Some(ContractDivision { division_id: OLD_DIVISION, stamps: made_by(CLERK), ..updated });
    assert_eq!(audit, [AuditRow { actor: CLERK, request_id: request_id.clone(), before, after: updated }]);

    // Marked with a key, a repetition gets the first answer again, and is not audited.
    let marked = || UpdateInput {
        idempotency_key: IdempotencyKey::parse("a-key-of-the-client"),
        ..pointing_at(NEW_DIVISION)
    };
    let first = pollster::block_on(update.execute(&permit, marked())).unwrap();
    assert_eq!(pollster::block_on(update.execute(&permit, marked())).unwrap(), first);
    assert_eq!(ledger.lock("looking at the audit").unwrap().audit.len(), 2);

    // A refusal. `kind` is what a transport needs to choose its code, `entry` the property it is about, `Display` the text for
    // the caller.
    let refusal = pollster::block_on(update.execute(&permit, pointing_at(FOREIGN_DIVISION))).unwrap_err();
    println!("refused: {refusal} ({:?} at {:?})", refusal.kind(), refusal.entry());
    assert!(matches!(refusal, UpdateError::Refused(Refusal::DivisionOfAnotherLegalEntity)));
    assert_eq!((refusal.kind(), refusal.entry().as_deref()), (ErrorKind::Conflict, Some("$.division_id")));
    assert_eq!(refusal.to_string(), "Division is not correspond to contractor legal entity");
    let tables = ledger.lock("looking at what is stored").unwrap();
    assert_eq!(tables.contract_divisions.get(&RECORD), Some(&updated), "a refusal changes nothing");
    assert_eq!(tables.audit.len(), 2, "and is not audited");
}

/// One contract of the clinic, two of its divisions, one of another clinic, and the record that points at the first.
fn tables() -> Tables {
    let contract = Contract { id: CONTRACT, kind: ContractType::GbCbp, contractor: CLINIC, is_active: true };
    let divisions = [(OLD_DIVISION, CLINIC), (NEW_DIVISION, CLINIC), (FOREIGN_DIVISION, OTHER_CLINIC)];
    let record = ContractDivision {
        id: RECORD,
        contract_id: CONTRACT,
        division_id: OLD_DIVISION,
        is_active: true,
        stamps: made_by(CLERK),
    };
    Tables {
        contracts: HashMap::from([(CONTRACT, contract)]),
        divisions: divisions
            .map(|(id, legal_entity)| (id, Division { id, legal_entity, is_active: true }))
            .into(),
        contract_divisions: HashMap::from([(RECORD, record)]),
        audit: Vec::new(),
        keys: HashMap::new(),
    }
}

fn made_by(user: UserId) -> Stamps {
    let at = Timestamp::UNIX_EPOCH;
    Stamps { inserted_at: at, inserted_by: user, updated_at: at, updated_by: user }
}
