use esoz_legal_entity::ActiveLegalEntity;

use super::dispense::{Dispense, Pseudonym};
use super::status::{DispenseStatus, Operation, allows};

/// Why an operation on a dispense is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It does not exist, or not for this caller: which of the two stays with us.
    NotFound,
    /// Its status does not let this happen.
    WrongStatus(DispenseStatus),
}

/// Decides whether a dispense may undergo an operation that its owner asks for (stop rules 5 to 8, the same for the operations
/// around it): it exists, belongs to the legal entity that asks, is about the patient named, and its status leads to `to`.
pub fn may_undergo(
    dispense: Option<&Dispense>,
    legal_entity: ActiveLegalEntity,
    subject: &Pseudonym,
    operation: Operation,
    to: DispenseStatus,
) -> Result<(), Refusal> {
    let dispense = dispense.ok_or(Refusal::NotFound)?;
    if dispense.owner != legal_entity.legal_entity_id() || dispense.subject != *subject {
        return Err(Refusal::NotFound);
    }
    if allows(Some(dispense.status), to, operation) {
        Ok(())
    } else {
        Err(Refusal::WrongStatus(dispense.status))
    }
}

#[cfg(test)]
mod tests {
    use esoz_kernel::{DispenseId, LegalEntityId, Uuid};
    use esoz_legal_entity::{AllowedTypes, LegalEntity, LegalEntityStatus, LegalEntityType, require_active};

    use super::*;

    fn pharmacy(id: u128) -> ActiveLegalEntity {
        let id = LegalEntityId::new(Uuid::from_u128(id));
        let pharmacy =
            LegalEntity { id, kind: LegalEntityType::new("PHARMACY"), status: LegalEntityStatus::Active };
        require_active(Some(&pharmacy), &AllowedTypes::default()).unwrap()
    }

    fn dispense(status: DispenseStatus) -> Dispense {
        Dispense {
            id: DispenseId::new(Uuid::from_u128(1)),
            status,
            subject: Pseudonym::new("P"),
            owner: pharmacy(2).legal_entity_id(),
            record: serde_json::Map::new(),
        }
    }

    fn stop(dispense: Option<&Dispense>, by: ActiveLegalEntity, subject: &str) -> Result<(), Refusal> {
        may_undergo(dispense, by, &Pseudonym::new(subject), Operation::Stop, DispenseStatus::Stopped)
    }

    #[test]
    fn given_no_dispense_then_not_found() {
        assert_eq!(stop(None, pharmacy(2), "P"), Err(Refusal::NotFound));
    }

    #[test]
    fn given_another_owner_or_patient_then_not_found_whatever_the_status() {
        for status in DispenseStatus::ALL {
            assert_eq!(stop(Some(&dispense(status)), pharmacy(3), "P"), Err(Refusal::NotFound), "{status:?}");
            assert_eq!(stop(Some(&dispense(status)), pharmacy(2), "Q"), Err(Refusal::NotFound), "{status:?}");
        }
    }

    #[test]
    fn given_its_owner_then_only_in_progress_can_be_stopped() {
        for status in DispenseStatus::ALL {
            let expected =
                if status == DispenseStatus::InProgress { Ok(()) } else { Err(Refusal::WrongStatus(status)) };
            assert_eq!(stop(Some(&dispense(status)), pharmacy(2), "P"), expected, "{status:?}");
        }
    }
}
