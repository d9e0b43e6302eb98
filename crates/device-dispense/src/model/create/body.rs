use std::fmt;

use esoz_kernel::{
    Decimal, DeviceDefinitionId, DeviceRequestId, DispenseId, DivisionId, EmployeeId, MedicalProgramId,
    Timestamp, Uuid,
};

use crate::model::request::VerificationCode;

/// What a client asks to record: a body of the right shape (create rule 3). `Debug` shows its id alone.
#[derive(Clone, PartialEq, Eq)]
pub struct NewDispense {
    /// The id, chosen by the client.
    pub id: DispenseId,
    /// The employee who dispenses.
    pub performer: Named<EmployeeId>,
    /// The division where it is dispensed.
    pub location: Named<DivisionId>,
    /// The device request.
    pub based_on: Named<DeviceRequestId>,
    /// The medical program.
    pub program: Option<Named<MedicalProgramId>>,
    /// Whether the record is the original one.
    pub primary_source: bool,
    /// Any text.
    pub note: Option<String>,
    /// When it was handed over.
    pub when_handed_over: Option<Timestamp>,
    /// What the patient said.
    pub verification_code: Option<VerificationCode>,
    /// What is dispensed; 1 to 100 items.
    pub details: Vec<NewDetail>,
}

impl fmt::Debug for NewDispense {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("NewDispense").field("id", &self.id).finish_non_exhaustive()
    }
}

/// An id with the text that a client gave to its reference; `""` where it gave none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named<Id> {
    /// The id.
    pub id: Id,
    /// The text.
    pub text: String,
}

/// A reference of which the shape is known, and its code is for a rule to judge (rules 22 and 27).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnyReference {
    /// What it says that it refers to.
    pub code: String,
    /// The id, and the text.
    pub named: Named<Uuid>,
}

/// One item of what is dispensed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDetail {
    /// The device.
    pub device: NewDevice,
    /// How many units; above zero.
    pub quantity: Decimal,
    /// The code of the unit, one of the dictionary.
    pub unit: String,
    /// The device in the medical program.
    pub program_device: Option<AnyReference>,
    /// The price of a package, in hryvnias.
    pub sell_price: Option<Decimal>,
    /// The discount on the item, in hryvnias.
    pub discount_amount: Option<Decimal>,
}

/// A device by reference or by code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewDevice {
    /// A reference.
    Reference(AnyReference),
    /// A classification type.
    Code {
        /// Its system.
        system: String,
        /// Its code.
        code: String,
        /// Its text.
        text: String,
    },
}

impl NewDevice {
    /// Returns the device definition that it refers to; `None` when it is a code.
    pub fn definition(&self) -> Option<DeviceDefinitionId> {
        match self {
            Self::Reference(reference) => Some(DeviceDefinitionId::new(reference.named.id)),
            Self::Code { .. } => None,
        }
    }
}
