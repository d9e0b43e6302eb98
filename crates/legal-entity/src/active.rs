use std::collections::BTreeSet;

use esoz_kernel::{LegalEntityId, failure, words};

words! {
    /// The status of a legal entity. Only an active one may act.
    pub enum LegalEntityStatus {
        /// May act.
        Active = "ACTIVE",
        /// May not act for now.
        Suspended = "SUSPENDED",
        /// May not act any more.
        Closed = "CLOSED",
        /// Became another legal entity.
        Reorganized = "REORGANIZED",
    }
}

/// The type of a legal entity, e.g. `PHARMACY`. Which types exist is for the registry to say; which may act is configured.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LegalEntityType(String);

impl LegalEntityType {
    /// Creates the type from its word.
    pub fn new(word: impl Into<String>) -> Self {
        Self(word.into())
    }

    /// Returns the word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The facts about a legal entity that decide whether it may act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegalEntity {
    /// Its id.
    pub id: LegalEntityId,
    /// Its type.
    pub kind: LegalEntityType,
    /// Its status.
    pub status: LegalEntityStatus,
}

/// Which types of legal entity may act. An empty list allows all (stop rule 4).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllowedTypes(BTreeSet<LegalEntityType>);

impl AllowedTypes {
    /// Creates the list.
    pub fn new(types: impl IntoIterator<Item = LegalEntityType>) -> Self {
        Self(types.into_iter().collect())
    }

    fn allow(&self, kind: &LegalEntityType) -> bool {
        self.0.is_empty() || self.0.contains(kind)
    }
}

/// Proof that a legal entity may act. Only [`require_active`] makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActiveLegalEntity(LegalEntityId);

impl ActiveLegalEntity {
    /// Returns the legal entity that may act.
    pub const fn legal_entity_id(self) -> LegalEntityId {
        self.0
    }
}

failure! {
    /// Why a legal entity may not act. The texts are part of the protocol.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum LegalEntityError {
        /// Its type is not on the list (S09).
        InvalidType => Conflict, "invalid_legal_entity_type", "Invalid LegalEntity type";
        /// It does not exist, or its status is another than ACTIVE (S08).
        NotActive(status: Option<LegalEntityStatus> = None) => Conflict, "legal_entity_not_active",
            "client_id refers to legal entity that is not active", reason why_not_active(*status);
    }
}

/// The reason for the log: the status, or that there is no such legal entity.
const fn why_not_active(status: Option<LegalEntityStatus>) -> &'static str {
    match status {
        None => "unknown",
        Some(LegalEntityStatus::Active) => "active",
        Some(LegalEntityStatus::Suspended) => "suspended",
        Some(LegalEntityStatus::Closed) => "closed",
        Some(LegalEntityStatus::Reorganized) => "reorganized",
    }
}

/// Decides whether a legal entity may act (stop rule 4): it exists, its type is allowed, its status is ACTIVE, checked in
/// this order.
pub fn require_active(
    legal_entity: Option<&LegalEntity>,
    allowed: &AllowedTypes,
) -> Result<ActiveLegalEntity, LegalEntityError> {
    let legal_entity = legal_entity.ok_or(LegalEntityError::NotActive(None))?;
    if !allowed.allow(&legal_entity.kind) {
        return Err(LegalEntityError::InvalidType);
    }
    match legal_entity.status {
        LegalEntityStatus::Active => Ok(ActiveLegalEntity(legal_entity.id)),
        LegalEntityStatus::Suspended | LegalEntityStatus::Closed | LegalEntityStatus::Reorganized => {
            Err(LegalEntityError::NotActive(Some(legal_entity.status)))
        }
    }
}

#[cfg(test)]
mod tests {
    use esoz_kernel::{Failure as _, Uuid};

    use super::*;

    fn pharmacy(status: LegalEntityStatus) -> LegalEntity {
        let id = LegalEntityId::new(Uuid::from_u128(7));
        LegalEntity { id, kind: LegalEntityType::new("PHARMACY"), status }
    }

    fn only(kind: &str) -> AllowedTypes {
        AllowedTypes::new([LegalEntityType::new(kind)])
    }

    #[test]
    fn given_no_such_legal_entity_then_it_is_not_active() {
        assert_eq!(require_active(None, &only("MSP")), Err(LegalEntityError::NotActive(None)));
    }

    #[test]
    fn given_any_status_then_only_active_may_act() {
        for status in LegalEntityStatus::ALL {
            let answer = require_active(Some(&pharmacy(status)), &AllowedTypes::default());
            assert_eq!(answer.is_ok(), status == LegalEntityStatus::Active, "{status:?}");
            let reason = answer.err().and_then(|error| error.reason()).map(str::to_uppercase);
            assert_eq!(reason.as_deref(), (status != LegalEntityStatus::Active).then_some(status.as_str()));
        }
    }

    #[test]
    fn given_a_list_of_types_then_the_type_is_checked_just_before_the_status() {
        let suspended = pharmacy(LegalEntityStatus::Suspended);
        assert_eq!(require_active(Some(&suspended), &only("MSP")), Err(LegalEntityError::InvalidType));
        let not_active = LegalEntityError::NotActive(Some(LegalEntityStatus::Suspended));
        assert_eq!(require_active(Some(&suspended), &only("PHARMACY")), Err(not_active));
        let active = pharmacy(LegalEntityStatus::Active);
        assert_eq!(
            require_active(Some(&active), &only("PHARMACY")).map(ActiveLegalEntity::legal_entity_id),
            Ok(active.id)
        );
    }

    #[test]
    fn every_status_is_read_from_its_word_and_no_other_word_is() {
        for status in LegalEntityStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        let refusal = "active".parse::<LegalEntityStatus>().unwrap_err();
        assert_eq!(refusal.to_string(), "is not one of ACTIVE, SUSPENDED, CLOSED, REORGANIZED");
    }
}
