//! Lists of dispenses: [`DeviceDispenses::list`](esoz_device_dispense::DeviceDispenses::list).

use esoz_device_dispense::{
    Dispense, DispenseStatus, Filter, Pseudonym, SEARCH_PARAMETERS, Search, SearchKind, SearchParameter,
    TimeRange,
};
use esoz_kernel::{DispenseId, LegalEntityId, PageRequest, StoreErrorKind, Timestamp, time::rfc3339_millis};
use serde_json::{Value, json};

use super::DispenseStore;
use super::dispenses::{assert_same, canceled, put};
use crate::builders::{DispenseBuilder, at_millis, concept, dispense, fresh, reference};

/// A legal entity's dispenses of a patient, and their filter.
struct Fixture {
    owner: LegalEntityId,
    subject: Pseudonym,
}

impl Fixture {
    fn new() -> Self {
        let any = dispense().build();
        Self { owner: any.owner, subject: any.subject }
    }

    fn another(&self) -> DispenseBuilder {
        dispense().owner(self.owner).subject(self.subject.clone())
    }

    /// All of the legal entity.
    fn owned(&self) -> Filter {
        Filter { owner: Some(self.owner), ..Filter::default() }
    }

    /// All about the patient.
    fn about(&self) -> Filter {
        Filter { subject: Some(self.subject.clone()), ..Filter::default() }
    }
}

/// The ids of a page, each entry readable, and how long the list is.
async fn list(store: &DispenseStore, filter: &Filter, number: u32, size: u32) -> (Vec<DispenseId>, u64) {
    let page = PageRequest::new(number, size).unwrap();
    let page = store.dispenses.list(filter, page).await.unwrap();
    (page.items.into_iter().map(|item| item.unwrap().id).collect(), page.total_entries)
}

/// Holds the whole list against these, in any order.
async fn assert_lists(store: &DispenseStore, filter: &Filter, expected: &[&Dispense]) {
    let (mut ids, total) = list(store, filter, 1, 50).await;
    ids.sort_unstable();
    let mut expected: Vec<DispenseId> = expected.iter().map(|dispense| dispense.id).collect();
    expected.sort_unstable();
    assert_eq!(ids, expected, "{filter:?}");
    assert_eq!(total, u64::try_from(expected.len()).unwrap(), "{filter:?}");
}

/// A store without dispenses has an empty list, and so has a legal entity or a patient without any.
pub async fn a_list_of_nothing_is_empty(store: DispenseStore) {
    let fixture = Fixture::new();
    assert_lists(&store, &fixture.owned(), &[]).await;
    put(&store, &dispense().build()).await;
    assert_lists(&store, &fixture.owned(), &[]).await;
    assert_lists(&store, &fixture.about(), &[]).await;
}

/// An entry is the dispense as it is found, in every status.
pub async fn entries_are_as_they_were_put(store: DispenseStore) {
    let fixture = Fixture::new();
    for status in DispenseStatus::ALL {
        let one = fixture.another().status(status).build();
        put(&store, &one).await;
        let filter = Filter { status: Some(status), ..fixture.owned() };
        let mut page = store.dispenses.list(&filter, PageRequest::FIRST).await.unwrap();
        assert_eq!((page.items.len(), page.total_entries), (1, 1));
        assert_same(&page.items.remove(0).unwrap(), &one);
    }
}

/// Of a legal entity, of a patient, and of both.
pub async fn owner_and_subject_narrow_a_list(store: DispenseStore) {
    let fixture = Fixture::new();
    let mine = fixture.another().build();
    let of_another_patient = dispense().owner(fixture.owner).build();
    let of_another_owner = dispense().subject(fixture.subject.clone()).build();
    for one in [&mine, &of_another_patient, &of_another_owner] {
        put(&store, one).await;
    }
    assert_lists(&store, &fixture.owned(), &[&mine, &of_another_patient]).await;
    assert_lists(&store, &fixture.about(), &[&mine, &of_another_owner]).await;
    let both = Filter { owner: Some(fixture.owner), ..fixture.about() };
    assert_lists(&store, &both, &[&mine]).await;
}

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

/// A status is found in both of its spellings, and shown in one.
pub async fn a_status_is_found_in_both_spellings(store: DispenseStore) {
    let one = canceled(&store).await;
    let other = dispense().owner(one.owner).status(DispenseStatus::Cancelled).build();
    put(&store, &other).await;
    put(&store, &dispense().owner(one.owner).build()).await;
    let status = Some(DispenseStatus::Cancelled);
    let filter = Filter { owner: Some(one.owner), status, ..Filter::default() };
    assert_lists(&store, &filter, &[&one, &other]).await;
    let listed = store.dispenses.list(&filter, PageRequest::FIRST).await.unwrap();
    for item in listed.items {
        assert_eq!(item.unwrap().record["status"], "cancelled");
    }
}

