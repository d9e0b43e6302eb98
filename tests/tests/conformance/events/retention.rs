//! M08: old events are removed, those that cannot be read as well.

use esoz_events::LoggedEvent;
use esoz_testkit::contract::RawEventLog;
use esoz_testkit::wait::wait_for;
use esoz_tests::{DEADLINE, Setup, TestApp, on_every_store, secret_scan};
use serde_json::json;

use super::{Reader, at, ids, paging, shown};

on_every_store! {
    async fn m08_retention_by_age(kind) {
        let reader = Reader::new(kind).await;
        // The clock's time less two days, and around it.
        let two_days = 60_000 - 2 * 86_400_000;
        let events = [two_days - 86_400_000, two_days, two_days + 1, 0].map(at);
        reader.put(&events).await;
        let (stores, ended) = reader.app.begin_to_stop();
        ended.await.unwrap().unwrap();

        let setup = Setup::new(kind).variable("ESOZ_EVENTS__KEEP_DAYS", "2");
        let reader = Reader::on(setup.start_on(stores).await).await;
        await_gone(&reader, &events[..2]).await;
        for kept in &events[2..] {
            assert_eq!(reader.get(&format!("/{}", kept.id)).await.status, 200);
        }
    }

    async fn m08_retention_by_count(kind) {
        let reader = Reader::new(kind).await;
        // More than are removed at once.
        let mut events: Vec<LoggedEvent> = (0..1_203).map(|place| at(place / 7)).collect();
        reader.put(&events).await;
        events.sort_by_key(LoggedEvent::position);
        let (stores, ended) = reader.app.begin_to_stop();
        ended.await.unwrap().unwrap();

        let setup = Setup::new(kind).variable("ESOZ_EVENTS__KEEP_COUNT", "3");
        let reader = Reader::on(setup.start_on(stores).await).await;
        await_gone(&reader, &events[..1_200]).await;
        assert_eq!(reader.ids("").await, ids(&events[1_200..]));
    }

    async fn what_cannot_be_read_is_left_out_of_lists_and_removed_when_it_is_old(kind) {
        let reader = Reader::on(Setup::new(kind).start().await).await;
        let events = [0, 1, 2, 3].map(at);
        reader.put(&events).await;
        let left_out = async |app: &TestApp| app.scrape().await.sum("esoz_unreadable_records_total", &[("use_case", "list_events")]);
        assert_eq!(left_out(&reader.app).await, Some(0.0));
        for unreadable in [&events[0], &events[2]] {
            raw_event_log(&reader.app).make_unreadable(unreadable.id).await;
        }
        let readable = [shown(&events[1]), shown(&events[3])];
        reader.get("").await.assert_list(&readable, &paging(1, 50, 4, 1));
        assert_eq!(left_out(&reader.app).await, Some(2.0));
        let log = secret_scan::captured();
        for unreadable in [&events[0], &events[2]] {
            let id = unreadable.id.to_string();
            let line = log.lines().find(|line| line.contains(&id) && line.contains("is left out of a list"));
            let line = line.unwrap_or_else(|| panic!("no line names {id}"));
            assert!(line.contains("\"WARN\"") && line.contains("field properties"), "{line}");
        }
        let (stores, ended) = reader.app.begin_to_stop();
        ended.await.unwrap().unwrap();

        // Of the two that are kept the older one cannot be read.
        let setup = Setup::new(kind).variable("ESOZ_EVENTS__KEEP_COUNT", "2");
        let reader = Reader::on(setup.start_on(stores).await).await;
        wait_for("the old events to be removed", DEADLINE, async || {
            let answer = reader.get("").await;
            let total = &answer.body["paging"]["total_entries"];
            if *total == json!(2) { Ok(()) } else { Err(format!("{total} are there")) }
        })
        .await;
        reader.get("").await.assert_list(&readable[1..], &paging(1, 50, 2, 1));
    }
}

/// The stored events, past the adapter.
fn raw_event_log(app: &TestApp) -> &dyn RawEventLog {
    match app.test_stores.file() {
        Some(file) => file,
        None => app.test_stores.database().unwrap(),
    }
}

/// Waits until none of these events is stored.
async fn await_gone(reader: &Reader, events: &[LoggedEvent]) {
    for event in events {
        wait_for("the old events to be removed", DEADLINE, async || {
            let found = reader.app.stores.event_log.find(event.id).await.unwrap();
            found.is_none().then_some(())
        })
        .await;
    }
}
