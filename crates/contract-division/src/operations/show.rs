use std::sync::Arc;

use esoz_auth::{CallerKind, Operation, Permit};
use esoz_kernel::{ContractDivisionId, StoreError, failure};

use crate::{ContractDivision, ContractDivisions, LookupError, NoRecord, Visibility};

failure! {
    /// Why a contract division was not shown.
    #[derive(Debug)]
    pub enum ShowError {
    } wraps {
        /// It is not shown by this method (D07).
        Lookup(LookupError);
        /// A store failed.
        Store(StoreError) => "the contract division could not be shown";
    }
}

/// Shows a contract division.
#[derive(Clone)]
pub struct ShowContractDivision {
    /// Where the records are kept.
    pub contract_divisions: Arc<dyn ContractDivisions>,
}

impl Operation for ShowContractDivision {
    const NAME: &'static str = "show_contract_division";
    const SCOPE: &'static str = "private_contracts:read";
    const CALLER: CallerKind = CallerKind::UserWithApiKey;
    type Error = ShowError;
}

impl ShowContractDivision {
    /// Finds the record with that id; `None` is an id that was no UUID.
    ///
    /// # Errors
    /// [`ShowError`].
    pub async fn execute(
        &self,
        _: &Permit<Self>,
        id: Option<ContractDivisionId>,
    ) -> Result<ContractDivision, ShowError> {
        let not_found = |why| ShowError::Lookup(LookupError::NotFound(why));
        let id = id.ok_or(not_found(NoRecord::MalformedId))?;
        let found = self.contract_divisions.find(id).await.map_err(ShowError::Store)?;
        let current = found.ok_or(not_found(NoRecord::Unknown))?;
        match Visibility::SHOWN.hidden(&current) {
            None => Ok(current.record),
            Some(why) => Err(not_found(why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use esoz_auth::{ApiKeyHolder, Caller, Principal, Scope, authorize};
    use esoz_kernel::{
        ClientId, ContractId, DivisionId, ErrorKind, Failure as _, LegalEntityId, Stamps, StoreErrorKind,
        Timestamp, UserId, Uuid,
    };
    use pollster::block_on;

    use super::*;
    use crate::{Contract, ContractType, Current, MockContractDivisions};

    const ID: ContractDivisionId = ContractDivisionId::new(Uuid::from_u128(1));
    const USER: UserId = UserId::new(Uuid::from_u128(2));

    fn current() -> Current {
        let contract_id = ContractId::new(Uuid::from_u128(3));
        let at = Timestamp::UNIX_EPOCH;
        Current {
            record: ContractDivision {
                id: ID,
                contract_id,
                division_id: DivisionId::new(Uuid::from_u128(4)),
                is_active: true,
                stamps: Stamps { inserted_at: at, inserted_by: USER, updated_at: at, updated_by: USER },
            },
            contract: Contract {
                id: contract_id,
                kind: ContractType::GbCbp,
                contractor: LegalEntityId::new(Uuid::from_u128(5)),
                is_active: true,
            },
        }
    }

    fn show(
        id: Option<ContractDivisionId>,
        found: Result<Option<Current>, StoreError>,
    ) -> Result<ContractDivision, ShowError> {
        let mut contract_divisions = MockContractDivisions::new();
        contract_divisions.expect_find().withf(|id| *id == ID).return_once(|_| found);
        let (client_id, scope) =
            (ClientId::new(Uuid::from_u128(6)), Scope::parse(ShowContractDivision::SCOPE));
        let api_key = Some(ApiKeyHolder { client_id, scope: scope.clone() });
        let principal = Principal { user_id: USER, client_id, scope };
        let permit = authorize(&Caller { principal, api_key }).unwrap();
        let operation = ShowContractDivision { contract_divisions: Arc::new(contract_divisions) };
        block_on(operation.execute(&permit, id))
    }

    #[test]
    fn given_an_active_record_of_a_global_budget_then_it_is_shown_whether_or_not_its_contract_is_active() {
        for is_active in [true, false] {
            let mut current = current();
            current.contract.is_active = is_active;
            assert_eq!(show(Some(ID), Ok(Some(current))).unwrap(), current.record);
        }
    }

    #[test]
    fn given_anything_else_then_it_is_not_found() {
        let mut inactive = current();
        inactive.record.is_active = false;
        let of_type = |kind| Current { contract: Contract { kind, ..current().contract }, ..current() };
        let others =
            [ContractType::Capitation, ContractType::Reimbursement, ContractType::Other].map(of_type);
        let found = [(None, "unknown"), (Some(inactive), "inactive")]
            .into_iter()
            .chain(others.map(|other| (Some(other), "other_contract_type")))
            .map(|(found, reason)| (show(Some(ID), Ok(found)), reason));
        for (outcome, reason) in found.chain([(show(None, Ok(Some(current()))), "malformed_id")]) {
            let error = outcome.unwrap_err();
            assert_eq!((error.kind(), error.reason()), (ErrorKind::NotFound, Some(reason)));
            assert_eq!(error.to_string(), "Contract division with such id is not found");
            assert_eq!(error.entry(), None);
        }
    }

    #[test]
    fn given_a_store_that_fails_then_the_failure_is_passed_on() {
        let error = show(Some(ID), Err(StoreError::new(StoreErrorKind::Unavailable, "testing"))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
}
