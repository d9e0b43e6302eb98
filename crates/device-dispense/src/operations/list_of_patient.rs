use std::sync::Arc;

use esoz_auth::{CallerKind, Operation, Permit};
use esoz_kernel::{Listed, PageRequest, PatientId, StoreError, failure};

use super::{ListedDispense, with_patients};
use crate::{Access, DeviceDispenses, Filter, PatientAccess, PatientPseudonyms};

/// Which dispenses of a patient to list.
#[derive(Debug, Clone)]
pub struct ListOfPatientInput {
    /// The patient named in the request; `None` when that was no UUID.
    pub patient_id: Option<PatientId>,
    /// What they must meet. Its subject is not looked at.
    pub filter: Filter,
    /// The page of the list.
    pub page: PageRequest,
}

failure! {
    /// Why the dispenses of a patient were not listed: one variant for each answer of the conformance table. The texts are part of the
    /// protocol.
    #[derive(Debug)]
    pub enum ListOfPatientError {
        /// The patient cannot exist (L11).
        NotFound => NotFound, "not_found", "not_found";
        /// The caller has no access to the patient's dispenses (L11).
        AccessDenied => Forbidden, "access_denied", "Access denied";
    } wraps {
        /// A store failed.
        Store(StoreError) => "the dispenses of a patient could not be listed";
    }
}

/// Lists the device dispenses of a patient that the caller has access to.
#[derive(Clone)]
pub struct ListDispensesOfPatient {
    /// Where dispenses are kept.
    pub dispenses: Arc<dyn DeviceDispenses>,
    /// The pseudonyms of patients.
    pub pseudonyms: Arc<dyn PatientPseudonyms>,
    /// Whose dispenses the caller may list.
    pub patient_access: Arc<dyn PatientAccess>,
}

impl Operation for ListDispensesOfPatient {
    const NAME: &'static str = "list_device_dispenses_of_patient";
    const SCOPE: &'static str = "device_dispense:read";
    const CALLER: CallerKind = CallerKind::User;
    type Error = ListOfPatientError;
}

