//! Whatever others have written beside what ESOZ knows: a change leaves it byte by byte, and in its place.

use bson::{Bson, RawDocument, RawDocumentBuf};
use esoz_device_dispense::DeviceDispenses;
use esoz_kernel::Committed;
use esoz_testkit::drawn::runner;
use proptest::prelude::*;

use crate::{
    changes::{binary, fresh_id, stop, stored},
    drawn::bsons,
    support::Fresh,
};

/// Few, for each needs a round trip or more; `PROPTEST_CASES` says otherwise.
const CASES: u32 = 32;

/// What a change of status may touch.
const TOUCHED: [&str; 6] =
    ["status", "status_history", "updated_at", "updated_by", "esoz_outbox", "esoz_changes"];

/// Every other field, in the order and in the bytes that it is stored in.
fn untouched(document: &RawDocument) -> RawDocumentBuf {
    let mut others = RawDocumentBuf::new();
    for element in document.iter_elements().map(Result::unwrap) {
        if !TOUCHED.contains(&element.key().as_str()) {
            others.append(element.key(), element.value().unwrap());
        }
    }
    others
}

/// Fields with names that ESOZ does not use.
fn fields() -> impl Strategy<Value = Vec<(String, Bson)>> {
    prop::collection::vec(("x_[a-z]{1,6}", bsons()), 0..6)
}

#[test]
fn a_change_leaves_every_other_byte_as_it_is() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let fresh = runtime.block_on(Fresh::shared());
    let documents = fresh.documents.clone_with_type::<RawDocumentBuf>();
    let played = runner(CASES, file!()).run(&fields(), |fields| {
        runtime.block_on(async {
            let (id, owner) = (fresh_id(), fresh_id());
            let mut written = stored(id, binary(owner));
            written.extend(fields);
            // What the server takes is what counts: it refuses some names in the depth.
            if fresh.documents.insert_one(&written).await.is_err() {
                return Err(TestCaseError::reject("no document"));
            }
            let by_id = bson::doc! {"_id": binary(id)};
            let before = documents.find_one(by_id.clone()).await.unwrap().unwrap();
            let changed = fresh.store.commit(&stop(id, owner)).await.unwrap();
            prop_assert!(matches!(changed, Committed::Applied(_)), "{:?}", changed);
            let after = documents.find_one(by_id).await.unwrap().unwrap();
            prop_assert_eq!(untouched(&after).into_bytes(), untouched(&before).into_bytes());
            Ok(())
        })
    });
    runtime.block_on(async { drop(fresh) });
    if let Err(found) = played {
        panic!("{found}");
    }
}
