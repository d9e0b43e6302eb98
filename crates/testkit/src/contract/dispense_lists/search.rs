//! Each search parameter finds what has its value.

use esoz_device_dispense::{Filter, SEARCH_PARAMETERS, Search, SearchKind, SearchParameter};
use esoz_kernel::LegalEntityId;
use serde_json::{Value, json};

use super::fixtures::{Fixture, assert_lists};
use crate::builders::{concept, fresh, reference};
use crate::contract::DispenseStore;
use crate::contract::dispenses::put;

/// The value of a search parameter as text, and the field of the record that holds it.
fn searched(parameter: &'static SearchParameter) -> (String, &'static str, Value) {
    let text = if parameter.kind == SearchKind::Code { "30221-ї".to_owned() } else { fresh().to_string() };
    (text.clone(), parameter.path[0], holding(parameter, &text))
}

/// A field that holds that value where the parameter looks for it.
fn holding(parameter: &SearchParameter, text: &str) -> Value {
    let item = |value: Value| json!([{"device": reference("device_definition", fresh())}, value]);
    match parameter.path {
        [_] => json!(text),
        [_, "device", ..] => item(json!({"device": reference("device_definition", text)})),
        [_, "device_code", ..] => item(json!({"device_code": concept("classification_type", text)})),
        [field, ..] => reference(field, text),
        [] => Value::Null,
    }
}

fn search(parameter: &'static SearchParameter, text: &str) -> Search {
    Search { parameter, value: parameter.parse(text).unwrap() }
}

/// Each search parameter finds the dispense with the value, and no other.
pub async fn every_search_parameter_finds_what_has_the_value(store: DispenseStore) {
    let fixture = Fixture::new();
    put(&store, &fixture.another().build()).await;
    for parameter in &SEARCH_PARAMETERS {
        let (text, field, value) = searched(parameter);
        let one = fixture.another().field(field, value).build();
        put(&store, &one).await;
        let filter = Filter { search: vec![search(parameter, &text)], ..fixture.owned() };
        assert_lists(&store, &filter, &[&one]).await;
        assert_lists(&store, &Filter { subject: Some(fixture.subject.clone()), ..filter.clone() }, &[&one])
            .await;
        let of_another = Filter { owner: Some(LegalEntityId::new(fresh())), ..filter };
        assert_lists(&store, &of_another, &[]).await;
        let (other, ..) = searched(parameter);
        if other != text {
            let filter = Filter { search: vec![search(parameter, &other)], ..fixture.owned() };
            assert_lists(&store, &filter, &[]).await;
        }
    }
}

/// An id is found however it is stored: as the store keeps UUIDs, and as text in either case.
pub async fn ids_are_found_however_they_are_stored(store: DispenseStore) {
    let fixture = Fixture::new();
    for parameter in SEARCH_PARAMETERS.iter().filter(|parameter| parameter.kind == SearchKind::Id) {
        let (text, field, value) = searched(parameter);
        let as_put = fixture.another().field(field, value).build();
        let (lower, upper) = (fixture.another().build(), fixture.another().build());
        for one in [&as_put, &lower, &upper] {
            put(&store, one).await;
        }
        store.raw.set_field(lower.id, field, holding(parameter, &text)).await;
        store.raw.set_field(upper.id, field, holding(parameter, &text.to_uppercase())).await;
        let filter = Filter { search: vec![search(parameter, &text)], ..fixture.owned() };
        assert_lists(&store, &filter, &[&as_put, &lower, &upper]).await;
    }
    // The owner as well.
    let fixture = Fixture::new();
    let upper = fixture.another().build();
    put(&store, &upper).await;
    let owner = reference("legal_entity", upper.owner.to_string().to_uppercase());
    store.raw.set_field(upper.id, "performer_legal_entity", owner).await;
    assert_lists(&store, &fixture.owned(), &[&upper]).await;
}

/// Several search parameters must all be met, those of a list of details by any of its items.
pub async fn every_search_parameter_must_be_met(store: DispenseStore) {
    let fixture = Fixture::new();
    let [based_on, device, code] =
        ["based_on", "device", "device_code"].map(|name| SearchParameter::find(name).unwrap());
    let (request, id) = (fresh().to_string(), fresh().to_string());
    let details = json!([
        {"device_code": concept("classification_type", "1")},
        {"device": reference("device_definition", &id)},
    ]);
    let whole = fixture
        .another()
        .field("based_on", reference("device_request", &request))
        .field("details", details)
        .build();
    let half = fixture.another().field("based_on", reference("device_request", &request)).build();
    put(&store, &whole).await;
    put(&store, &half).await;
    let by = |search: Vec<Search>| Filter { search, ..fixture.owned() };
    assert_lists(&store, &by(vec![search(based_on, &request)]), &[&whole, &half]).await;
    let all = vec![search(based_on, &request), search(device, &id), search(code, "1")];
    assert_lists(&store, &by(all), &[&whole]).await;
    assert_lists(&store, &by(vec![search(based_on, &request), search(code, "2")]), &[]).await;
}
