//! The schemas of a dispense, made from the table of its fields. The record is carried as JSON and not interpreted (docs/adr/0003), so only
//! what a stop has read or written is required; the rest is as ESOZ writes it, if it is there.

use esoz_device_dispense::{CODEABLE_CONCEPT, Field, FieldKind, ObjectType, Presence, RECORD, REFERENCE};
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, KnownFormat, ObjectBuilder, OneOfBuilder, RefBuilder, Schema,
    SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::formats;

/// The schema of the record, with the id and the patient.
pub(crate) struct DeviceDispense;

impl PartialSchema for DeviceDispense {
    fn schema() -> RefOr<Schema> {
        record(RefOr::Ref(to_patient())).into()
    }
}

/// The schema of the same in a list of a legal entity, where the patient may be unknown.
pub(crate) struct ListedDeviceDispense;

impl PartialSchema for ListedDeviceDispense {
    fn schema() -> RefOr<Schema> {
        let null = ObjectBuilder::new().schema_type(Type::Null);
        let unknown = ObjectBuilder::new()
            .schema_type(Type::Object)
            .title(Some("UnknownPatient"))
            .description(Some(
                "Where patients are stored irreversibly (`hmac-sha256`), their ids are not known: keep them.",
            ))
            .property("display_value", null)
            .required("display_value")
            .additional_properties(Some(AdditionalProperties::FreeForm(false)));
        record(OneOfBuilder::new().item(to_patient()).item(unknown)).into()
    }
}

impl ToSchema for ListedDeviceDispense {}

fn to_patient() -> Ref {
    let schema = RefBuilder::new().ref_location_from_schema_name(REFERENCE.name);
    schema.description(Some("The patient.")).build()
}

/// The record with its id and that subject.
fn record(subject: impl Into<RefOr<Schema>>) -> ObjectBuilder {
    let id = Field::new("id", FieldKind::Uuid, Presence::Always, "");
    object(&RECORD, [&id])
        .property("subject", subject)
        .required("subject")
        .additional_properties(Some(AdditionalProperties::FreeForm(false)))
}

impl ToSchema for DeviceDispense {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        collect(&RECORD, schemas);
    }
}

/// Collects the schemas of the objects inside that object.
fn collect(outer: &ObjectType, schemas: &mut Vec<(String, RefOr<Schema>)>) {
    for inner in outer.fields.iter().filter_map(|field| field.kind.object()) {
        schemas.push((inner.name.to_owned(), object(inner, []).into()));
        collect(inner, schemas);
    }
}

/// The schema of an object; `more` are fields that it has besides those of the table.
fn object<'a>(object: &'a ObjectType, more: impl IntoIterator<Item = &'a Field>) -> ObjectBuilder {
    let described = ObjectBuilder::new().schema_type(Type::Object).description(Some(object.meaning));
    object.fields.iter().chain(more).fold(described, |schema, field| {
        let schema = schema.property(field.name, property(field));
        if field.presence == Presence::Always { schema.required(field.name) } else { schema }
    })
}

fn property(field: &Field) -> RefOr<Schema> {
    let meaning = Some(field.meaning);
    let is_nullable = field.presence.is_nullable();
    let types = |one| if is_nullable { SchemaType::from_iter([one, Type::Null]) } else { one.into() };
    let scalar = |types| ObjectBuilder::new().schema_type(types).description(meaning);
    let text = || scalar(types(Type::String));
    match field.kind {
        FieldKind::Text => text().into(),
        FieldKind::Uuid => text().format(Some(SchemaFormat::Custom("uuid".to_owned()))).into(),
        FieldKind::Time => {
            let format = SchemaFormat::KnownFormat(KnownFormat::DateTime);
            text().format(Some(format)).pattern(Some(r"\.\d{3}Z$")).into()
        }
        FieldKind::Boolean => scalar(types(Type::Boolean)).into(),
        FieldKind::Number => {
            let format = SchemaFormat::KnownFormat(KnownFormat::Double);
            scalar(types(Type::Number)).format(Some(format)).into()
        }
        FieldKind::Status => formats::dispense_status().into(),
        FieldKind::Any => scalar(SchemaType::AnyValue).into(),
        FieldKind::List(item) => {
            let list =
                ArrayBuilder::new().schema_type(types(Type::Array)).items(Ref::from_schema_name(item.name));
            list.description(meaning).into()
        }
        FieldKind::Reference(_) => nested(&REFERENCE, meaning, is_nullable),
        FieldKind::CodeableConcept => nested(&CODEABLE_CONCEPT, meaning, is_nullable),
        FieldKind::Object(inner) => nested(inner, meaning, is_nullable),
    }
}

/// An object by reference to its schema, or null.
fn nested(inner: &ObjectType, meaning: Option<&str>, is_nullable: bool) -> RefOr<Schema> {
    let schema = RefBuilder::new().ref_location_from_schema_name(inner.name).description(meaning);
    if is_nullable {
        let null = ObjectBuilder::new().schema_type(Type::Null);
        OneOfBuilder::new().item(schema).item(null).into()
    } else {
        RefOr::Ref(schema.build())
    }
}
