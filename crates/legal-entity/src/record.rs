use esoz_kernel::Stamps;

use crate::LegalEntity;

/// A legal entity with all that its table keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegalEntityRecord {
    /// What the rules read.
    pub facts: LegalEntity,
    /// Its name.
    pub name: String,
    /// Its number in the state register.
    pub edrpou: String,
    /// Whether the row counts. The rules read the status alone.
    pub is_active: bool,
    /// Who wrote the row and when.
    pub stamps: Stamps,
}
