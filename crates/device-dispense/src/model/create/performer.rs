use esoz_kernel::{CivilDate, LegalEntityId};
use esoz_registries::{Employee, RegistryFacts};

use super::CreateRefusal;

/// Rules 7 to 9: the performer is one of the user's employees, may act today, and works for the legal entity.
pub(super) fn check(
    registries: &RegistryFacts,
    owner: LegalEntityId,
    today: CivilDate,
) -> Result<&Employee, CreateRefusal> {
    let party = registries.party.as_ref().map(|party| party.id);
    let of_user = registries.performer.as_ref().filter(|performer| Some(performer.party) == party);
    let performer = of_user.ok_or(CreateRefusal::PerformerOfAnotherUser)?;
    if !performer.is_active || performer.status != Employee::APPROVED {
        return Err(CreateRefusal::PerformerNotActive);
    }
    if performer.end_date.is_some_and(|end| end <= today) {
        return Err(CreateRefusal::PerformerEnds);
    }
    if performer.legal_entity != owner {
        return Err(CreateRefusal::PerformerOfAnotherLegalEntity);
    }
    Ok(performer)
}
