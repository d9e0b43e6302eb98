use esoz_kernel::{CivilDate, EmployeeId, LegalEntityId, PartyId, Pseudonym, Stamps, UserId, words};
use esoz_signed_content::DrfoDigest;

words! {
    /// The status of a person.
    pub enum PersonStatus {
        /// In use.
        Active = "active",
        /// Not in use: merged, deceased, …
        Inactive = "inactive",
    }
}

words! {
    /// How far a person's identity has been verified.
    pub enum VerificationStatus {
        /// It was verified.
        Verified = "VERIFIED",
        /// It was found wrong.
        NotVerified = "NOT_VERIFIED",
        /// It has still to be verified.
        VerificationNeeded = "VERIFICATION_NEEDED",
        /// It need not be verified.
        VerificationNotNeeded = "VERIFICATION_NOT_NEEDED",
        /// It is being verified.
        InReview = "IN_REVIEW",
        /// Something has to be corrected first.
        ChangesNeeded = "CHANGES_NEEDED",
    }
}

/// The facts about a patient that rules read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person {
    /// The status.
    pub status: PersonStatus,
    /// How far the identity has been verified.
    pub verification: VerificationStatus,
}

/// The whole record of a person. Holds the pseudonym alone: no store has a patient's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonRecord {
    /// The pseudonym of the patient.
    pub subject: Pseudonym,
    /// The facts that rules read.
    pub facts: Person,
    /// The users who created and last changed it, and when.
    pub stamps: Stamps,
}

/// The facts about the party of a user that rules read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// Its id.
    pub id: PartyId,
    /// The keyed digest of the taxpayer number (`tax_id`); `None` when it has none.
    pub drfo: Option<DrfoDigest>,
}

/// The whole record of a party. A user belongs to one party at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartyRecord {
    /// The facts that rules read.
    pub facts: Party,
    /// Its users, in ascending order.
    pub users: Vec<UserId>,
    /// The users who created and last changed it, and when.
    pub stamps: Stamps,
}

/// The facts about an employee that rules read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Employee {
    /// Its id.
    pub id: EmployeeId,
    /// The party whose post it is.
    pub party: PartyId,
    /// The legal entity where it is.
    pub legal_entity: LegalEntityId,
    /// Its status; [`Employee::APPROVED`] is the one that may act.
    pub status: String,
    /// Whether the record is active.
    pub is_active: bool,
    /// The day on which it ends.
    pub end_date: Option<CivilDate>,
    /// The name to show.
    pub name: String,
}

impl Employee {
    /// The status of an employee who may act.
    pub const APPROVED: &str = "APPROVED";
}

/// The whole record of an employee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmployeeRecord {
    /// The facts that rules read.
    pub facts: Employee,
    /// Its type; which types there are is for the registry to say.
    pub kind: String,
    /// The users who created and last changed it, and when.
    pub stamps: Stamps,
}

/// The facts about a division, where something is dispensed, that rules read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The legal entity it belongs to.
    pub legal_entity: LegalEntityId,
    /// Whether the record is active.
    pub is_active: bool,
    /// Whether its status is `ACTIVE`.
    pub is_in_use: bool,
    /// Whether it is verified in the state service of medicines (DLS); `None` when that is not known.
    pub is_dls_verified: Option<bool>,
    /// The name to show.
    pub name: String,
}
