//! Finding and loading legal entities: [`LegalEntities`](esoz_legal_entity::LegalEntities),
//! [`LegalEntityRegistry`](esoz_legal_entity::LegalEntityRegistry).

use std::slice;

use esoz_kernel::{LegalEntityId, Put};
use esoz_legal_entity::{LegalEntityRecord, LegalEntityStatus, LegalEntityType};

use super::ContractStore;
use crate::builders::{fresh, legal_entity, stamps};

async fn put(store: &ContractStore, record: &LegalEntityRecord) -> Put {
    let mut answers = store.legal_entity_registry.put_legal_entities(slice::from_ref(record)).await.unwrap();
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

/// Nothing there is a value, not an error.
pub async fn an_unknown_legal_entity_is_none(store: ContractStore) {
    let unknown = LegalEntityId::new(fresh());
    assert_eq!(store.legal_entities.find(unknown).await.unwrap(), None);
    put(&store, &legal_entity()).await;
    assert_eq!(store.legal_entities.find(unknown).await.unwrap(), None);
}

/// In every status, and whatever the type: which types exist is for the registry to say.
pub async fn a_legal_entity_is_found_as_it_was_put(store: ContractStore) {
    let mut all = Vec::new();
    for status in LegalEntityStatus::ALL {
        for kind in ["PHARMACY", "MSP", "Зовсім інший"] {
            let mut record = legal_entity();
            record.facts.status = status;
            record.facts.kind = LegalEntityType::new(kind);
            all.push(record);
        }
    }
    let answers = store.legal_entity_registry.put_legal_entities(&all).await.unwrap();
    assert_eq!(answers, vec![Put::Created; all.len()]);
    for record in &all {
        assert_eq!(store.legal_entities.find(record.facts.id).await.unwrap(), Some(record.facts.clone()));
    }
    assert_eq!(store.legal_entity_registry.put_legal_entities(&[]).await.unwrap(), []);
}

/// The rules read the status alone: a row that does not count is found as well.
pub async fn an_inactive_row_is_found(store: ContractStore) {
    let record = LegalEntityRecord { is_active: false, ..legal_entity() };
    put(&store, &record).await;
    assert_eq!(store.legal_entities.find(record.facts.id).await.unwrap(), Some(record.facts));
}

/// New content is taken and seen; the same content changes nothing.
pub async fn a_legal_entity_takes_new_content(store: ContractStore) {
    let mut record = legal_entity();
    assert_eq!(put(&store, &record).await, Put::Created);
    assert_eq!(put(&store, &record).await, Put::Kept);
    record.facts.status = LegalEntityStatus::Suspended;
    assert_eq!(put(&store, &record).await, Put::Updated);
    assert_eq!(store.legal_entities.find(record.facts.id).await.unwrap(), Some(record.facts.clone()));
    record.facts.kind = LegalEntityType::new("MSP");
    assert_eq!(put(&store, &record).await, Put::Updated);
    assert_eq!(store.legal_entities.find(record.facts.id).await.unwrap(), Some(record.facts.clone()));
    // What no port shows is content as well.
    record.name.push_str(" of another name");
    assert_eq!(put(&store, &record).await, Put::Updated);
    record.edrpou.replace_range(.., "00000001");
    assert_eq!(put(&store, &record).await, Put::Updated);
    record.is_active = false;
    assert_eq!(put(&store, &record).await, Put::Updated);
    assert_eq!(put(&store, &record).await, Put::Kept);
}

/// Who wrote it first, and when, stays as it was.
pub async fn the_first_writing_stays_on_record(store: ContractStore) {
    let first = legal_entity();
    put(&store, &first).await;
    let renamed = LegalEntityRecord { name: "Another name".to_owned(), stamps: stamps(), ..first.clone() };
    assert_eq!(put(&store, &renamed).await, Put::Updated);
    let mut as_it_must_be = renamed;
    as_it_must_be.stamps.inserted_at = first.stamps.inserted_at;
    as_it_must_be.stamps.inserted_by = first.stamps.inserted_by;
    assert_eq!(put(&store, &as_it_must_be).await, Put::Kept);
}

/// Several in one call do not disturb each other, nor one that comes twice.
pub async fn each_record_of_a_call_has_its_answer(store: ContractStore) {
    let (old, new) = (legal_entity(), legal_entity());
    put(&store, &old).await;
    let mut closed = old.clone();
    closed.facts.status = LegalEntityStatus::Closed;
    let all = [old.clone(), new.clone(), closed.clone(), new];
    let answers = store.legal_entity_registry.put_legal_entities(&all).await.unwrap();
    assert_eq!(answers, [Put::Kept, Put::Created, Put::Updated, Put::Kept]);
    assert_eq!(store.legal_entities.find(old.facts.id).await.unwrap(), Some(closed.facts));
}
