//! The published description, `docs/openapi.json`: it is what the handlers say, what the server sends, and sound in itself.
//! That answers are as it describes them is C06 of the conformance tests.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeSet;

use esoz_device_dispense::RECORD;
use esoz_tests::{Answer, COMMITTED, Kind, PUBLISHED, TestApp, resolved};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::Value;

fn document() -> Value {
    serde_json::from_str(COMMITTED).unwrap()
}

/// Path, verb, and what is described there.
fn operations(document: &Value) -> Vec<(&String, &String, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths
        .flat_map(|(path, item)| {
            item.as_object().unwrap().iter().map(move |(verb, operation)| (path, verb, operation))
        })
        .collect()
}

#[test]
fn it_is_what_the_routes_say() {
    assert!(
        esoz_http::openapi().unwrap() == COMMITTED,
        "docs/openapi.json is not what the handlers say any more; `cargo xtask openapi` writes it anew"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_shows_it_to_anybody() {
    let app = TestApp::new(Kind::Sqlite).await;
    let answer = app.request(Method::GET, "/openapi.json").send().await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.body, document());
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let answer = app.request(method, "/openapi.json").send().await;
        answer.assert_error(405, "method_not_allowed", "Method is not allowed here. Allowed: GET, HEAD.");
        assert_eq!(answer.headers["allow"], "GET, HEAD");
    }
}

#[test]
fn every_operation_names_its_scope() {
    let document = document();
    let found: BTreeSet<_> = operations(&document)
        .into_iter()
        .map(|(_, _, operation)| {
            let forbidden = resolved(&document, &operation["responses"]["403"]);
            let refusal = &forbidden["content"]["application/json"]["examples"]["missing_allowances"];
            let message = refusal["value"]["error"]["message"].as_str();
            let scope = message.map(|message| message.rsplit(' ').next().unwrap());
            if let Some(scope) = scope {
                assert!(
                    operation["description"].as_str().unwrap().contains(&format!("`{scope}`")),
                    "{operation}"
                );
                let schemes = operation["security"][0].as_object().unwrap().values();
                assert!(schemes.map(|scopes| &scopes[0]).all(|named| named == scope), "{operation}");
            }
            (operation["operationId"].as_str().unwrap(), scope)
        })
        .collect();
    let registered =
        esoz_http::operations().into_iter().map(|operation| (operation.name, Some(operation.scope)));
    let open = ["show_liveness", "show_readiness", "show_description"].map(|name| (name, None));
    assert_eq!(found, registered.chain(open).collect());
}

#[test]
fn its_examples_are_as_it_describes() {
    PUBLISHED.compile();
    let document = document();
    let mut seen = 0;
    for (path, verb, operation) in operations(&document) {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let response = resolved(&document, response);
            let content = response["content"].as_object().unwrap();
            for (content_type, example) in content.iter().flat_map(|(content_type, content)| {
                let examples = content["examples"].as_object().into_iter().flatten();
                examples.map(move |(_, example)| (content_type, &example["value"]))
            }) {
                let answer = Answer {
                    method: verb.to_uppercase().parse().unwrap(),
                    status: StatusCode::from_bytes(status.as_bytes()).unwrap(),
                    headers: headers(response, content_type),
                    body: example.clone(),
                    url: format!("https://esoz.example{path}"),
                };
                assert_eq!(PUBLISHED.check(&answer), Ok(()));
                assert_eq!(example["meta"]["code"].to_string(), *status);
                seen += 1;
            }
        }
    }
    assert!(seen > 40, "{seen} examples");
}

/// Generators of clients make a type of each schema that stands in a response.
#[test]
fn each_body_has_a_name_and_all_refusals_have_one() {
    let document = document();
    let is_name = |schema: &Value| schema.as_object().is_some_and(|schema| schema.keys().eq(["$ref"]));
    for (path, verb, operation) in operations(&document) {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let schema = &resolved(&document, response)["content"]["application/json"]["schema"];
            assert!(is_name(schema), "{verb} {path} {status}: {schema}");
            if !status.starts_with('2') {
                assert_eq!(schema["$ref"], "#/components/schemas/Failure", "{verb} {path} {status}");
            }
        }
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        assert!(body.is_null() || is_name(body), "{verb} {path}: {body}");
    }
}

#[test]
fn what_several_operations_answer_stands_once() {
    let document = document();
    let mut references = Vec::new();
    collect_references(&document, &mut references);
    for name in document["components"]["responses"].as_object().unwrap().keys() {
        let reference = format!("#/components/responses/{name}");
        assert!(references.iter().filter(|found| **found == reference).count() > 1, "{name}");
    }
    let registered: BTreeSet<_> =
        esoz_http::operations().into_iter().map(|operation| operation.name).collect();
    for (_, _, operation) in operations(&document) {
        let name = operation["operationId"].as_str().unwrap();
        if registered.contains(name) {
            for status in ["400", "401", "429", "431", "500", "503"] {
                // These have reasons of their own: wrong verification codes, and containers.
                let is_its_own = [
                    ("create_device_dispense", "429"),
                    ("complete_device_dispense", "400"),
                    ("mark_device_dispense_in_error", "400"),
                ]
                .contains(&(name, status));
                let is_shared = operation["responses"][status]["$ref"].is_string();
                assert_eq!(is_shared, !is_its_own, "{status} of {operation}");
            }
        }
    }
}

#[test]
fn every_parameter_is_explained() {
    for (path, verb, operation) in operations(&document()) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["description"].is_string(), "{verb} {path}: {parameter}");
        }
    }
}

/// Headers of an answer as that response describes them.
fn headers(response: &Value, content_type: &str) -> HeaderMap {
    let described = response["headers"].as_object().unwrap().iter();
    let headers = described.map(|(name, header)| {
        let value = if header["schema"]["type"] == "integer" { "1" } else { "0123456789-0123456789" };
        (name.parse::<HeaderName>().unwrap(), HeaderValue::from_static(value))
    });
    let content_type = ("content-type".parse().unwrap(), content_type.parse().unwrap());
    headers.chain([content_type]).collect()
}

#[test]
fn it_describes_every_field_of_a_dispense_and_no_other() {
    let document = document();
    let shape = &document["components"]["schemas"]["DeviceDispense"];
    let described: BTreeSet<&str> =
        shape["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(described, RECORD.fields.iter().map(|field| field.name).chain(["id", "subject"]).collect());
    assert_eq!(shape["additionalProperties"], false);
}

#[test]
fn its_schemas_are_schemas_and_its_references_lead_somewhere() {
    let document = document();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(jsonschema::draft202012::meta::is_valid(schema), "{name}");
    }
    let mut references = Vec::new();
    collect_references(&document, &mut references);
    assert!(!references.is_empty());
    for reference in references {
        assert!(document.pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference}");
    }
    let ids: BTreeSet<&str> = operations(&document)
        .iter()
        .map(|(_, _, operation)| operation["operationId"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), operations(&document).len());
}

fn collect_references<'a>(value: &'a Value, into: &mut Vec<&'a str>) {
    match value {
        Value::Object(object) => {
            into.extend(object.get("$ref").and_then(Value::as_str));
            object.values().for_each(|value| collect_references(value, into));
        }
        Value::Array(items) => items.iter().for_each(|value| collect_references(value, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
