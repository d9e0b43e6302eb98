use esoz_registries::{Person, PersonStatus, VerificationStatus};

use super::{CreatePolicy, CreateRefusal};

/// Rules 5 and 6: the patient exists and, where the operator wants it, is active and not unverified.
pub(super) fn check(person: Option<&Person>, policy: &CreatePolicy) -> Result<(), CreateRefusal> {
    let person = person.ok_or(CreateRefusal::PatientNotFound)?;
    if policy.requires_active_patient && person.status != PersonStatus::Active {
        return Err(CreateRefusal::PatientNotActive);
    }
    if policy.requires_verified_patient && person.verification == VerificationStatus::NotVerified {
        return Err(CreateRefusal::PatientNotVerified);
    }
    Ok(())
}
