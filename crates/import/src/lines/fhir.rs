//! The parts that a dispense is put together from: References, CodeableConcepts, quantities.

use std::marker::PhantomData;

use esoz_kernel::{UserId, Uuid};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Number;

use crate::json::Given;

/// The system of the codes that say what a Reference refers to.
const RESOURCES: &str = "eHealth/resources";

/// What a Reference refers to.
pub(super) trait Resource {
    /// The code for it; `None` when any will do.
    const CODE: Option<&'static str>;
}

macro_rules! resources {
    ($($name:ident = $code:expr),+ $(,)?) => {$(
        pub(super) struct $name;

        impl Resource for $name {
            const CODE: Option<&'static str> = $code;
        }
    )+};
}

resources! {
    DeviceRequest = Some("device_request"),
    Employee = Some("employee"),
    Division = Some("division"),
    LegalEntity = Some("legal_entity"),
    MedicalProgram = Some("medical_program"),
    AnyResource = None,
}

/// A Reference to that resource.
pub(super) struct Reference<R> {
    form: ReferenceForm,
    resource: PhantomData<R>,
}

impl<R> Reference<R> {
    /// The id that it refers to.
    pub(super) fn value(&self) -> Uuid {
        self.form.identifier.value.0
    }
}

impl<'de, R: Resource> Deserialize<'de> for Reference<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = ReferenceForm::deserialize(deserializer)?;
        let fits = match form.identifier.kind.coding.as_slice() {
            [coding] => coding.system == RESOURCES && R::CODE.is_none_or(|code| coding.code == code),
            _ => false,
        };
        if fits {
            return Ok(Self { form, resource: PhantomData });
        }
        let code = R::CODE.map(|code| format!(" and the code {code}")).unwrap_or_default();
        Err(D::Error::custom(format_args!(
            "identifier.type.coding is not one coding with the system {RESOURCES}{code}"
        )))
    }
}

impl<R> Serialize for Reference<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.form.serialize(serializer)
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct ReferenceForm {
    identifier: Identifier,
    /// Null when absent.
    display_value: Option<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Identifier {
    #[serde(rename = "type")]
    kind: IdentifierType,
    value: AnyUuid,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct IdentifierType {
    coding: Vec<Coding>,
    /// Empty when absent.
    #[serde(default = "empty")]
    text: Option<String>,
}

#[expect(clippy::unnecessary_wraps, reason = "null is another value of the field than the empty text")]
fn empty() -> Option<String> {
    Some(String::new())
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Coding {
    system: String,
    code: String,
}

/// A UUID, whatever it names. Rendered lower-case.
struct AnyUuid(Uuid);

impl<'de> Deserialize<'de> for AnyUuid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Every typed id reads a UUID in the same way; which of them does it here makes no difference.
        let id: UserId = String::deserialize(deserializer)?.parse().map_err(D::Error::custom)?;
        Ok(Self(id.uuid()))
    }
}

impl Serialize for AnyUuid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A concept, in at least one coding.
#[derive(Serialize)]
pub(super) struct CodeableConcept(ConceptForm);

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct ConceptForm {
    coding: Vec<Coding>,
    #[serde(default, skip_serializing_if = "Given::is_absent")]
    text: Given<String>,
}

impl<'de> Deserialize<'de> for CodeableConcept {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = ConceptForm::deserialize(deserializer)?;
        if form.coding.is_empty() { Err(D::Error::custom("coding is empty")) } else { Ok(Self(form)) }
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Quantity {
    value: Number,
    system: String,
    code: String,
    unit: String,
}
