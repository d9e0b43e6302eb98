use esoz_events::{EventPublisher as _, wire};
use esoz_store_sqlite::SqliteStore;
use esoz_testkit::builders::{event_of, fresh as fresh_id};

use crate::common::fresh;

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_read_on_from_any_place_and_holds_each_event_once() {
    let fresh = fresh();
    let events: Vec<_> = (0..5).map(|_| event_of(fresh_id())).collect();
    for some in [&events[..3], &events[2..]] {
        for answer in fresh.store.publish(some).await {
            answer.unwrap();
        }
    }
    // A store that is opened later sees the same.
    let later = SqliteStore::open(&fresh.settings).unwrap();
    let mut seen = Vec::new();
    let mut last = 0;
    loop {
        let page = later.delivered_after(last, 2).await.unwrap();
        assert!(page.len() <= 2);
        let Some((sequence, _)) = page.last() else { break };
        last = *sequence;
        seen.extend(page.into_iter().map(|(_, json)| json));
    }
    let expected: Vec<_> = events.iter().map(wire::json).collect();
    assert_eq!(seen, expected);
}
