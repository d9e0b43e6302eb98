use std::sync::Arc;

use esoz_auth::{CallerKind, Operation, Permit};
use esoz_kernel::{ContractDivisionId, ContractId, DivisionId, Listed, PageRequest, StoreError, failure};

use crate::{ContractDivision, ContractDivisions, Filter, Visibility};

/// Which contract divisions to list: those that meet every filter that is given.
#[derive(Debug, Clone)]
pub struct ListInput {
    /// With this id.
    pub id: Option<ContractDivisionId>,
    /// Of this contract.
    pub contract_id: Option<ContractId>,
    /// Of this division.
    pub division_id: Option<DivisionId>,
    /// With this `is_active`. Records that are not active are never shown.
    pub is_active: Option<bool>,
    /// The page of the list.
    pub page: PageRequest,
}

failure! {
    /// Why contract divisions were not listed.
    #[derive(Debug)]
    pub enum ListError {
    } wraps {
        /// A store failed.
        Store(StoreError) => "the contract divisions could not be listed";
    }
}

/// Lists contract divisions.
#[derive(Clone)]
pub struct ListContractDivisions {
    /// Where the records are kept.
    pub contract_divisions: Arc<dyn ContractDivisions>,
}

impl Operation for ListContractDivisions {
    const NAME: &'static str = "list_contract_divisions";
    const SCOPE: &'static str = "private_contracts:read";
    const CALLER: CallerKind = CallerKind::UserWithApiKey;
    type Error = ListError;
}

impl ListContractDivisions {
    /// The most entries of a page.
    pub const MAX_PAGE_SIZE: u32 = 500;

    /// Lists a page of the records that are shown, oldest first (D08). A record that cannot be read is left out.
    ///
    /// # Errors
    /// [`ListError`].
    pub async fn execute(
        &self,
        _: &Permit<Self>,
        input: ListInput,
    ) -> Result<Listed<ContractDivision>, ListError> {
        let ListInput { id, contract_id, division_id, is_active, page } = input;
        let visibility = Visibility::SHOWN;
        if is_active.is_some_and(|is_active| is_active != visibility.is_active) {
            return Ok(Listed::empty());
        }
        let filter = Filter { id, contract_id, division_id, visibility };
        Ok(self.contract_divisions.list(&filter, page).await.map_err(ListError::Store)?.into())
    }
}

#[cfg(test)]
mod tests {
    use esoz_auth::{ApiKeyHolder, Caller, Principal, Scope, authorize};
    use esoz_kernel::{ClientId, ErrorKind, Failure as _, Page, StoreErrorKind, UserId, Uuid};
    use pollster::block_on;

    use super::*;
    use crate::{ContractType, MockContractDivisions};

    fn list(
        contract_divisions: MockContractDivisions,
        input: ListInput,
    ) -> Result<Listed<ContractDivision>, ListError> {
        let (client_id, scope) = (ClientId::new(Uuid::nil()), Scope::parse(ListContractDivisions::SCOPE));
        let api_key = Some(ApiKeyHolder { client_id, scope: scope.clone() });
        let principal = Principal { user_id: UserId::new(Uuid::nil()), client_id, scope };
        let permit = authorize(&Caller { principal, api_key }).unwrap();
        block_on(
            ListContractDivisions { contract_divisions: Arc::new(contract_divisions) }
                .execute(&permit, input),
        )
    }

    fn input(is_active: Option<bool>) -> ListInput {
        let contract_id = Some(ContractId::new(Uuid::from_u128(1)));
        let page = PageRequest::new(2, 3).unwrap();
        ListInput { id: None, contract_id, division_id: None, is_active, page }
    }

    #[test]
    fn given_filters_then_active_records_of_global_budgets_alone_are_asked_for() {
        for is_active in [None, Some(true)] {
            let mut port = MockContractDivisions::new();
            let visibility = Visibility { is_active: true, contract_type: ContractType::GbCbp };
            let contract_id = Some(ContractId::new(Uuid::from_u128(1)));
            let expected = Filter { id: None, contract_id, division_id: None, visibility };
            port.expect_list()
                .withf(move |filter, page| *filter == expected && *page == PageRequest::new(2, 3).unwrap())
                .times(1)
                .return_once(|_, _| {
                    let corrupt = StoreError::corrupt("contract_divisions", 2, "inserted_at");
                    Ok(Page { items: vec![Err(corrupt)], total_entries: 7 })
                });
            let listed = list(port, input(is_active)).unwrap();
            assert_eq!((listed.page.total_entries, listed.unreadable.len()), (7, 1));
        }
    }

    #[test]
    fn given_inactive_records_are_asked_for_then_there_are_none_and_no_store_is_asked() {
        assert_eq!(list(MockContractDivisions::new(), input(Some(false))).unwrap().page, Page::empty());
    }

    #[test]
    fn given_a_store_that_fails_then_the_failure_is_passed_on() {
        let mut port = MockContractDivisions::new();
        port.expect_list().returning(|_, _| Err(StoreError::new(StoreErrorKind::Unavailable, "testing")));
        assert_eq!(list(port, input(None)).unwrap_err().kind(), ErrorKind::Unavailable);
    }
}
