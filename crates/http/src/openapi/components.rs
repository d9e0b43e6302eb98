//! Shares what several operations have in common: a response or a schema with a name stands once in the components, and is referred to. A
//! generator of clients makes one type of it, instead of one for each answer.

use std::collections::BTreeMap;
use std::mem;

use actix_web::http::Method;
use utoipa::Modify;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::{Operation, Parameter, PathItem};
use utoipa::openapi::schema::{ArrayItems, Schema};
use utoipa::openapi::{OpenApi, Ref, RefOr, Response};

/// Marks a response with its name until it is moved.
const NAME: &str = "x-name";

type Schemas = BTreeMap<String, RefOr<Schema>>;

/// Lists the operations of a path with their methods.
pub(super) fn operations_of(path: &mut PathItem) -> Vec<(Method, &mut Operation)> {
    let each = [
        (Method::GET, &mut path.get),
        (Method::PUT, &mut path.put),
        (Method::POST, &mut path.post),
        (Method::DELETE, &mut path.delete),
        (Method::PATCH, &mut path.patch),
    ];
    each.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?))).collect()
}

/// The name of a response, as an extension of it. The name of a schema is its title.
pub(super) fn name_of_response(name: String) -> Extensions {
    [(NAME, name)].into_iter().collect()
}

/// Makes a name of the words of a text: `device_dispense:read` is `DeviceDispenseRead`.
pub(super) fn pascal_case(text: &str) -> String {
    let words = text.split(|char: char| !char.is_ascii_alphanumeric());
    let first_upper = |(index, char): (usize, char)| {
        if index == 0 { char.to_ascii_uppercase() } else { char.to_ascii_lowercase() }
    };
    words.flat_map(|word| word.chars().enumerate().map(first_upper)).collect()
}

/// Moves named schemas into the components, and named responses that several operations give.
pub(super) struct NamedComponents;

impl Modify for NamedComponents {
    fn modify(&self, openapi: &mut OpenApi) {
        let components = openapi.components.get_or_insert_default();
        let mut schemas = mem::take(&mut components.schemas);
        let mut moved = Schemas::new();
        for schema in schemas.values_mut() {
            move_parts(schema, &mut moved);
        }
        let mut named: BTreeMap<String, Vec<&mut RefOr<Response>>> = BTreeMap::new();
        for (_, operation) in openapi.paths.paths.values_mut().flat_map(operations_of) {
            for parameter in operation.parameters.iter_mut().flatten() {
                if let RefOr::T(Parameter { schema: Some(schema), .. }) = parameter {
                    move_schema(schema, &mut moved);
                }
            }
            for response in operation.responses.responses.values_mut() {
                let RefOr::T(whole) = response else { continue };
                let contents = whole.content.values_mut().filter_map(|content| match content {
                    RefOr::T(content) => content.schema.as_mut(),
                    RefOr::Ref(_) => None,
                });
                contents.for_each(|schema| move_schema(schema, &mut moved));
                let name = whole
                    .extensions
                    .take()
                    .and_then(|extensions| Some(extensions.get(NAME)?.as_str()?.to_owned()));
                if let Some(name) = name {
                    named.entry(name).or_default().push(response);
                }
            }
        }
        schemas.append(&mut moved);
        components.schemas = schemas;
        for (name, responses) in named {
            let Some((first, others)) = responses.split_first() else { continue };
            if others.is_empty() || others.iter().any(|other| other != first) {
                continue;
            }
            for response in responses {
                let reference = Ref::from_response_name(&name).into();
                components.responses.insert(name.clone(), mem::replace(response, reference));
            }
        }
    }
}

/// Moves a schema that has a title, and those inside it.
fn move_schema(schema: &mut RefOr<Schema>, into: &mut Schemas) {
    move_parts(schema, into);
    let RefOr::T(Schema::Object(object)) = schema else { return };
    let Some(name) = object.title.take() else { return };
    let reference = Ref::from_schema_name(&name).into();
    into.insert(name, mem::replace(schema, reference));
}

/// Moves the schemas inside a schema.
fn move_parts(schema: &mut RefOr<Schema>, into: &mut Schemas) {
    match schema {
        RefOr::T(Schema::Object(object)) => {
            object.properties.values_mut().for_each(|part| move_schema(part, into));
        }
        RefOr::T(Schema::Array(array)) => {
            if let ArrayItems::RefOrSchema(item) = &mut array.items {
                move_schema(item, into);
            }
        }
        RefOr::T(Schema::OneOf(choice)) => {
            choice.items.iter_mut().for_each(|part| move_schema(part, into));
        }
        RefOr::T(_) | RefOr::Ref(_) => {}
    }
}
