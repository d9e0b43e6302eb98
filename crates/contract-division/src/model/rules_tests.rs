//! Each rule of the writes, given facts in which only one thing is wrong, then the order of the rules.

use esoz_kernel::{ErrorKind, Failure, IdempotencyError, LegalEntityId, StoreError, Uuid};

use super::super::facts::{Current, Division};
use super::*;
use crate::{CreateError, DeleteError, UpdateError};

const CLINIC: u128 = 1;
const OTHER_CLINIC: u128 = 2;

fn contract(id: u128, contractor: u128) -> Contract {
    Contract {
        id: ContractId::new(Uuid::from_u128(id)),
        kind: ContractType::GbCbp,
        contractor: LegalEntityId::new(Uuid::from_u128(contractor)),
        is_active: true,
    }
}

fn division(legal_entity: u128) -> Division {
    Division {
        id: DivisionId::new(Uuid::from_u128(20)),
        legal_entity: LegalEntityId::new(Uuid::from_u128(legal_entity)),
        is_active: true,
    }
}

const BY: UserId = UserId::new(Uuid::from_u128(6));

fn at() -> Timestamp {
    Timestamp::new(1, 0).unwrap()
}

fn pair() -> Pair {
    Pair { division_id: division(CLINIC).id, contract_id: ContractId::new(Uuid::from_u128(11)) }
}

fn record() -> ContractDivision {
    let (at, by) = (Timestamp::UNIX_EPOCH, UserId::new(Uuid::from_u128(5)));
    ContractDivision {
        id: ContractDivisionId::new(Uuid::from_u128(30)),
        contract_id: ContractId::new(Uuid::from_u128(10)),
        division_id: DivisionId::new(Uuid::from_u128(21)),
        is_active: true,
        stamps: Stamps { inserted_at: at, inserted_by: by, updated_at: at, updated_by: by },
    }
}

/// Facts about an update that nothing speaks against.
fn to_update() -> Facts {
    Facts { current: Some(Current { record: record(), contract: contract(10, CLINIC) }), ..to_create() }
}

/// Facts about a create that nothing speaks against.
fn to_create() -> Facts {
    Facts {
        current: None,
        division: Some(division(CLINIC)),
        contract: Some(contract(11, CLINIC)),
        is_pair_taken: false,
    }
}

/// Facts about a delete that nothing speaks against.
fn to_delete() -> Facts {
    Facts { division: None, contract: None, ..to_update() }
}

/// A decision, facts that it accepts, what can be wrong with them in the order of its rules, and the codes that its operation lists.
struct Case {
    decide: Decide,
    facts: Facts,
    faults: Vec<Fault>,
    codes: Vec<&'static str>,
}

fn cases() -> [Case; 3] {
    let create = Case {
        decide: decide_create(record().id, pair(), at(), BY),
        facts: to_create(),
        faults: faults_of_the_pair(),
        codes: CreateError::codes(),
    };
    let update = Case {
        decide: decide_update(pair(), at(), BY),
        facts: to_update(),
        faults: [faults_of_the_record(), faults_of_its_contract(), faults_of_the_pair()].concat(),
        codes: UpdateError::codes(),
    };
    let other_types = faults_of_its_contract()
        .into_iter()
        .filter(|fault| fault.what != INACTIVE_CONTRACT)
        .map(|fault| Fault { refusal: Refusal::NotDeletable, ..fault });
    let delete = Case {
        decide: decide_delete(at(), BY),
        facts: to_delete(),
        faults: faults_of_the_record().into_iter().chain(other_types).collect(),
        codes: DeleteError::codes(),
    };
    [create, update, delete]
}

/// One way in which a rule can fail: which answer, what is wrong, and how to make it so. Spoiling what another fault took away does
/// nothing.
#[derive(Clone)]
struct Fault {
    refusal: Refusal,
    what: &'static str,
    spoil: fn(&mut Facts),
}

fn fault(refusal: Refusal, what: &'static str, spoil: fn(&mut Facts)) -> Fault {
    Fault { refusal, what, spoil }
}

fn faults_of_the_record() -> Vec<Fault> {
    vec![
        fault(Refusal::RECORD_NOT_FOUND, "no record", |facts| facts.current = None),
        fault(Refusal::RECORD_INACTIVE, "inactive record", |facts| {
            facts.current = facts.current.map(|mut current| {
                current.record.is_active = false;
                current
            });
        }),
    ]
}

const INACTIVE_CONTRACT: &str = "inactive contract";

fn faults_of_its_contract() -> Vec<Fault> {
    vec![
        fault(Refusal::NotGlobalBudget, "capitation", |facts| {
            in_current_contract(facts, |contract| contract.kind = ContractType::Capitation);
        }),
        fault(Refusal::NotGlobalBudget, "reimbursement", |facts| {
            in_current_contract(facts, |contract| contract.kind = ContractType::Reimbursement);
        }),
        fault(Refusal::NotGlobalBudget, "a type that is not known", |facts| {
            in_current_contract(facts, |contract| contract.kind = ContractType::Other);
        }),
        fault(Refusal::NotGlobalBudget, INACTIVE_CONTRACT, |facts| {
            in_current_contract(facts, |contract| contract.is_active = false);
        }),
    ]
}

