//! The fields of a dispense's record: the one table from which import, description, rendering and stores take them.

use FieldKind::{Any, Boolean, CodeableConcept, List, Number, Object, Reference, Status, Text, Time, Uuid};
use Presence::{Alternative, Always, Expected, NotNull, Optional};

/// A field of an object.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name, in stored documents, lines of an import and responses.
    pub name: &'static str,
    /// What it holds.
    pub kind: FieldKind,
    /// Whether it can be absent or null.
    pub presence: Presence,
    /// What it means, in one sentence.
    pub meaning: &'static str,
}

impl Field {
    /// Creates a field.
    pub const fn new(name: &'static str, kind: FieldKind, presence: Presence, meaning: &'static str) -> Self {
        Self { name, kind, presence, meaning }
    }
}

/// Whether a field can be absent or null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It is in every record, and not null: a rule reads it, or a change of status writes it.
    Always,
    /// ESOZ writes it into every record, so an import must give it; a document of another system may lack it. Never null.
    NotNull,
    /// ESOZ writes it into every record, so an import must give it; a document of another system may lack it or hold null.
    Expected,
    /// It may be absent or null.
    Optional,
    /// Of the fields of an object with this presence an import must give exactly one; the others may be absent or null.
    Alternative,
}

impl Presence {
    /// Whether an import can leave the field out, or give null.
    pub const fn is_optional(self) -> bool {
        matches!(self, Self::Optional | Self::Alternative)
    }

