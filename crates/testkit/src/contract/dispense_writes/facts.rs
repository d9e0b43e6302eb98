use esoz_device_dispense::{DispenseFacts, DispenseStatus, RequestFacts, RequestQuery};
use esoz_kernel::{DeviceRequestId, DispenseId, Timestamp, time::rfc3339_millis};
use serde_json::{Value, json};

use super::super::DispenseWriteStore;
use super::super::dispenses::{assert_same, put};
use super::fixtures::{facts, request_facts, stored_dispense, stored_request};
use crate::builders::{at_millis, device_request, dispense, dispense_of, fresh, reference};

fn query(request: DeviceRequestId, active_since: Option<Timestamp>) -> RequestQuery {
    RequestQuery { request, id: DispenseId::new(fresh()), active_since, codes_since: Timestamp::MIN }
}

async fn has_active_dispense(
    store: &DispenseWriteStore,
    request: DeviceRequestId,
    since: Option<Timestamp>,
) -> bool {
    request_facts(store, &query(request, since)).await.has_active_dispense
}

/// What is not there is a value, not an error.
pub async fn request_facts_of_nothing(store: DispenseWriteStore) {
    let query = query(DeviceRequestId::new(fresh()), None);
    assert_eq!(request_facts(&store, &query).await, RequestFacts::default());
    stored_dispense(&store, &stored_request(&store).await.facts).await;
    assert_eq!(request_facts(&store, &query).await, RequestFacts::default());
}

/// The request, whether the id is taken, whether a dispense of the request is active.
pub async fn request_facts_of_everything(store: DispenseWriteStore) {
    let request = stored_request(&store).await.facts;
    let of_another = stored_dispense(&store, &stored_request(&store).await.facts).await;
    let nothing = RequestFacts { request: Some(request.clone()), ..RequestFacts::default() };
    let free = query(request.id, None);
    assert_eq!(request_facts(&store, &free).await, nothing);
    let taken = RequestQuery { id: of_another.id, ..free.clone() };
    assert_eq!(request_facts(&store, &taken).await, RequestFacts { is_id_taken: true, ..nothing.clone() });
    stored_dispense(&store, &request).await;
    let active = RequestFacts { has_active_dispense: true, ..nothing };
    assert_eq!(request_facts(&store, &free).await, active);
    assert_eq!(request_facts(&store, &taken).await, RequestFacts { is_id_taken: true, ..active });
}

/// A dispense whose request is not there is one all the same.
pub async fn a_request_that_is_not_there_has_dispenses(store: DispenseWriteStore) {
    let request = device_request().facts;
    stored_dispense(&store, &request).await;
    let found = request_facts(&store, &query(request.id, None)).await;
    assert_eq!(found, RequestFacts { has_active_dispense: true, ..RequestFacts::default() });
}

/// Only a dispense in progress is active, and only for its own request.
pub async fn an_active_dispense_is_one_in_progress(store: DispenseWriteStore) {
    let other = stored_request(&store).await.facts;
    for status in DispenseStatus::ALL {
        let request = stored_request(&store).await.facts;
        put(&store.dispenses, &dispense_of(&request).status(status).build()).await;
        let is_active = status == DispenseStatus::InProgress;
        assert_eq!(has_active_dispense(&store, request.id, None).await, is_active, "{status}");
        assert!(!has_active_dispense(&store, other.id, None).await, "{status}");
    }
    put(&store.dispenses, &dispense().without("based_on").build()).await;
    assert!(!has_active_dispense(&store, other.id, None).await);
}

/// A dispense is active if it was recorded at the instant or later.
pub async fn a_dispense_is_active_from_an_instant_on(store: DispenseWriteStore) {
    let request = stored_request(&store).await.facts;
    let recorded = |at| dispense_of(&request).field("inserted_at", json!(rfc3339_millis(at))).build();
    put(&store.dispenses, &recorded(at_millis(-2_000))).await;
    put(&store.dispenses, &recorded(at_millis(-1_000))).await;
    for (since, is_active) in [
        (None, true),
        (Some(Timestamp::MIN), true),
        (Some(at_millis(-1_001)), true),
        (Some(at_millis(-1_000)), true),
        (Some(at_millis(-999)), false),
        (Some(Timestamp::MAX), false),
    ] {
        assert_eq!(has_active_dispense(&store, request.id, since).await, is_active, "{since:?}");
    }
}

/// A dispense that was recorded at no time that can be read is active.
pub async fn a_dispense_of_an_unreadable_time_is_active(store: DispenseWriteStore) {
    for unreadable in [json!("yesterday"), json!(""), json!(7), Value::Null, json!({"at": 1})] {
        let request = stored_request(&store).await.facts;
        let dispense = stored_dispense(&store, &request).await;
        store.dispenses.raw.set_field(dispense.id, "inserted_at", unreadable.clone()).await;
        let is_active = has_active_dispense(&store, request.id, Some(Timestamp::MAX)).await;
        assert!(is_active, "{unreadable}");
    }
    let request = stored_request(&store).await.facts;
    put(&store.dispenses, &dispense_of(&request).without("inserted_at").build()).await;
    assert!(has_active_dispense(&store, request.id, Some(Timestamp::MAX)).await);
}

/// The request that a dispense names is found however the id is stored: as the store keeps UUIDs, and as text in either case.
pub async fn a_request_is_named_in_every_form(store: DispenseWriteStore) {
    let forms: [fn(&str) -> String; 2] = [str::to_lowercase, str::to_uppercase];
    for form in [None].into_iter().chain(forms.map(Some)) {
        let request = stored_request(&store).await.facts;
        let dispense = stored_dispense(&store, &request).await;
        if let Some(form) = form {
            let based_on = reference("device_request", form(&request.id.to_string()));
            store.dispenses.raw.set_field(dispense.id, "based_on", based_on).await;
        }
        assert!(has_active_dispense(&store, request.id, None).await);
        assert_eq!(facts(&store, dispense.id).await.request.unwrap().unwrap(), request);
    }
}

/// A dispense and its request; or one of them alone; or nothing.
pub async fn facts_of_a_dispense(store: DispenseWriteStore) {
    let request = stored_request(&store).await.facts;
    let whole = stored_dispense(&store, &request).await;
    let without_request = stored_dispense(&store, &device_request().facts).await;
    let without_name = dispense().without("based_on").build();
    put(&store.dispenses, &without_name).await;
    let misnamed = stored_dispense(&store, &request).await;
    store.dispenses.raw.set_field(misnamed.id, "based_on", json!("a request")).await;
    for (expected, its_request) in
        [(&whole, Some(&request)), (&without_request, None), (&without_name, None), (&misnamed, None)]
    {
        let DispenseFacts { stored, request, .. } = facts(&store, expected.id).await;
        let stored = stored.unwrap();
        assert_eq!(stored.owner, expected.owner);
        let mut expected = expected.clone();
        if expected.id == misnamed.id {
            expected.record.insert("based_on".to_owned(), json!("a request"));
        }
        assert_same(&stored.dispense.unwrap(), &expected);
        assert_eq!(request.transpose().unwrap().as_ref(), its_request);
    }
    let nothing = facts(&store, DispenseId::new(fresh())).await;
    assert!(nothing.stored.is_none() && nothing.request.is_none());
}