fn faults_of_the_pair() -> Vec<Fault> {
    vec![
        fault(Refusal::DivisionNotFound, "no division", |facts| facts.division = None),
        fault(Refusal::DivisionNotFound, "inactive division", |facts| {
            facts.division = facts.division.map(|division| Division { is_active: false, ..division });
        }),
        fault(Refusal::DivisionOfAnotherLegalEntity, "another legal entity's division", |facts| {
            let legal_entity = LegalEntityId::new(Uuid::from_u128(OTHER_CLINIC));
            facts.division = facts.division.map(|division| Division { legal_entity, ..division });
        }),
        fault(Refusal::ContractNotUsable, "new contract inactive", |facts| {
            facts.contract = facts.contract.map(|contract| Contract { is_active: false, ..contract });
        }),
        fault(Refusal::ContractNotUsable, "new contract capitation", |facts| {
            facts.contract =
                facts.contract.map(|contract| Contract { kind: ContractType::Capitation, ..contract });
        }),
        fault(Refusal::ContractNotUsable, "new contract of a type that is not known", |facts| {
            facts.contract =
                facts.contract.map(|contract| Contract { kind: ContractType::Other, ..contract });
        }),
        fault(Refusal::PairTaken, "pair taken", |facts| facts.is_pair_taken = true),
    ]
}

fn in_current_contract(facts: &mut Facts, spoil: fn(&mut Contract)) {
    if let Some(current) = &mut facts.current {
        spoil(&mut current.contract);
    }
}

#[test]
fn a_create_makes_an_active_record_that_the_user_inserted_and_updated_now() {
    let Pair { contract_id, division_id } = pair();
    let stamps = Stamps { inserted_at: at(), inserted_by: BY, updated_at: at(), updated_by: BY };
    let created = ContractDivision { contract_id, division_id, stamps, ..record() };
    assert_eq!(decide_create(record().id, pair(), at(), BY)(&to_create()), Ok(created));
}

#[test]
fn an_update_sets_division_contract_and_the_two_stamps_of_the_update() {
    let Pair { contract_id, division_id } = pair();
    let stamps = Stamps { updated_at: at(), updated_by: BY, ..record().stamps };
    let after = ContractDivision { contract_id, division_id, stamps, ..record() };
    assert_eq!(decide_update(pair(), at(), BY)(&to_update()), Ok(after));
}

#[test]
fn a_delete_sets_is_active_and_the_two_stamps_of_the_update_whether_or_not_the_contract_is_active() {
    let stamps = Stamps { updated_at: at(), updated_by: BY, ..record().stamps };
    let after = ContractDivision { is_active: false, stamps, ..record() };
    let mut facts = to_delete();
    for is_active in [true, false] {
        facts.current.as_mut().unwrap().contract.is_active = is_active;
        assert_eq!(decide_delete(at(), BY)(&facts), Ok(after));
    }
}

#[test]
fn given_one_fault_then_its_rule_answers() {
    for Case { decide, facts, faults, .. } in cases() {
        for Fault { refusal, what, spoil } in faults {
            let mut facts = facts;
            spoil(&mut facts);
            assert_eq!(decide(&facts), Err(refusal), "{what}");
        }
    }
}

#[test]
fn given_two_faults_then_the_earlier_rule_answers() {
    for Case { decide, facts, faults, .. } in cases() {
        for (index, first) in faults.iter().enumerate() {
            for second in &faults[index..] {
                let mut facts = facts;
                (first.spoil)(&mut facts);
                (second.spoil)(&mut facts);
                assert_eq!(decide(&facts), Err(first.refusal), "{} and {}", first.what, second.what);
            }
        }
    }
}

#[test]
fn the_error_of_each_operation_lists_the_refusals_of_its_rules_and_no_other() {
    for Case { faults, codes, .. } in cases() {
        let mut refusals: Vec<&str> = faults.iter().map(|fault| fault.refusal.code()).collect();
        refusals.dedup();
        assert_eq!(codes, [IdempotencyError::codes(), refusals, StoreError::codes()].concat());
    }
}

#[test]
fn given_a_contract_of_another_legal_entity_with_its_own_division_then_it_is_accepted() {
    for Case { decide, mut facts, .. } in cases() {
        facts.contract = Some(contract(11, OTHER_CLINIC));
        facts.division = Some(division(OTHER_CLINIC));
        assert!(decide(&facts).is_ok());
    }
}

#[test]
fn given_no_such_contract_then_rule_9_answers_and_not_rule_8() {
    for Case { decide, mut facts, .. } in cases().into_iter().take(2) {
        facts.contract = None;
        facts.division = Some(division(OTHER_CLINIC));
        assert_eq!(decide(&facts), Err(Refusal::ContractNotUsable));
    }
}

#[test]
fn each_refusal_is_answered_in_the_words_of_the_protocol() {
    const CONFLICT: ErrorKind = ErrorKind::Conflict;
    let answers = [
        (CONFLICT, None, "Only contract divisions for contract with type GB_CBP can be updated"),
        (CONFLICT, None, "Only contract divisions for contract with type GB_CBP can be deleted"),
        (ErrorKind::NotFound, Some("$.division_id"), "Division is not found"),
        (CONFLICT, Some("$.division_id"), "Division is not correspond to contractor legal entity"),
        (CONFLICT, Some("$.contract_id"), "Contract must be an active and with GB_CBP type"),
        (CONFLICT, Some("$.division_id"), "Contract division with such contract and division already exists"),
        (ErrorKind::NotFound, None, "Contract division with such id is not found"),
    ];
    let refusals = Refusal::examples();
    assert_eq!(refusals.len(), answers.len());
    for (refusal, (kind, entry, text)) in refusals.into_iter().zip(answers) {
        assert_eq!((refusal.kind(), refusal.entry().as_deref()), (kind, entry), "{refusal:?}");
        assert_eq!(refusal.to_string(), text);
    }
}
