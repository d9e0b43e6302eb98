//! M06 and M07: the event log is filled from the topic, whatever is on it and whatever is away meanwhile.

use std::collections::BTreeSet;
use std::time::Duration;

use esoz_device_dispense::{Dispense, DispenseStatus};
use esoz_events::{EventFilter, LoggedEvent, Period, StatusChangeEvent, wire};
use esoz_kernel::{Committed, PageRequest};
use esoz_test_servers::{Durability, Kafka, Postgres, shared};
use esoz_testkit::builders::{at_millis, change_of, dispense, logged_event};
use esoz_testkit::wait::wait_for;
use esoz_tests::process::Process;
use esoz_tests::{DEADLINE, Kind, PATIENT_KEY, Setup, TestApp, TestStores, on_every_store, secret_scan};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::events::Reader;
use crate::outages::app_on;

/// How many events happen while something is away.
const EVENTS: usize = 1_000;
/// How long all of them may take to arrive. A consumer that was killed is missed after 10 s.
const ARRIVED_WITHIN: Duration = Duration::from_mins(4);

/// A reader of an event log that is filled from Kafka.
async fn on_a_topic(kind: Kind) -> Reader {
    let stores = match kind {
        Kind::Sqlite => TestStores::sqlite_with_kafka(shared::kafka().brokers()),
        Kind::Servers => TestStores::fresh(kind).await,
    };
    Reader::on(Setup::new(kind).start_on(stores).await).await
}

fn message(event: &LoggedEvent) -> Value {
    serde_json::from_str(&wire::render(event)).unwrap()
}

on_every_store! {
    async fn m07_what_else_is_on_the_topic(kind) {
        let reader = on_a_topic(kind).await;
        let topic = reader.app.test_stores.topic().unwrap();
        let canary = "a-canary-in-a-message-that-is-no-event";
        let (own, foreign, person, preperson) = (logged_event(), logged_event(), logged_event(), logged_event());
        let foreign = LoggedEvent { event_type: "Подія".to_owned(), entity_type: "Declaration".to_owned(), ..foreign };
        let mut lacking = message(&logged_event());
        lacking.as_object_mut().unwrap().remove("event_time");
        let mut more = message(&foreign);
        more["more"] = json!(canary);
        more["event_time"] = json!("2026-01-31T10:15:30.123999+02:00");
        let mut of_person = message(&person);
        of_person["entity_type"] = json!("Person");
        let mut of_preperson = message(&preperson);
        of_preperson["entity_type"] = json!("Preperson");
        let text = |value: &Value| value.to_string().into_bytes();
        topic.publish(&[
            canary.as_bytes().to_vec(),
            Vec::new(),
            b"\xff\x00".to_vec(),
            text(&lacking),
            text(&json!([canary])),
            text(&of_person),
            text(&of_preperson),
            text(&message(&own)),
            text(&more),
            text(&message(&own)),
        ]);
        let outcomes = [("stored", 2.0), ("duplicate", 1.0), ("skipped", 2.0), ("malformed", 5.0)];
        wait_for("all messages to be counted", DEADLINE, async || {
            let scrape = reader.app.scrape().await;
            let counted = outcomes.map(|(outcome, _)| scrape.sum("esoz_event_log_messages_total", &[("outcome", outcome)]));
            if counted == outcomes.map(|(_, number)| Some(number)) { Ok(()) } else { Err(format!("{counted:?}")) }
        })
        .await;

        let mut expected = [own, foreign];
        expected.sort_by_key(LoggedEvent::position);
        assert_eq!(reader.listed("", 2).await, expected.each_ref().map(message));
        for skipped in [person, preperson] {
            reader.get(&format!("/{}", skipped.id)).await.assert_not_found();
        }
        let log = secret_scan::captured();
        let told: Vec<&str> = log.lines().filter(|line| line.contains("is no event and is skipped")).collect();
        assert_eq!(told.len(), 5, "{told:?}");
        for line in &told {
            let line: Value = serde_json::from_str(line).unwrap();
            assert!(line.to_string().contains("\"partition\":") && line.to_string().contains("\"offset\":"), "{line}");
        }
        assert!(told.iter().any(|line| line.contains("its field event_time is missing or malformed")), "{told:?}");
        assert!(!log.contains(canary), "the log tells what is in a message");
        assert!(!log.contains("canary-in"), "the log tells what is in a message");
    }
}

/// Changes dispenses past the server, which relays the events; gives the events.
async fn happen(app: &TestApp, number: usize) -> Vec<StatusChangeEvent> {
    let dispenses: Vec<Dispense> = (0..number).map(|_| dispense().build()).collect();
    for put in app.stores.dispense_registry.put_dispenses(&dispenses).await.unwrap() {
        assert_eq!(put, esoz_kernel::Put::Created);
    }
    let mut events = Vec::new();
    for (millis, some) in (0..).zip(dispenses.chunks(100)) {
        let changes: Vec<_> = some
            .iter()
            .map(|dispense| change_of(dispense, DispenseStatus::Stopped, at_millis(millis)))
            .collect();
        for outcome in join_all(changes.iter().map(|change| app.stores.dispenses.commit(change))).await {
            assert!(matches!(outcome.unwrap(), Committed::Applied(_)));
        }
        events.extend(changes.into_iter().map(|change| change.event));
    }
    events
}