/// Bounds are included, to the millisecond; what has no time is within no bounds.
pub async fn bounds_are_included(store: DispenseStore) {
    let fixture = Fixture::new();
    let at = |millis: i64| json!(rfc3339_millis(at_millis(millis)));
    for field in ["inserted_at", "when_handed_over"] {
        let [early, exact, late] =
            [999, 1_000, 1_001].map(|millis| fixture.another().field(field, at(millis)).build());
        let none = fixture.another().build();
        for one in [&early, &exact, &late, &none] {
            put(&store, one).await;
        }
        store.raw.set_field(none.id, field, Value::Null).await;
        let within = |from: Option<i64>, to: Option<i64>| {
            let range = TimeRange::new(from.map(at_millis), to.map(at_millis));
            // The others of this test are far from these times.
            let near = TimeRange::new(Some(at_millis(0)), Some(at_millis(5_000)));
            let range = if range == TimeRange::default() { near } else { range };
            match field {
                "inserted_at" => Filter { inserted_at: range, ..fixture.owned() },
                _ => Filter { when_handed_over: range, ..fixture.owned() },
            }
        };
        for (from, to, expected) in [
            (None, None, vec![&early, &exact, &late]),
            (Some(1_000), Some(1_000), vec![&exact]),
            (Some(999), Some(1_000), vec![&early, &exact]),
            (Some(1_000), Some(5_000), vec![&exact, &late]),
            (Some(1_001), Some(999), vec![]),
            (Some(1_002), None, vec![]),
        ] {
            assert_lists(&store, &within(from, to), &expected).await;
        }
    }
}

/// The ends of time are times like any other.
pub async fn the_ends_of_time_are_within_bounds(store: DispenseStore) {
    let fixture = Fixture::new();
    let [first, last] = ["0000-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"]
        .map(|time| fixture.another().field("inserted_at", json!(time)).build());
    put(&store, &first).await;
    put(&store, &last).await;
    let within = |from, to| Filter { inserted_at: TimeRange::new(from, to), ..fixture.owned() };
    assert_lists(&store, &within(Some(Timestamp::MIN), None), &[&first, &last]).await;
    assert_lists(&store, &within(None, Some(Timestamp::MIN)), &[&first]).await;
    assert_lists(&store, &within(Some(Timestamp::MAX), None), &[&last]).await;
}

/// Ascending by the time of recording, those without one first, and then by id; nothing twice, nothing missing, true totals.
pub async fn pages_are_in_order_and_complete(store: DispenseStore) {
    let fixture = Fixture::new();
    let mut all = Vec::new();
    for place in 0..23 {
        let at = rfc3339_millis(at_millis(place % 4));
        let one = fixture.another().field("inserted_at", json!(at)).build();
        put(&store, &one).await;
        all.push((Some(at), one.id));
    }
    for _ in 0..2 {
        let one = fixture.another().build();
        put(&store, &one).await;
        store.raw.set_field(one.id, "inserted_at", Value::Null).await;
        all.push((None, one.id));
    }
    all.sort();
    let ids: Vec<DispenseId> = all.into_iter().map(|(_, id)| id).collect();
    let both = Filter { owner: Some(fixture.owner), ..fixture.about() };
    let in_progress = Filter { status: Some(DispenseStatus::InProgress), ..fixture.owned() };
    for filter in [fixture.owned(), fixture.about(), both, in_progress] {
        let mut listed = Vec::new();
        for (number, entries) in [(1, 10), (2, 10), (3, 5), (4, 0), (1_000_000, 0)] {
            let (page, total) = list(&store, &filter, number, 10).await;
            assert_eq!((page.len(), total), (entries, 25), "page {number} of {filter:?}");
            listed.extend(page);
        }
        assert_eq!(listed, ids, "{filter:?}");
        assert_eq!(list(&store, &filter, 1, 25).await, (ids.clone(), 25));
        assert_eq!(list(&store, &filter, 5, 5).await, (ids[20..].to_vec(), 25));
    }
}

/// What cannot be read is an error in its place, named by place, id and field, and counted.
pub async fn what_cannot_be_read_is_an_error_in_its_place(store: DispenseStore) {
    let fixture = Fixture::new();
    let mut ids = Vec::new();
    for place in 0..5 {
        let one = fixture.another().field("inserted_at", json!(rfc3339_millis(at_millis(place)))).build();
        put(&store, &one).await;
        ids.push(one.id);
    }
    store.raw.set_field(ids[1], "status", json!("exploded")).await;
    store.raw.set_field(ids[3], "subject", json!({"of": "others"})).await;
    let page = store.dispenses.list(&fixture.owned(), PageRequest::FIRST).await.unwrap();
    assert_eq!((page.items.len(), page.total_entries), (5, 5));
    for (id, item) in ids.iter().zip(page.items) {
        match (item, *id == ids[1], *id == ids[3]) {
            (Ok(readable), false, false) => assert_eq!(readable.id, *id),
            (Err(error), of_status, _) => {
                assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
                let field = if of_status { "status" } else { "subject" };
                for part in ["device_dispenses", &id.to_string(), field] {
                    assert!(error.to_string().contains(part), "{error} does not name {part}");
                }
                assert!(!error.with_causes().contains(fixture.subject.expose()));
            }
            (Ok(readable), ..) => panic!("{readable:?} was read"),
        }
    }
    // In a list by what it is not it does not occur.
    let in_progress = Filter { status: Some(DispenseStatus::InProgress), ..fixture.about() };
    let (listed, total) = list(&store, &in_progress, 1, 50).await;
    assert_eq!((listed, total), (vec![ids[0], ids[2], ids[4]], 3));
}
