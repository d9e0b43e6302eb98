//! L06 and L12: pages are complete, in order, and counted.

use esoz_device_dispense::Dispense;
use esoz_kernel::time::rfc3339_millis;
use esoz_testkit::builders::at_millis;
use esoz_tests::on_every_store;
use serde_json::{Value, json};

use super::{Reader, ids, nameless, paging};

on_every_store! {
    async fn l06_pages_in_order(kind) {
        let reader = Reader::new(kind).await;
        let mut all: Vec<Dispense> = (0..119)
            .map(|place| {
                let time = json!(rfc3339_millis(at_millis(place % 5 - 60_000)));
                reader.fixture.another(&reader.app).field("inserted_at", time).build()
            })
            .collect();
        reader.app.stores.dispense_registry.put_dispenses(&all).await.unwrap();
        all.push(reader.fixture.dispense.clone());
        all.sort_by_key(|dispense| (dispense.record["inserted_at"].to_string(), dispense.id));
        for (page, range) in [(1, 0..50), (2, 50..100), (3, 100..120), (4, 120..120)] {
            let query = format!("?page={page}&page_size=50");
            let shown: Vec<Value> = all[range].iter().map(|one| reader.fixture.shown(one)).collect();
            reader.list_of_patient(&query).await.assert_list(&shown, &paging(page, 50, 120, 3));
            let shown: Vec<Value> = shown.iter().map(nameless).collect();
            reader.list(&query).await.assert_list(&shown, &paging(page, 50, 120, 3));
        }
        let all: Vec<String> = all.iter().map(|dispense| dispense.id.to_string()).collect();
        assert_eq!(ids(&reader.list("?page_size=300").await), all);
    }

    async fn l12_paging(kind) {
        let reader = Reader::new(kind).await;
        for _ in 0..4 {
            reader.put(|another| another).await;
        }
        for path in reader.paths() {
            for (page, size, pages) in [(1, 2, 3), (3, 2, 3), (2, 5, 1), (1, 5, 1), (1, 50, 1), (1_000_000, 300, 1)] {
                let answer = reader.get(&format!("{path}?page={page}&page_size={size}")).await;
                assert_eq!(answer.body["paging"], paging(page, size, 5, pages), "{path} {page} {size}");
            }
        }
    }
}