impl ListDispensesOfPatient {
    /// Lists a page of the patient's dispenses, oldest first: the caller's own, or everybody's, as [`PatientAccess`] decides (L11).
    ///
    /// A dispense that cannot be read is left out (L10).
    ///
    /// # Errors
    /// [`ListOfPatientError`] of the first rule that fails.
    pub async fn execute(
        &self,
        permit: &Permit<Self>,
        input: ListOfPatientInput,
    ) -> Result<Listed<ListedDispense>, ListOfPatientError> {
        let patient = input.patient_id.ok_or(ListOfPatientError::NotFound)?;
        let access = self.patient_access.access(permit.user(), permit.client(), patient).await;
        let filter = Filter { subject: Some(self.pseudonyms.of(patient)), ..input.filter };
        let filter = match access.map_err(ListOfPatientError::Store)? {
            Access::Denied => return Err(ListOfPatientError::AccessDenied),
            Access::Own => filter.narrowed_to(permit.client().into()),
            Access::All => Some(filter),
        };
        let Some(filter) = filter else { return Ok(Listed::empty()) };
        let listed = self.dispenses.list(&filter, input.page).await.map_err(ListOfPatientError::Store)?;
        Ok(with_patients(listed, |_| Ok(Some(patient))))
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
    use crate::{
        Dispense, DispenseStatus, MockDeviceDispenses, MockPatientAccess, MockPatientPseudonyms, Pseudonym,
    };

    const CLIENT: Uuid = Uuid::from_u128(3);
    const USER: UserId = UserId::new(Uuid::from_u128(4));
    const PATIENT: PatientId = PatientId::new(Uuid::from_u128(2));

    fn input() -> ListOfPatientInput {
        ListOfPatientInput { patient_id: Some(PATIENT), filter: Filter::default(), page: PageRequest::FIRST }
    }

    /// What is listed when that access is given.
    fn list(
        dispenses: MockDeviceDispenses,
        access: Result<Access, StoreError>,
        input: ListOfPatientInput,
    ) -> Result<Listed<ListedDispense>, ListOfPatientError> {
        let mut pseudonyms = MockPatientPseudonyms::new();
        pseudonyms.expect_of().withf(|patient| *patient == PATIENT).returning(|_| Pseudonym::new("P"));
        let mut patient_access = MockPatientAccess::new();
        patient_access
            .expect_access()
            .withf(|user, client, patient| (*user, client.uuid(), *patient) == (USER, CLIENT, PATIENT))
            .return_once(|_, _, _| access);
        let list = ListDispensesOfPatient {
            dispenses: Arc::new(dispenses),
            pseudonyms: Arc::new(pseudonyms),
            patient_access: Arc::new(patient_access),
        };
        let permit = permit(USER, ClientId::new(CLIENT));
        block_on(list.execute(&permit, input))
    }

    #[test]
    fn given_an_access_then_the_owners_that_it_allows_are_asked_for() {
        let (own, other) = (LegalEntityId::new(CLIENT), LegalEntityId::new(Uuid::from_u128(9)));
        for (access, asked, owner) in [
            (Access::Own, None, Some(own)),
            (Access::Own, Some(own), Some(own)),
            (Access::All, None, None),
            (Access::All, Some(other), Some(other)),
        ] {
            let mut port = MockDeviceDispenses::new();
            let subject = Some(Pseudonym::new("P"));
            let expected = Filter { owner, subject, ..Filter::default() };
            port.expect_list().withf(move |filter, _| *filter == expected).times(1).returning(move |_, _| {
                let dispense = Dispense {
                    id: DispenseId::new(Uuid::from_u128(1)),
                    status: DispenseStatus::Stopped,
                    subject: Pseudonym::new("P"),
                    owner: own,
                    record: serde_json::Map::new(),
                };
                let corrupt = StoreError::corrupt("device_dispenses", 2, "status");
                Ok(Page { items: vec![Ok(dispense), Err(corrupt)], total_entries: 2 })
            });
            let filter =
                Filter { owner: asked, subject: Some(Pseudonym::new("of another")), ..Filter::default() };
            let listed = list(port, Ok(access), ListOfPatientInput { filter, ..input() }).unwrap();
            let patients: Vec<_> = listed.page.items.iter().map(|(_, patient)| *patient).collect();
            assert_eq!(patients, [Some(PATIENT)]);
            assert_eq!((listed.page.total_entries, listed.unreadable.len()), (2, 1));
        }
    }

    #[test]
    fn given_no_access_or_those_of_another_then_no_store_is_asked() {
        let refused = list(MockDeviceDispenses::new(), Ok(Access::Denied), input()).unwrap_err();
        assert_eq!((refused.kind(), refused.to_string().as_str()), (ErrorKind::Forbidden, "Access denied"));
        assert!(refused.missing_allowances().is_empty());
        let filter = Filter { owner: Some(LegalEntityId::new(Uuid::from_u128(9))), ..Filter::default() };
        let asked = ListOfPatientInput { filter, ..input() };
        let listed = list(MockDeviceDispenses::new(), Ok(Access::Own), asked).unwrap();
        assert_eq!(listed.page, Page::empty());
    }

    #[test]
    fn given_a_patient_that_is_no_uuid_then_not_found() {
        let asked = ListOfPatientInput { patient_id: None, ..input() };
        let error = list(MockDeviceDispenses::new(), Ok(Access::Denied), asked).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }

    #[test]
    fn given_a_port_that_fails_then_the_failure_is_passed_on() {
        let failed = || StoreError::new(StoreErrorKind::Unavailable, "testing");
        let error = list(MockDeviceDispenses::new(), Err(failed()), input()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let mut port = MockDeviceDispenses::new();
        port.expect_list().returning(move |_, _| Err(failed()));
        let error = list(port, Ok(Access::All), input()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
}
