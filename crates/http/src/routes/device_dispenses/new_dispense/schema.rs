//! The description of the body, made from its shape.

use esoz_kernel::Decimal;
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, KnownFormat, ObjectBuilder, OneOfBuilder, RefBuilder, Schema,
    SchemaFormat, Type,
};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::BODY;
use crate::extract::shape::{Field, Kind, Shape};

/// The schema of the body.
pub(crate) struct NewDispenseBody;

impl PartialSchema for NewDispenseBody {
    fn schema() -> RefOr<Schema> {
        object(&BODY)
    }
}

impl ToSchema for NewDispenseBody {
    fn name() -> std::borrow::Cow<'static, str> {
        BODY.name.into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        collect(&BODY, schemas);
    }
}

/// Collects the schemas of the objects inside that object.
fn collect(outer: &'static Shape, schemas: &mut Vec<(String, RefOr<Schema>)>) {
    for field in outer.fields {
        if let Kind::Object(inner) | Kind::List(inner, _) = field.kind {
            schemas.push((inner.name.to_owned(), object(inner)));
            collect(inner, schemas);
        }
    }
}

fn object(shape: &Shape) -> RefOr<Schema> {
    let whole = ObjectBuilder::new().schema_type(Type::Object).description(Some(shape.meaning));
    let whole = shape.fields.iter().fold(whole, |whole, field| {
        let whole = whole.property(field.name, property(field));
        if field.is_required { whole.required(field.name) } else { whole }
    });
    let whole = whole.additional_properties(Some(AdditionalProperties::FreeForm(false)));
    if shape.alternatives.is_empty() {
        return whole.into();
    }
    // Exactly one of them: an object that has the one and not the others.
    let alternatives = shape
        .alternatives
        .iter()
        .fold(OneOfBuilder::new(), |one_of, name| one_of.item(ObjectBuilder::new().required(*name)));
    utoipa::openapi::schema::AllOfBuilder::new().item(whole).item(alternatives).into()
}

fn property(field: &Field) -> RefOr<Schema> {
    let meaning = Some(field.meaning).filter(|meaning| !meaning.is_empty());
    let text = || ObjectBuilder::new().schema_type(Type::String).description(meaning);
    match field.kind {
        Kind::Uuid => text().format(Some(SchemaFormat::Custom("uuid".to_owned()))).into(),
        Kind::Text(most) => text().max_length(Some(most)).into(),
        Kind::Digits(count) => text().pattern(Some(format!("^[0-9]{{{count}}}$"))).into(),
        Kind::Boolean => ObjectBuilder::new().schema_type(Type::Boolean).description(meaning).into(),
        Kind::Time => text().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))).into(),
        Kind::Number(range) => {
            let number = ObjectBuilder::new().schema_type(Type::Number).description(meaning);
            let step = 10f64.powi(-i32::try_from(range.decimals).unwrap_or(0));
            let digits = i32::try_from(Decimal::MAX_WHOLE_DIGITS).unwrap_or(i32::MAX);
            let number = number.multiple_of(Some(step)).exclusive_maximum(Some(10f64.powi(digits)));
            if range.has_zero { number.minimum(Some(0)) } else { number.exclusive_minimum(Some(0)) }.into()
        }
        Kind::Word(words) => text().enum_values(Some(words.iter().copied())).into(),
        Kind::Unit => text().examples(["piece"]).into(),
        Kind::Object(inner) => RefOr::Ref(
            RefBuilder::new().ref_location_from_schema_name(inner.name).description(meaning).build(),
        ),
        Kind::List(inner, most) => ArrayBuilder::new()
            .items(Ref::from_schema_name(inner.name))
            .min_items(Some(1))
            .max_items(Some(most))
            .description(meaning)
            .into(),
    }
}
