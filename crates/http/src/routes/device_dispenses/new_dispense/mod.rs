//! The body of a create: its shape (create rule 3), and what it asks for.

mod schema;

use esoz_device_dispense::{
    AnyReference, HOLDS_PATIENT_ID, MAX_NOTE_CHARS, Named, NewDetail, NewDevice, NewDispense,
    PatientIdSearch, RESOURCES, VerificationCode,
};
use esoz_kernel::{Decimal, PatientId, Timestamp, Uuid};
use serde_json::{Map, Value};

use crate::envelope::Invalid;
use crate::error::ApiError;
use crate::extract::shape::{self, Field, Kind, Range, Shape};

pub(crate) use schema::NewDispenseBody;

/// The most characters of a text for people, and of a code.
const TEXT: Kind = Kind::Text(255);
const MONEY: Kind = Kind::Number(Range { has_zero: true, decimals: 2 });

/// The shape of a Reference to one resource, or, without a code, to any.
macro_rules! reference {
    ($shape:ident, $name:literal, $code:expr) => {
        static $shape: Shape = Shape {
            name: $name,
            meaning: "A FHIR Reference by identifier.",
            fields: &[Field::required(
                "identifier",
                Kind::Object(&Shape {
                    name: concat!($name, "Identifier"),
                    meaning: "Names one thing of some type.",
                    fields: &[
                        Field::required(
                            "type",
                            Kind::Object(&Shape {
                                name: concat!($name, "Type"),
                                meaning: "The type of the thing.",
                                fields: &[
                                    Field::required(
                                        "coding",
                                        Kind::List(
                                            &Shape {
                                                name: concat!($name, "Coding"),
                                                meaning: "Its code.",
                                                fields: &[
                                                    Field::required("system", Kind::Word(&[RESOURCES]), ""),
                                                    Field::required("code", $code, ""),
                                                ],
                                                alternatives: &[],
                                            },
                                            1,
                                        ),
                                        "One coding.",
                                    ),
                                    Field::optional("text", TEXT, "Stored as it is given."),
                                ],
                                alternatives: &[],
                            }),
                            "",
                        ),
                        Field::required("value", Kind::Uuid, "Its id."),
                    ],
                    alternatives: &[],
                }),
                "",
            )],
            alternatives: &[],
        };
    };
}

reference!(EMPLOYEE, "EmployeeReference", Kind::Word(&["employee"]));
reference!(DIVISION, "DivisionReference", Kind::Word(&["division"]));
reference!(DEVICE_REQUEST, "DeviceRequestReference", Kind::Word(&["device_request"]));
reference!(MEDICAL_PROGRAM, "MedicalProgramReference", Kind::Word(&["medical_program"]));
reference!(ANY, "AnyReference", TEXT);

static CODE: Shape = Shape {
    name: "DeviceCode",
    meaning: "A classification type.",
    fields: &[
        Field::required(
            "coding",
            Kind::List(
                &Shape {
                    name: "DeviceCoding",
                    meaning: "Its code.",
                    fields: &[Field::required("system", TEXT, ""), Field::required("code", TEXT, "")],
                    alternatives: &[],
                },
                1,
            ),
            "One coding.",
        ),
        Field::optional("text", TEXT, "Stored as it is given."),
    ],
    alternatives: &[],
};

static QUANTITY: Shape = Shape {
    name: "NewQuantity",
    meaning: "How much of it.",
    fields: &[
        Field::required("value", Kind::Number(Range { has_zero: false, decimals: 3 }), ""),
        Field::required("system", Kind::Word(&["device_unit"]), ""),
        Field::required("code", Kind::Unit, "A code of the configured dictionary."),
    ],
    alternatives: &[],
};

static DETAIL: Shape = Shape {
    name: "NewDispenseDetail",
    meaning: "One device, by reference or by code. Money is in hryvnias.",
    fields: &[
        Field::optional("device", Kind::Object(&ANY), "A device definition."),
        Field::optional("device_code", Kind::Object(&CODE), ""),
        Field::required("quantity", Kind::Object(&QUANTITY), ""),
        Field::optional("program_device", Kind::Object(&ANY), "The device in the medical program."),
        Field::optional("sell_price", MONEY, "The price of a package."),
        Field::optional("discount_amount", MONEY, "The discount on all of it."),
    ],
    alternatives: &["device", "device_code"],
};

