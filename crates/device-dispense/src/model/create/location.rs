use esoz_kernel::LegalEntityId;
use esoz_registries::Location;

use super::{CreatePolicy, CreateRefusal};

/// Rules 10 to 13: the location exists, is active, is the legal entity's and, where the operator wants it, is verified in DLS.
pub(super) fn check<'a>(
    location: Option<&'a Location>,
    owner: LegalEntityId,
    policy: &CreatePolicy,
) -> Result<&'a Location, CreateRefusal> {
    let location = location.ok_or(CreateRefusal::LocationNotFound)?;
    if !location.is_active || !location.is_in_use {
        return Err(CreateRefusal::LocationNotActive);
    }
    if location.legal_entity != owner {
        return Err(CreateRefusal::LocationOfAnotherLegalEntity);
    }
    if policy.requires_dls_verification && location.is_dls_verified != Some(true) {
        return Err(CreateRefusal::LocationNotVerified);
    }
    Ok(location)
}