    /// Whether the field can be null in a stored document.
    pub const fn is_nullable(self) -> bool {
        matches!(self, Self::Expected | Self::Optional | Self::Alternative)
    }
}

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub enum FieldKind {
    /// Any text.
    Text,
    /// True or false.
    Boolean,
    /// A number, kept with every digit.
    Number,
    /// An instant: ISO 8601 in UTC with milliseconds.
    Time,
    /// A UUID, lower-case.
    Uuid,
    /// A status of the status model.
    Status,
    /// A [`REFERENCE`] with one coding of the system [`RESOURCES`] and this code; `None`: any code.
    Reference(Option<&'static str>),
    /// A [`CODEABLE_CONCEPT`] with at least one coding.
    CodeableConcept,
    /// An object.
    Object(&'static ObjectType),
    /// A list of objects.
    List(&'static ObjectType),
    /// Any JSON: carried, not interpreted.
    Any,
}

impl FieldKind {
    /// Returns the type of the object that the field holds, or a list of; `None` when it holds neither.
    pub const fn object(self) -> Option<&'static ObjectType> {
        match self {
            Reference(_) => Some(&REFERENCE),
            CodeableConcept => Some(&CODEABLE_CONCEPT),
            Object(object) | List(object) => Some(object),
            Text | Boolean | Number | Time | Uuid | Status | Any => None,
        }
    }
}

/// The type of an object.
#[derive(Debug)]
pub struct ObjectType {
    /// Its name in the API description.
    pub name: &'static str,
    /// What it is, in one sentence.
    pub meaning: &'static str,
    /// Its fields, in the order in which they are shown.
    pub fields: &'static [Field],
}

impl ObjectType {
    /// Looks up a field by its name.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// The system of the codes that say what a Reference refers to.
pub const RESOURCES: &str = "eHealth/resources";

/// Looks up the kind of a value by its name and that of the object it stands in, at any depth: what is carried without
/// interpretation holds References, users and times too.
pub fn kind_of(parent: &str, name: &str) -> Option<FieldKind> {
    let of_identifier = if parent == IDENTIFIER_FIELD { IDENTIFIER.field(name) } else { None };
    of_identifier.or_else(|| RECORD.field(name)).map(|field| field.kind)
}

/// Whether a field of a stored document is the store's own, and so in no record.
pub fn is_internal(name: &str) -> bool {
    matches!(name, "_id" | "subject") || name.starts_with("esoz_")
}

/// The record of a dispense. What else is stored stays in the store.
pub static RECORD: ObjectType = ObjectType {
    name: "DeviceDispense",
    meaning: "A device dispense: what a legal entity hands over to a patient.",
    fields: &[
        Field::new("status", Status, Always, "The present status."),
        Field::new(
            "status_reason",
            CodeableConcept,
            Optional,
            "Why it has this status; set when it is marked in error.",
        ),
        Field::new(
            "status_history",
            List(&STATUS_HISTORY_ENTRY),
            Always,
            "Every status that it has had, the present one last.",
        ),
        Field::new("based_on", Reference(Some("device_request")), Expected, "The device request."),
        Field::new("performer", Reference(Some("employee")), Expected, "The employee who dispenses."),
        Field::new("location", Reference(Some("division")), Expected, "The division where it is dispensed."),
        Field::new(
            "performer_legal_entity",
            Reference(Some("legal_entity")),
            Always,
            "The legal entity that owns the dispense.",
        ),
        Field::new("program", Reference(Some("medical_program")), Optional, "The medical program."),
        Field::new(
            "primary_source",
            Boolean,
            Optional,
            "Whether it was recorded by who dispenses. A create without it sets true.",
        ),
        Field::new("when_handed_over", Time, Optional, "When the patient got it; a complete sets it."),
        Field::new("note", Text, Optional, "A note of the performer."),
        Field::new("explanatory_letter", Text, Optional, "Explains why it was marked in error."),
        Field::new("details", List(&DETAIL), Expected, "What is dispensed."),
        Field::new("payment_id", Text, Optional, "The number of the payment; a complete may set it."),
        Field::new(
            "payment_amount",
            Number,
            Optional,
            "What the patient paid, in hryvnias; a complete sets it.",
        ),
        Field::new("part_of", Any, Optional, CARRIED),
        Field::new("encounter", Any, Optional, CARRIED),
        Field::new("context_episode_id", Any, Optional, CARRIED),
        Field::new("origin_episode_id", Any, Optional, CARRIED),
        Field::new("supporting_info", Any, Optional, CARRIED),
        Field::new("external_provider", Any, Optional, CARRIED),
        Field::new("report_origin", Any, Optional, CARRIED),
        Field::new("signed_content_links", Any, Optional, "The signed documents in the media storage."),
        Field::new("inserted_at", Time, NotNull, "When it was recorded."),
        Field::new("inserted_by", Uuid, NotNull, "The user who recorded it."),
        Field::new("updated_at", Time, Always, "When it was last changed."),
        Field::new("updated_by", Uuid, Always, "The user who last changed it."),
    ],
};

const CARRIED: &str = "Carried through.";

static STATUS_HISTORY_ENTRY: ObjectType = ObjectType {
    name: "StatusHistoryEntry",
    meaning: "One status that a dispense has had.",
    fields: &[
        Field::new("status", Status, Always, "The status."),
        Field::new("status_reason", CodeableConcept, Optional, "Why it had this status."),
        Field::new("inserted_at", Time, Always, "Since when."),
        Field::new("inserted_by", Uuid, Always, "By which user."),
    ],
};

static DETAIL: ObjectType = ObjectType {
    name: "DispenseDetail",
    meaning: "One device, by reference or by code. Money is in hryvnias.",
    fields: &[
        Field::new("device", Reference(None), Alternative, "The device definition."),
        Field::new("device_code", CodeableConcept, Alternative, "The type of the device."),
        Field::new("quantity", Object(&QUANTITY), Expected, "How much is dispensed."),
        Field::new("program_device", Any, Optional, "The device in the medical program."),
        Field::new("sell_price", Number, Optional, "The price of one package."),
        Field::new(
            "discount_amount",
            Number,
            Optional,
            "By how much the whole item is cheaper for the patient.",
        ),
        Field::new(
            "reimbursement_amount",
            Number,
            Optional,
            "What the medical program allows for one package.",
        ),
    ],
};

static QUANTITY: ObjectType = ObjectType {
    name: "Quantity",
    meaning: "How much of it.",
    fields: &[
        Field::new("value", Number, Always, "The number."),
        Field::new("system", Text, Expected, "The dictionary of the code: `device_unit`."),
        Field::new("code", Text, Expected, "The code of the unit."),
        Field::new("unit", Text, Expected, "The name of the unit."),
    ],
};

/// A FHIR Reference.
pub static REFERENCE: ObjectType = ObjectType {
    name: "Reference",
    meaning: "A FHIR Reference by identifier.",
    fields: &[
        Field::new(IDENTIFIER_FIELD, Object(&IDENTIFIER), Always, "What it refers to."),
        Field::new("display_value", Text, Optional, "Its name, for people."),
    ],
};

const IDENTIFIER_FIELD: &str = "identifier";

static IDENTIFIER: ObjectType = ObjectType {
    name: "Identifier",
    meaning: "Names one thing of some type.",
    fields: &[
        Field::new("type", Object(&CODEABLE_CONCEPT), Always, "The type of the thing."),
        Field::new("value", Uuid, Always, "Its id."),
    ],
};

/// A FHIR CodeableConcept.
pub static CODEABLE_CONCEPT: ObjectType = ObjectType {
    name: "CodeableConcept",
    meaning: "A FHIR CodeableConcept.",
    fields: &[
        Field::new("coding", List(&CODING), Always, "The codes."),
        Field::new("text", Text, Optional, "The same in words."),
    ],
};

/// A coding of a CodeableConcept.
pub(crate) static CODING: ObjectType = ObjectType {
    name: "Coding",
    meaning: "A code of some system.",
    fields: &[
        Field::new("system", Text, Always, "The dictionary of the code."),
        Field::new("code", Text, Always, "The code."),
    ],
};
