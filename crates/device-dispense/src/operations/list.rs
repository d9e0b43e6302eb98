use std::sync::Arc;

use esoz_auth::{CallerKind, Operation, Permit};
use esoz_kernel::{Listed, PageRequest, PatientId, StoreError, failure};

use super::{ListedDispense, with_patients};
use crate::{DeviceDispenses, Dispense, Filter, PatientPseudonyms};

/// Which dispenses of the caller's legal entity to list.
#[derive(Debug, Clone)]
pub struct ListInput {
    /// What they must meet. Its subject is not looked at.
    pub filter: Filter,
    /// The page of the list.
    pub page: PageRequest,
}

failure! {
    /// Why dispenses were not listed.
    #[derive(Debug)]
    pub enum ListError {
    } wraps {
        /// A store failed.
        Store(StoreError) => "the dispenses could not be listed";
    }
}

/// Lists the device dispenses of the legal entity that the caller acts for.
#[derive(Clone)]
pub struct ListDispenses {
    /// Where dispenses are kept.
    pub dispenses: Arc<dyn DeviceDispenses>,
    /// The pseudonyms of patients.
    pub pseudonyms: Arc<dyn PatientPseudonyms>,
}

impl Operation for ListDispenses {
    const NAME: &'static str = "list_device_dispenses";
    const SCOPE: &'static str = "device_dispense:read";
    const CALLER: CallerKind = CallerKind::User;
    type Error = ListError;
}

impl ListDispenses {
    /// The most entries of a page.
    pub const MAX_PAGE_SIZE: u32 = 300;

    /// Lists a page of the dispenses that belong to the caller's legal entity, whatever its status and type, oldest first (L02).
    ///
    /// A dispense that cannot be read, or whose subject is no pseudonym, is left out (L10).
    ///
    /// # Errors
    /// [`ListError`].
    pub async fn execute(
        &self,
        permit: &Permit<Self>,
        input: ListInput,
    ) -> Result<Listed<ListedDispense>, ListError> {
        let filter = Filter { subject: None, ..input.filter }.narrowed_to(permit.client().into());
        let Some(filter) = filter else { return Ok(Listed::empty()) };
        let listed = self.dispenses.list(&filter, input.page).await.map_err(ListError::Store)?;
        Ok(with_patients(listed, |dispense| self.patient(dispense)))
    }

    fn patient(&self, dispense: &Dispense) -> Result<Option<PatientId>, StoreError> {
        let patient = self.pseudonyms.patient(&dispense.subject);
        patient
            .map_err(|error| StoreError::corrupt("device_dispenses", dispense.id, "subject").because(error))
    }
}

#[cfg(test)]
mod tests {
    use esoz_kernel::{
        ClientId, DispenseId, ErrorKind, Failure as _, LegalEntityId, Page, StoreErrorKind, UserId, Uuid,
    };
    use pollster::block_on;

    use super::super::fixtures::permit;
    use super::*;
    use crate::{DispenseStatus, InvalidPseudonym, MockDeviceDispenses, MockPatientPseudonyms, Pseudonym};

    const OWNER: Uuid = Uuid::from_u128(3);
    const PATIENT: PatientId = PatientId::new(Uuid::from_u128(2));

    fn dispense(id: u128, subject: &str) -> Dispense {
        Dispense {
            id: DispenseId::new(Uuid::from_u128(id)),
            status: DispenseStatus::Completed,
            subject: Pseudonym::new(subject),
            owner: LegalEntityId::new(OWNER),
            record: serde_json::Map::new(),
        }
    }

    fn input(filter: Filter) -> ListInput {
        ListInput { filter, page: PageRequest::new(2, 3).unwrap() }
    }

    fn list(
        dispenses: MockDeviceDispenses,
        pseudonyms: MockPatientPseudonyms,
        input: ListInput,
    ) -> Result<Listed<ListedDispense>, ListError> {
        let list = ListDispenses { dispenses: Arc::new(dispenses), pseudonyms: Arc::new(pseudonyms) };
        let permit = permit(UserId::new(Uuid::nil()), ClientId::new(OWNER));
        block_on(list.execute(&permit, input))
    }

    #[test]
    fn given_a_filter_then_the_callers_own_of_any_patient_are_asked_for() {
        let owner = LegalEntityId::new(OWNER);
        for asked in [None, Some(owner)] {
            let mut port = MockDeviceDispenses::new();
            let status = Some(DispenseStatus::Stopped);
            let expected = Filter { owner: Some(owner), status, ..Filter::default() };
            port.expect_list()
                .withf(move |filter, page| *filter == expected && *page == PageRequest::new(2, 3).unwrap())
                .times(1)
                .returning(|_, _| Ok(Page { items: Vec::new(), total_entries: 7 }));
            let filter =
                Filter { owner: asked, subject: Some(Pseudonym::new("P")), status, ..Filter::default() };
            let listed = list(port, MockPatientPseudonyms::new(), input(filter)).unwrap();
            assert_eq!(listed.page.total_entries, 7);
        }
    }

    #[test]
    fn given_those_of_another_are_asked_for_then_there_are_none_and_no_store_is_asked() {
        let filter = Filter { owner: Some(LegalEntityId::new(Uuid::from_u128(9))), ..Filter::default() };
        let listed = list(MockDeviceDispenses::new(), MockPatientPseudonyms::new(), input(filter)).unwrap();
        assert_eq!((listed.page, listed.unreadable.len()), (Page::empty(), 0));
    }

    #[test]
    fn given_what_cannot_be_read_then_it_is_left_out_and_named() {
        let mut port = MockDeviceDispenses::new();
        port.expect_list().return_once(|_, _| {
            let corrupt = StoreError::corrupt("device_dispenses", 2, "status");
            let items =
                vec![Ok(dispense(1, "P")), Err(corrupt), Ok(dispense(3, "none")), Ok(dispense(4, "?"))];
            Ok(Page { items, total_entries: 9 })
        });
        let mut pseudonyms = MockPatientPseudonyms::new();
        pseudonyms.expect_patient().returning(|pseudonym| match pseudonym.expose() {
            "P" => Ok(Some(PATIENT)),
            "?" => Ok(None),
            _ => Err(InvalidPseudonym),
        });
        let Listed { page, unreadable } = list(port, pseudonyms, input(Filter::default())).unwrap();
        let items = vec![(dispense(1, "P"), Some(PATIENT)), (dispense(4, "?"), None)];
        assert_eq!(page, Page { items, total_entries: 9 });
        let named: Vec<String> = unreadable.iter().map(StoreError::with_causes).collect();
        assert!(named[0].contains("id 2: field status"), "{named:?}");
        let third = Uuid::from_u128(3);
        assert!(named[1].contains(&format!("id {third}: field subject")), "{named:?}");
        assert_eq!(named.len(), 2);
    }

    #[test]
    fn given_a_store_that_fails_then_the_failure_is_passed_on() {
        let mut port = MockDeviceDispenses::new();
        port.expect_list().returning(|_, _| Err(StoreError::new(StoreErrorKind::Unavailable, "testing")));
        let error = list(port, MockPatientPseudonyms::new(), input(Filter::default())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
}
