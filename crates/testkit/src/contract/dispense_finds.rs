//! Finding many dispenses at once: [`DeviceDispenses::find`](esoz_device_dispense::DeviceDispenses::find), whose calls a store may answer together.

use std::sync::Arc;

use esoz_kernel::DispenseId;

use super::DispenseStore;
use super::dispenses::assert_same;
use super::race::all_at_once;
use crate::builders::{dispense, fresh};

/// Each caller gets the dispense that it asked for, also if another asks for the same one or for none that is there.
pub async fn each_of_many_gets_its_own(store: DispenseStore) {
    let stored: Vec<_> = (0..40).map(|_| dispense().build()).collect();
    store.registry.put_dispenses(&stored).await.unwrap();
    let store = Arc::new(store);
    let wanted = stored.iter().flat_map(|one| [one.id, one.id, DispenseId::new(fresh())]);
    let finds = wanted.map(|id| {
        let store = Arc::clone(&store);
        async move { store.dispenses.find(id).await }
    });
    let mut found = all_at_once(finds).await.into_iter();
    for expected in &stored {
        for _ in 0..2 {
            assert_same(&found.next().unwrap().unwrap().unwrap().dispense.unwrap(), expected);
        }
        assert!(found.next().unwrap().unwrap().is_none());
    }
}