static BODY: Shape = Shape {
    name: "NewDeviceDispense",
    meaning: "The dispense to record.",
    fields: &[
        Field::required("id", Kind::Uuid, "Chosen by the client."),
        Field::required("status", Kind::Word(&["in_progress"]), ""),
        Field::required("performer", Kind::Object(&EMPLOYEE), "The employee who dispenses."),
        Field::required("location", Kind::Object(&DIVISION), "The division where it is dispensed."),
        Field::required("based_on", Kind::Object(&DEVICE_REQUEST), "The device request."),
        Field::optional("program", Kind::Object(&MEDICAL_PROGRAM), "The medical program."),
        Field::optional("primary_source", Kind::Boolean, "Stored as true if absent."),
        Field::optional("note", Kind::Text(MAX_NOTE_CHARS), ""),
        Field::optional("when_handed_over", Kind::Time, ""),
        Field::optional(
            "verification_code",
            Kind::Digits(4),
            "The code that the patient was given, if there is one.",
        ),
        Field::required("details", Kind::List(&DETAIL, 100), "What is dispensed."),
    ],
    alternatives: &[],
};

/// Parses the body of a create for that patient, whose id must be nowhere in it.
pub(crate) fn parse(
    bytes: &[u8],
    patient: Option<PatientId>,
    is_unit: &dyn Fn(&str) -> bool,
) -> Result<NewDispense, ApiError> {
    let body = shape::read(bytes, &BODY, is_unit)?;
    if let Some(patient) = patient {
        refuse_patient(&body, patient)?;
    }
    // The shape was checked, so everything is there and can be read.
    read(&body).ok_or_else(ApiError::malformed)
}

fn refuse_patient(body: &Fields, patient: PatientId) -> Result<(), ApiError> {
    let search = PatientIdSearch::of(patient);
    let holding = body.iter().filter(|(_, value)| search.is_anywhere_in(value));
    let faults = holding.map(|(name, _)| Invalid::property(format!("$.{name}"), "format", HOLDS_PATIENT_ID));
    let faults: Vec<_> = faults.collect();
    if faults.is_empty() { Ok(()) } else { Err(ApiError::invalid(faults)) }
}

type Fields = Map<String, Value>;

/// Reads what stands under the name, if anything does.
macro_rules! optional {
    ($fields:expr, $name:literal, $read:expr) => {
        match $fields.get($name) {
            Some(value) => Some($read(value)?),
            None => None,
        }
    };
}

fn read(body: &Fields) -> Option<NewDispense> {
    let details = body.get("details")?.as_array()?.iter().map(|detail| read_detail(detail.as_object()?));
    Some(NewDispense {
        id: text(body, "id")?.parse().ok()?,
        performer: named(body.get("performer")?)?,
        location: named(body.get("location")?)?,
        based_on: named(body.get("based_on")?)?,
        program: optional!(body, "program", named),
        primary_source: body.get("primary_source").and_then(Value::as_bool).unwrap_or(true),
        note: text(body, "note").map(str::to_owned),
        when_handed_over: optional!(body, "when_handed_over", time),
        verification_code: optional!(body, "verification_code", code),
        details: details.collect::<Option<Vec<_>>>()?,
    })
}

fn read_detail(detail: &Fields) -> Option<NewDetail> {
    let quantity = detail.get("quantity")?.as_object()?;
    let device = match (detail.get("device"), detail.get("device_code")) {
        (Some(device), None) => NewDevice::Reference(any_reference(device)?),
        (None, Some(code)) => {
            let coding = code.pointer("/coding/0")?.as_object()?;
            NewDevice::Code {
                system: text(coding, "system")?.to_owned(),
                code: text(coding, "code")?.to_owned(),
                text: text(code.as_object()?, "text").unwrap_or_default().to_owned(),
            }
        }
        _ => return None,
    };
    Some(NewDetail {
        device,
        quantity: decimal(quantity.get("value")?)?,
        unit: text(quantity, "code")?.to_owned(),
        program_device: optional!(detail, "program_device", any_reference),
        sell_price: optional!(detail, "sell_price", decimal),
        discount_amount: optional!(detail, "discount_amount", decimal),
    })
}

fn text<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    fields.get(name).and_then(Value::as_str)
}

fn time(value: &Value) -> Option<Timestamp> {
    Timestamp::parse_or_utc(value.as_str()?).ok()
}

fn code(value: &Value) -> Option<VerificationCode> {
    VerificationCode::parse(value.as_str()?)
}

fn decimal(value: &Value) -> Option<Decimal> {
    value.as_number()?.to_string().parse().ok()
}

fn named<Id: std::str::FromStr>(reference: &Value) -> Option<Named<Id>> {
    let text =
        reference.pointer("/identifier/type/text").and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(Named { id: reference.pointer("/identifier/value")?.as_str()?.parse().ok()?, text })
}

fn any_reference(reference: &Value) -> Option<AnyReference> {
    let Named { id, text } = named::<Uuid>(reference)?;
    let code = reference.pointer("/identifier/type/coding/0/code")?.as_str()?.to_owned();
    Some(AnyReference { code, named: Named { id, text } })
}

#[cfg(test)]
mod tests;
