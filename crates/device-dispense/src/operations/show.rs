use std::sync::Arc;

use esoz_auth::{CallerKind, Operation, Permit};
use esoz_kernel::{DispenseId, PatientId, StoreError, failure};

use crate::{DeviceDispenses, Dispense, NotVisible, PatientPseudonyms, visible};

/// The dispense to show.
#[derive(Debug, Clone)]
pub struct ShowInput {
    /// The patient named in the request; `None` when that was no UUID (rule 5).
    pub patient_id: Option<PatientId>,
    /// The dispense named in the request; `None` when that was no UUID (rule 3).
    pub dispense_id: Option<DispenseId>,
}

failure! {
    /// Why a dispense was not shown: one variant for each answer of the conformance table. The texts are part of the protocol.
    #[derive(Debug)]
    pub enum ShowError {
        /// The dispense does not exist for this caller and patient (G02).
        NotFound(why: NotVisible = NotVisible::Unknown) => NotFound, "not_found", "not_found", reason why.code();
    } wraps {
        /// A store failed, or holds a status outside the model (G06).
        Store(StoreError) => "the dispense could not be shown";
    }
}

/// Shows a device dispense to the legal entity that it belongs to.
#[derive(Clone)]
pub struct ShowDispense {
    /// Where dispenses are kept.
    pub dispenses: Arc<dyn DeviceDispenses>,
    /// The pseudonyms of patients.
    pub pseudonyms: Arc<dyn PatientPseudonyms>,
}

impl Operation for ShowDispense {
    const NAME: &'static str = "show_device_dispense";
    const SCOPE: &'static str = "device_dispense:read";
    const CALLER: CallerKind = CallerKind::User;
    type Error = ShowError;
}

impl ShowDispense {
    /// Finds the dispense, if the caller may know of it (rules 3 to 5). The status and the type of the legal entity do not matter.
    ///
    /// # Errors
    /// [`ShowError`]. A dispense that is corrupt is one to its owner alone.
    pub async fn execute(&self, permit: &Permit<Self>, input: ShowInput) -> Result<Dispense, ShowError> {
        let (Some(patient_id), Some(id)) = (input.patient_id, input.dispense_id) else {
            return Err(ShowError::NotFound(NotVisible::MalformedId));
        };
        let found = self.dispenses.find(id).await.map_err(ShowError::Store)?;
        visible(found, permit.client().into(), &self.pseudonyms.of(patient_id))
            .map_err(ShowError::Store)?
            .map_err(ShowError::NotFound)
    }
}

#[cfg(test)]
mod tests {
    use esoz_kernel::{ClientId, ErrorKind, Failure as _, LegalEntityId, StoreErrorKind, UserId, Uuid};
    use pollster::block_on;

    use super::super::fixtures::permit;
    use super::*;
    use crate::{DispenseStatus, MockDeviceDispenses, MockPatientPseudonyms, Pseudonym, StoredDispense};

    const ID: DispenseId = DispenseId::new(Uuid::from_u128(1));
    const PATIENT: PatientId = PatientId::new(Uuid::from_u128(2));
    const OWNER: Uuid = Uuid::from_u128(3);

    fn dispense() -> Dispense {
        Dispense {
            id: ID,
            status: DispenseStatus::Completed,
            subject: Pseudonym::new("P"),
            owner: LegalEntityId::new(OWNER),
            record: serde_json::Map::new(),
        }
    }

    /// What a client is shown, when the store finds this.
    fn shown(
        client: Uuid,
        input: ShowInput,
        found: Result<Option<StoredDispense>, StoreError>,
    ) -> Result<Dispense, ShowError> {
        let mut dispenses = MockDeviceDispenses::new();
        dispenses.expect_find().withf(|id| *id == ID).return_once(|_| found);
        let mut pseudonyms = MockPatientPseudonyms::new();
        pseudonyms
            .expect_of()
            .returning(|patient| Pseudonym::new(if patient == PATIENT { "P" } else { "Q" }));
        let show = ShowDispense { dispenses: Arc::new(dispenses), pseudonyms: Arc::new(pseudonyms) };
        let permit = permit(UserId::new(Uuid::from_u128(4)), ClientId::new(client));
        block_on(show.execute(&permit, input))
    }

    fn input() -> ShowInput {
        ShowInput { patient_id: Some(PATIENT), dispense_id: Some(ID) }
    }

    #[test]
    fn given_a_dispense_then_its_owner_is_shown_it() {
        assert_eq!(shown(OWNER, input(), Ok(Some(dispense().into()))).unwrap(), dispense());
    }

    #[test]
    fn given_ids_that_are_no_uuids_then_not_found_and_no_store_is_asked() {
        for input in [ShowInput { patient_id: None, ..input() }, ShowInput { dispense_id: None, ..input() }] {
            let error = shown(OWNER, input, Err(StoreError::new(StoreErrorKind::Unavailable, "testing")))
                .unwrap_err();
            assert_eq!((error.kind(), error.reason()), (ErrorKind::NotFound, Some("malformed_id")));
        }
    }

    #[test]
    fn given_none_or_one_of_another_then_not_found() {
        let another = ShowInput { patient_id: Some(PatientId::new(Uuid::from_u128(9))), ..input() };
        for (client, input, found, reason) in [
            (OWNER, input(), None, "unknown"),
            (Uuid::from_u128(9), input(), Some(dispense().into()), "other_legal_entity"),
            (OWNER, another, Some(dispense().into()), "other_patient"),
        ] {
            let error = shown(client, input, Ok(found)).unwrap_err();
            assert_eq!((error.kind(), error.reason()), (ErrorKind::NotFound, Some(reason)));
            assert_eq!(error.to_string(), "not_found");
        }
    }

    #[test]
    fn given_a_store_that_fails_then_the_failure_is_passed_on() {
        for (kind, expected) in [
            (StoreErrorKind::Unavailable, ErrorKind::Unavailable),
            (StoreErrorKind::Corrupt, ErrorKind::Internal),
        ] {
            let error = shown(OWNER, input(), Err(StoreError::new(kind, "testing"))).unwrap_err();
            assert_eq!(error.kind(), expected);
        }
    }
}
