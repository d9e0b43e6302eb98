use esoz_kernel::Stamps;

use crate::LegalEntity;

/// The whole record of a legal entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegalEntityRecord {
    /// The facts that rules read.
    pub facts: LegalEntity,
    /// Its name.
    pub name: String,
    /// Its number in the state register.
    pub edrpou: String,
    /// Whether the record is active. The rules read the status alone.
    pub is_active: bool,
    /// The users who created and last changed it, and when.
    pub stamps: Stamps,
}
