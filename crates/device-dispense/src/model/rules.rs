use esoz_kernel::LegalEntityId;

use super::dispense::{Dispense, Pseudonym};

/// The dispense, if the caller may know of it (stop rules 5 to 7, the same for the operations around it): it exists, belongs to the
/// legal entity that asks and is about the patient named. `None` does not tell which of these failed.
pub fn visible<'a>(
    dispense: Option<&'a Dispense>,
    owner: LegalEntityId,
    subject: &Pseudonym,
) -> Option<&'a Dispense> {
    dispense.filter(|dispense| dispense.owner == owner && dispense.subject == *subject)
}

#[cfg(test)]
mod tests {
    use esoz_kernel::{DispenseId, Uuid};

    use super::*;
    use crate::DispenseStatus;

    fn owner(id: u128) -> LegalEntityId {
        LegalEntityId::new(Uuid::from_u128(id))
    }

    fn dispense(status: DispenseStatus) -> Dispense {
        Dispense {
            id: DispenseId::new(Uuid::from_u128(1)),
            status,
            subject: Pseudonym::new("P"),
            owner: owner(2),
            record: serde_json::Map::new(),
        }
    }

    #[test]
    fn given_no_dispense_then_nothing_is_visible() {
        assert_eq!(visible(None, owner(2), &Pseudonym::new("P")), None);
    }

    #[test]
    fn given_any_status_then_it_is_visible_to_its_owner_for_its_patient_alone() {
        for status in DispenseStatus::ALL {
            let dispense = dispense(status);
            let seen = |by: u128, subject: &str| {
                visible(Some(&dispense), owner(by), &Pseudonym::new(subject)).is_some()
            };
            assert!(seen(2, "P"), "{status:?}");
            assert!(!seen(3, "P"), "{status:?}");
            assert!(!seen(2, "Q"), "{status:?}");
        }
    }
}
