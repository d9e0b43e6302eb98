//! The schemas of successes, each with a name.

use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, Object, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Ref, RefOr};

use super::formats::LIST;
use crate::envelope::{Paging, Reply};

/// The envelope of a success, with `data` of that schema.
pub(super) fn envelope_of<T>(schema: &str, reply: &Reply<T>) -> Object {
    let data = Ref::from_schema_name(schema);
    let data = match reply.kind {
        LIST => Schema::from(ArrayBuilder::new().items(data).build()).into(),
        _ => RefOr::Ref(data),
    };
    let suffix = match (reply.kind, &reply.paging) {
        (_, Some(_)) => "Page",
        (LIST, None) => "List",
        _ => "Response",
    };
    let parts = [("meta", Ref::from_schema_name("Meta").into()), ("data", data)];
    let paging = reply.paging.as_ref().map(|paging| ("paging", Schema::from(paging_of(paging)).into()));
    closed_object(format!("{schema}{suffix}"), parts.into_iter().chain(paging))
}

/// `paging` of a list.
fn paging_of(paging: &Paging) -> Object {
    let number = || Schema::from(ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).build());
    let fields = paging.fields().map(|(name, _)| (name, number().into()));
    closed_object(paging.shape.schema.to_owned(), fields)
}

/// A named object with these properties, all of which it has, and no others.
fn closed_object(
    name: String,
    properties: impl IntoIterator<Item = (&'static str, RefOr<Schema>)>,
) -> Object {
    let object = ObjectBuilder::new().schema_type(Type::Object).title(Some(name));
    let properties = properties.into_iter();
    let object =
        properties.fold(object, |object, (name, schema)| object.property(name, schema).required(name));
    object.additional_properties(Some(AdditionalProperties::FreeForm(false))).build()
}
