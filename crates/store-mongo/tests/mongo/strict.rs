//! Conditions: what rules read must be one value of its type, and text is compared byte by byte.

use bson::{Bson, Document, doc};
use esoz_device_dispense::{DeviceDispenses, Transition};
use esoz_kernel::{
    ClientId, Committed, DispenseId, IdempotencyKey, IdempotentRequest, StoreError, StoreErrorKind, Uuid,
};
use futures_util::future::join_all;

use crate::changes::{SUBJECT, applied, binary, document, fresh_id, reference, stop, stored};
use crate::support::Fresh;

/// The same for any legal entity and any patient.
fn of_anybody(transition: &Transition) -> Transition {
    Transition { owner: None, subject: None, ..transition.clone() }
}

/// What becomes of the transitions alone, and then of all of them at once.
async fn outcomes(
    fresh: &Fresh,
    transitions: &[Transition],
) -> Vec<Result<Committed<esoz_device_dispense::Dispense>, StoreError>> {
    let mut outcomes = Vec::new();
    for transition in transitions {
        outcomes.push(fresh.store.commit(transition).await);
    }
    outcomes.extend(join_all(transitions.iter().map(|transition| fresh.store.commit(transition))).await);
    outcomes
}

async fn insert(fresh: &Fresh, field: &str, value: Bson, owner: Uuid) -> Uuid {
    let id = fresh_id();
    let mut broken = stored(id, binary(owner));
    broken.insert(field, value);
    fresh.documents.insert_one(broken).await.unwrap();
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_of_another_type_meets_no_condition() {
    let fresh = Fresh::shared().await;
    let owner = fresh_id();
    let in_array = bson::bson!([reference(binary(owner))]);
    let identifiers = doc! { "identifier": [{ "value": binary(owner) }] };
    for (field, value, named) in [
        ("status", bson::bson!(["completed", "in_progress"]), "status"),
        ("status", bson::bson!(["in_progress"]), "status"),
        ("status", Bson::Symbol("in_progress".to_owned()), "status"),
        ("subject", bson::bson!([SUBJECT, "another"]), "subject"),
        ("subject", Bson::Symbol(SUBJECT.to_owned()), "subject"),
        ("performer_legal_entity", in_array, "performer_legal_entity.identifier.value"),
        ("performer_legal_entity", identifiers.into(), "performer_legal_entity.identifier.value"),
        (
            "performer_legal_entity",
            reference(bson::bson!([binary(owner)])).into(),
            "performer_legal_entity.identifier.value",
        ),
    ] {
        let id = insert(&fresh, field, value, owner).await;
        let before = document(&fresh, id).await;
        let transition = stop(id, owner);
        for outcome in outcomes(&fresh, &[transition.clone(), of_anybody(&transition)]).await {
            assert_eq!(outcome.unwrap(), Committed::Stale, "{before}");
        }
        assert_eq!(document(&fresh, id).await, before);
        let found = fresh.store.find(DispenseId::new(id)).await;
        let error = found.and_then(|found| found.unwrap().dispense).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
        assert!(error.to_string().contains(&format!("field {named} holds")), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_cannot_be_told_afterwards_is_nobodys() {
    let fresh = Fresh::shared().await;
    let old = bson::Binary { subtype: bson::spec::BinarySubtype::UuidOld, bytes: vec![7; 16] };
    let short = bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: vec![7; 15] };
    for value in [
        Bson::from(old),
        Bson::from(short),
        "no UUID".into(),
        "AFF00BF6-68bf-4b49-b66d-f031d48922b3".into(),
        "aff00bf6-68bf-4b49-b66d-f031d48922b3\n".into(),
        Bson::Null,
        7.into(),
    ] {
        let id = insert(&fresh, "performer_legal_entity", reference(value).into(), fresh_id()).await;
        let transition = of_anybody(&stop(id, id));
        assert_eq!(fresh.store.commit(&transition).await.unwrap(), Committed::Stale);
    }
    let (first, last) = (Uuid::nil(), Uuid::from_u128(u128::MAX));
    let text = "aff00bf6-68bf-4b49-b66d-f031d48922b3";
    for (value, owner) in [
        (binary(first), first),
        (binary(last), last),
        (text.into(), Uuid::parse_str(text).unwrap()),
        (text.to_uppercase().into(), Uuid::parse_str(text).unwrap()),
    ] {
        let id = insert(&fresh, "performer_legal_entity", reference(value).into(), fresh_id()).await;
        assert_eq!(applied(&fresh, &of_anybody(&stop(id, id))).await.owner.uuid(), owner);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_that_tells_no_case_apart_is_compared_byte_by_byte() {
    let fresh = Fresh::at(esoz_test_servers::shared::mongodb().uri()).await;
    let database = fresh.documents.client().database(&fresh.documents.namespace().db);
    let collation = mongodb::options::Collation::builder()
        .locale("en")
        .strength(mongodb::options::CollationStrength::Secondary)
        .build();
    database.create_collection("device_dispenses").collation(collation).await.unwrap();
    fresh.store.migrate().await.unwrap();
    let owner = fresh_id();
    let mut broken = Vec::new();
    for (field, value) in [("status", "IN_PROGRESS".to_owned()), ("subject", SUBJECT.to_lowercase())] {
        let id = insert(&fresh, field, value.into(), owner).await;
        broken.push(stop(id, owner));
    }
    for outcome in outcomes(&fresh, &broken).await {
        assert_eq!(outcome.unwrap(), Committed::Stale);
    }
    let sound: Vec<_> = join_all((0..8).map(|_| insert(&fresh, "note", "n".into(), owner))).await;
    let sound: Vec<_> = sound.into_iter().map(|id| stop(id, owner)).collect();
    for outcome in join_all(sound.iter().map(|transition| fresh.store.commit(transition))).await {
        assert!(matches!(outcome.unwrap(), Committed::Applied(_)));
    }
    // The index on ids serves, though its collation is another.
    let find = doc! {
        "find": "device_dispenses",
        "filter": { "_id": binary(sound[0].id.uuid()), "status": "stopped" },
        "collation": { "locale": "simple" },
    };
    let plan = database.run_command(doc! { "explain": find, "verbosity": "queryPlanner" }).await.unwrap();
    let plan = plan.get_document("queryPlanner").unwrap().get_document("winningPlan").unwrap();
    assert!(!plan.to_string().contains("COLLSCAN"), "{plan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_cannot_be_written_to_is_named_and_nothing_is_written() {
    let fresh = Fresh::shared().await;
    let owner = fresh_id();
    for (field, value, named) in [
        ("status_history", Bson::from("none"), "status_history"),
        ("esoz_outbox", Bson::Null, "esoz_outbox"),
        ("esoz_outbox", bson::bson!([]), "esoz_outbox"),
        ("esoz_outbox", doc! { "events": Bson::Null }.into(), "esoz_outbox.events"),
        ("esoz_outbox", doc! { "events": {} }.into(), "esoz_outbox.events"),
        ("esoz_changes", Bson::Null, "esoz_changes"),
        ("esoz_keys", Bson::Null, "esoz_keys"),
    ] {
        let id = insert(&fresh, field, value, owner).await;
        let before = document(&fresh, id).await;
        let key = IdempotencyKey::from_uuid(fresh_id());
        let idempotency = IdempotentRequest::new("test", ClientId::new(owner), &key, &[id.as_bytes()]);
        let transition = Transition { idempotency: Some(idempotency), ..stop(id, owner) };
        for outcome in outcomes(&fresh, &[transition.clone(), transition]).await {
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
            let expected = format!("reading device_dispenses, id {id}: field {named} holds");
            assert!(error.to_string().contains(&expected), "{error}");
        }
        assert_eq!(document(&fresh, id).await, before);
    }
}

/// What no JSON number can say, and nesting as deep as MongoDB stores it.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_can_be_stored_can_be_stopped_and_is_shown() {
    let fresh = Fresh::shared().await;
    let owner = fresh_id();
    let deep = (0..170).fold(Bson::Null, |inner, _| Document::from_iter([("n".to_owned(), inner)]).into());
    for value in [deep, bson::bson!([f64::INFINITY, f64::NAN, { "x": f64::NEG_INFINITY }])] {
        let id = insert(&fresh, "supporting_info", value, owner).await;
        let shown = fresh.store.find(DispenseId::new(id)).await.unwrap().unwrap().dispense.unwrap();
        let after = applied(&fresh, &stop(id, owner)).await;
        assert_eq!(after.record["supporting_info"], shown.record["supporting_info"]);
        assert_eq!(fresh.store.find(after.id).await.unwrap().unwrap().dispense.unwrap(), after);
    }
}