/// Waits until the events are in the log, and holds that each is there once and nothing else.
async fn all_arrived(app: &TestApp, expected: &BTreeSet<String>) {
    let period = Period::new(Some(at_millis(0)), None, 1, at_millis(0)).unwrap();
    let filter = EventFilter { period, event_type: None, entity_type: None, attribute: None };
    let log = &app.stores.event_log;
    wait_for("all events in the log", ARRIVED_WITHIN, async || {
        let page = log.list(&filter, PageRequest::FIRST).await.map_err(|error| error.with_causes())?;
        let there = usize::try_from(page.total_entries).unwrap();
        if there >= expected.len() { Ok(()) } else { Err(format!("{there} are there")) }
    })
    .await;
    let whole = PageRequest::new(1, 10_000).unwrap();
    let listed = log.list(&filter, whole).await.unwrap();
    let ids: BTreeSet<String> =
        listed.items.iter().map(|event| event.as_ref().unwrap().id.to_string()).collect();
    assert_eq!(listed.items.len(), expected.len(), "an event is there twice");
    assert_eq!(ids, *expected);
}

fn ids(events: &[StatusChangeEvent]) -> BTreeSet<String> {
    events.iter().map(|event| event.id.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn m06_broker_away_while_a_thousand_events_happen() {
    let mut broker = Kafka::start().unwrap();
    let app = app_on(None, None, Some(&broker)).await;
    let before = happen(&app, 1).await;
    all_arrived(&app, &ids(&before)).await;
    broker.stop().unwrap();
    let during = happen(&app, EVENTS).await;
    broker.restart().unwrap();
    all_arrived(&app, &ids(&[before, during].concat())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn m06_postgresql_away_while_a_thousand_events_happen() {
    let mut postgres = Postgres::start(Durability::On).unwrap();
    let app = app_on(Some(&postgres), None, None).await;
    let before = happen(&app, 1).await;
    all_arrived(&app, &ids(&before)).await;
    postgres.stop().unwrap();
    let during = happen(&app, EVENTS).await;
    wait_for("the events on the topic", DEADLINE, async || {
        // The outbox of PostgreSQL cannot be asked.
        let (_, outbox) = &app.stores.outboxes[0];
        let depth = outbox.backlog().await.unwrap().depth;
        if depth == 0 { Ok(()) } else { Err(format!("{depth} events wait")) }
    })
    .await;
    postgres.restart().unwrap();
    all_arrived(&app, &ids(&[before, during].concat())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn m06_consumers_killed_while_a_thousand_events_happen() {
    let stores = TestStores::fresh(Kind::Servers).await;
    let mut variables = stores.variables().to_vec();
    variables.push(("ESOZ_PATIENT__KEY".to_owned(), PATIENT_KEY.to_owned()));
    // Looks on, and reads nothing itself.
    let app = Setup::new(Kind::Servers).variable("ESOZ_EVENTS__STORE", "false").start_on(stores).await;
    let topic = app.test_stores.topic().unwrap();
    let events: Vec<LoggedEvent> = (0..EVENTS).map(|_| logged_event()).collect();
    let expected: BTreeSet<String> = events.iter().map(|event| event.id.to_string()).collect();
    let mut chunks = events.chunks(EVENTS / 4);
    let mut publish = || {
        let chunk = chunks.next().unwrap();
        topic.publish(&chunk.iter().map(|event| wire::render(event).into_bytes()).collect::<Vec<_>>());
        chunk
    };
    for _ in 0..3 {
        let (server, _) = Process::serve(&variables);
        let some = publish();
        // As soon as one of these is stored, the others are under way.
        wait_for("the first of some events in the log", ARRIVED_WITHIN, async || {
            let found = join_all(some.iter().map(|event| app.stores.event_log.find(event.id))).await;
            found.into_iter().any(|found| found.unwrap().is_some()).then_some(())
        })
        .await;
        server.kill();
    }
    let (server, _) = Process::serve(&variables);
    publish();
    all_arrived(&app, &expected).await;
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn m06_a_server_that_stops_hands_over_and_its_successor_goes_on() {
    let reader = on_a_topic(Kind::Servers).await;
    let topic = reader.app.test_stores.topic().unwrap();
    let publish = |event: &LoggedEvent| topic.publish(&[wire::render(event).into_bytes()]);
    let (first, second) = (logged_event(), logged_event());
    publish(&first);
    reader.listed("", 1).await;
    publish(&second);
    let (stores, ended) = reader.app.begin_to_stop();
    tokio::time::timeout(DEADLINE, ended).await.unwrap().unwrap().unwrap();
    let third = logged_event();
    stores.topic().unwrap().publish(&[wire::render(&third).into_bytes()]);

    let reader = Reader::on(Setup::new(Kind::Servers).start_on(stores).await).await;
    let mut expected = [first, second, third];
    expected.sort_by_key(LoggedEvent::position);
    assert_eq!(reader.listed("", 3).await, expected.each_ref().map(message));
    read_to_the_end(&reader.app).await;
    // What was committed before is not read again.
    let scrape = reader.app.scrape().await;
    for (outcome, number) in [("stored", 1.0), ("duplicate", 0.0)] {
        let counted = scrape.sum("esoz_event_log_messages_total", &[("outcome", outcome)]);
        assert_eq!(counted, Some(number), "{outcome}");
    }
}

/// Waits until the server has read the topic to its end, which must hold no other message that is malformed.
async fn read_to_the_end(app: &TestApp) {
    let marks = f64::from(app.test_stores.topic().unwrap().mark_ends());
    wait_for("the marks at the ends of the topic", DEADLINE, async || {
        let met = app.scrape().await.sum("esoz_event_log_messages_total", &[("outcome", "malformed")]);
        if met == Some(marks) { Ok(()) } else { Err(format!("{met:?} of {marks} are met")) }
    })
    .await;
}
