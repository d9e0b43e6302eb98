//! Each rule of the update, given facts in which only one thing is wrong, then the order of the rules.

use esoz_kernel::{ContractDivisionId, LegalEntityId, Uuid};

use super::super::facts::{Current, Division};
use super::*;

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

/// Facts that nothing speaks against.
fn facts() -> Facts {
    let by = UserId::new(Uuid::from_u128(5));
    let at = Timestamp::UNIX_EPOCH;
    let record = ContractDivision {
        id: ContractDivisionId::new(Uuid::from_u128(30)),
        contract_id: ContractId::new(Uuid::from_u128(10)),
        division_id: DivisionId::new(Uuid::from_u128(21)),
        is_active: true,
        stamps: Stamps { inserted_at: at, inserted_by: by, updated_at: at, updated_by: by },
    };
    Facts {
        current: Some(Current { record, contract: contract(10, CLINIC) }),
        division: Some(division(CLINIC)),
        contract: Some(contract(11, CLINIC)),
        is_pair_taken: false,
    }
}

/// One way in which a rule can fail: which answer, what is wrong, and how to make it so.
struct Fault {
    refusal: Refusal,
    what: &'static str,
    spoil: fn(&mut Facts),
}

/// The ways in which each rule can fail, in the order of the rules. Spoiling what another fault took away does nothing.
fn faults() -> Vec<Fault> {
    let fault = |refusal, what, spoil| Fault { refusal, what, spoil };
    vec![
        fault(Refusal::RECORD_NOT_FOUND, "no record", |facts| facts.current = None),
        fault(Refusal::RECORD_NOT_FOUND, "inactive record", |facts| {
            facts.current = facts.current.map(|mut current| {
                current.record.is_active = false;
                current
            });
        }),
        fault(Refusal::NotGlobalBudget, "capitation", |facts| {
            in_current_contract(facts, |contract| contract.kind = ContractType::Capitation);
        }),
        fault(Refusal::NotGlobalBudget, "reimbursement", |facts| {
            in_current_contract(facts, |contract| contract.kind = ContractType::Reimbursement);
        }),
        fault(Refusal::NotGlobalBudget, "a type that is not known", |facts| {
            in_current_contract(facts, |contract| contract.kind = ContractType::Other);
        }),
        fault(Refusal::NotGlobalBudget, "inactive contract", |facts| {
            in_current_contract(facts, |contract| contract.is_active = false);
        }),
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
fn given_nothing_wrong_then_the_update_is_accepted() {
    assert_eq!(decide(&facts()), Ok(facts().current.unwrap().record));
}

#[test]
fn an_update_sets_division_contract_and_the_two_stamps_of_the_update() {
    let change =
        Change { division_id: division(CLINIC).id, contract_id: ContractId::new(Uuid::from_u128(11)) };
    let (at, by) = (Timestamp::new(1, 0).unwrap(), UserId::new(Uuid::from_u128(6)));
    let before = facts().current.unwrap().record;
    let stamps = Stamps { updated_at: at, updated_by: by, ..before.stamps };
    let after = ContractDivision {
        division_id: change.division_id,
        contract_id: change.contract_id,
        stamps,
        ..before
    };
    assert_eq!(change.update(at, by)(&facts()), Ok(after));
}

#[test]
fn given_one_fault_then_its_rule_answers() {
    for Fault { refusal, what, spoil } in faults() {
        let mut facts = facts();
        spoil(&mut facts);
        assert_eq!(decide(&facts), Err(refusal), "{what}");
    }
}

#[test]
fn given_two_faults_then_the_earlier_rule_answers() {
    let faults = faults();
    for (index, first) in faults.iter().enumerate() {
        for second in &faults[index..] {
            let mut facts = facts();
            (first.spoil)(&mut facts);
            (second.spoil)(&mut facts);
            assert_eq!(decide(&facts), Err(first.refusal), "{} and {}", first.what, second.what);
        }
    }
}

#[test]
fn given_a_contract_of_another_legal_entity_with_its_own_division_then_it_is_accepted() {
    let mut facts = facts();
    facts.contract = Some(contract(11, OTHER_CLINIC));
    facts.division = Some(division(OTHER_CLINIC));
    assert!(decide(&facts).is_ok());
}

#[test]
fn given_no_such_contract_then_rule_9_answers_and_not_rule_8() {
    let mut facts = facts();
    facts.contract = None;
    facts.division = Some(division(OTHER_CLINIC));
    assert_eq!(decide(&facts), Err(Refusal::ContractNotUsable));
}
