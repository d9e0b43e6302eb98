use esoz_kernel::{LegalEntityId, Pseudonym, StoreError};

use super::dispense::{Dispense, StoredDispense};

/// Whether a dispense is the one of the legal entity and about the patient that a caller names, `None` being any (stop rules 5 and 6).
///
/// What of the stored dispense cannot be read is `None`, which no named one equals.
pub fn concerns(
    (owner, subject): (Option<LegalEntityId>, Option<&Pseudonym>),
    (stored_owner, stored_subject): (Option<LegalEntityId>, Option<&Pseudonym>),
) -> bool {
    (owner.is_none() || owner == stored_owner) && (subject.is_none() || subject == stored_subject)
}

/// Why a caller does not see a dispense. For the operator's log alone: the caller must not learn it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotVisible {
    /// An id in the request is no UUID.
    MalformedId,
    /// There is no dispense with that id.
    Unknown,
    /// It belongs to another legal entity.
    OtherLegalEntity,
    /// It is about another patient.
    OtherPatient,
}

impl NotVisible {
    /// Returns its name in snake_case, for the log.
    pub const fn code(self) -> &'static str {
        match self {
            Self::MalformedId => "malformed_id",
            Self::Unknown => "unknown",
            Self::OtherLegalEntity => "other_legal_entity",
            Self::OtherPatient => "other_patient",
        }
    }
}

/// Decides whether the caller may know of a dispense (stop rules 6 and 7, shared by all operations on one dispense): it belongs to the legal entity
/// that asks, and is about the named patient; else which of these failed first.
///
/// # Errors
/// [`NotVisible`]
pub(crate) fn check_visible(
    found: &StoredDispense,
    owner: LegalEntityId,
    subject: &Pseudonym,
) -> Result<(), NotVisible> {
    // A subject that cannot be decoded passes, so that the owner learns of the corruption.
    let stored = (Some(found.owner), Some(found.subject.as_ref().unwrap_or(subject)));
    if !concerns((Some(owner), None), stored) {
        return Err(NotVisible::OtherLegalEntity);
    }
    if !concerns((Some(owner), Some(subject)), stored) {
        return Err(NotVisible::OtherPatient);
    }
    Ok(())
}

/// Returns the dispense if it exists, belongs to the legal entity that asks, and is about the named patient (stop rules 5 to 7).
///
/// # Errors
/// [`StoreError`] of kind corrupt when the dispense belongs to the caller, and its subject cannot be decoded, or it is about the patient and its
/// status cannot be. Any other caller gets [`NotVisible`].
pub fn visible(
    found: Option<StoredDispense>,
    owner: LegalEntityId,
    subject: &Pseudonym,
) -> Result<Result<Dispense, NotVisible>, StoreError> {
    let Some(found) = found else { return Ok(Err(NotVisible::Unknown)) };
    match check_visible(&found, owner, subject) {
        Ok(()) => found.dispense.map(Ok),
        Err(why) => Ok(Err(why)),
    }
}

#[cfg(test)]
mod tests {
    use esoz_kernel::{DispenseId, StoreErrorKind, Uuid};

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
    fn given_no_condition_then_any_dispense_meets_it_and_an_unreadable_one_meets_no_other() {
        let (subject, other) = (Pseudonym::new("P"), Pseudonym::new("Q"));
        let stored = (Some(owner(2)), Some(&subject));
        for (needed, stored, meets) in [
            ((None, None), (None, None), true),
            ((None, None), stored, true),
            ((Some(owner(2)), None), stored, true),
            ((None, Some(&subject)), stored, true),
            (stored, stored, true),
            ((Some(owner(3)), Some(&subject)), stored, false),
            ((Some(owner(2)), Some(&other)), stored, false),
            (stored, (None, Some(&subject)), false),
            (stored, (Some(owner(2)), None), false),
        ] {
            assert_eq!(concerns(needed, stored), meets, "{needed:?} {stored:?}");
        }
    }

    #[test]
    fn given_no_dispense_then_nothing_is_visible() {
        assert_eq!(visible(None, owner(2), &Pseudonym::new("P")).unwrap(), Err(NotVisible::Unknown));
    }

    #[test]
    fn given_any_status_then_it_is_visible_to_its_owner_for_its_patient_alone() {
        for status in DispenseStatus::ALL {
            let dispense = dispense(status);
            let seen = |by: u128, subject: &str| {
                visible(Some(dispense.clone().into()), owner(by), &Pseudonym::new(subject)).unwrap()
            };
            assert_eq!(seen(2, "P"), Ok(dispense.clone()));
            assert_eq!(seen(3, "P"), Err(NotVisible::OtherLegalEntity), "{status:?}");
            assert_eq!(seen(3, "Q"), Err(NotVisible::OtherLegalEntity), "{status:?}");
            assert_eq!(seen(2, "Q"), Err(NotVisible::OtherPatient), "{status:?}");
        }
    }

    #[test]
    fn given_a_status_outside_the_model_then_its_owner_alone_is_told() {
        let seen = |by: u128, subject: &str| {
            let corrupt = Err(StoreError::corrupt("device_dispenses", 1, "status"));
            let found =
                StoredDispense { owner: owner(2), subject: Some(Pseudonym::new("P")), dispense: corrupt };
            visible(Some(found), owner(by), &Pseudonym::new(subject))
        };
        assert_eq!(seen(2, "P").unwrap_err().kind(), StoreErrorKind::Corrupt);
        assert_eq!(seen(3, "P").unwrap(), Err(NotVisible::OtherLegalEntity));
        assert_eq!(seen(2, "Q").unwrap(), Err(NotVisible::OtherPatient));
    }

    #[test]
    fn given_a_subject_that_cannot_be_decoded_then_its_owner_alone_is_told() {
        let seen = |by: u128| {
            let corrupt = Err(StoreError::corrupt("device_dispenses", 1, "subject"));
            let found = StoredDispense { owner: owner(2), subject: None, dispense: corrupt };
            visible(Some(found), owner(by), &Pseudonym::new("P"))
        };
        assert_eq!(seen(2).unwrap_err().kind(), StoreErrorKind::Corrupt);
        assert_eq!(seen(3).unwrap(), Err(NotVisible::OtherLegalEntity));
    }
}
