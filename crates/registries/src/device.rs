use esoz_kernel::{Decimal, DeviceDefinitionId, Stamps};

/// The facts about a device definition that rules read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceDefinition {
    /// Its id.
    pub id: DeviceDefinitionId,
    /// Whether it is active.
    pub is_active: bool,
    /// The type of device: the code that a request names.
    pub classification_type: String,
    /// The unit that it is counted in.
    pub packaging_unit: String,
    /// How many units are in a package; above zero.
    pub packaging_count: Decimal,
}

/// The whole record of a device definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceDefinitionRecord {
    /// The facts that rules read.
    pub facts: DeviceDefinition,
    /// Its name.
    pub name: String,
    /// The users who created and last changed it, and when.
    pub stamps: Stamps,
}
