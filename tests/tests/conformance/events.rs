//! M01 to M05, M08 and M09: the event log is read, and forgets what is old.

use esoz_auth::{NewAccessToken, Scope, Secret};
use esoz_device_dispense::DispenseStatus;
use esoz_events::{LoggedEvent, Properties, wire};
use esoz_kernel::Committed;
use esoz_testkit::builders::{at_millis, change_of, fresh, logged_event};
use esoz_testkit::contract::RawEventLog;
use esoz_testkit::wait::wait_for;
use esoz_tests::{Answer, DEADLINE, Kind, Request, Setup, StopFixture, TestApp, on_every_store, secret_scan};
use reqwest::Method;
use serde_json::{Value, json};

use crate::tokens::every_wrong_token;

const PATH: &str = "/api/events";
const SCOPE: &str = "event:read";

/// A test app, and a token that may read events.
pub(crate) struct Reader {
    pub(crate) app: TestApp,
    pub(crate) stop: StopFixture,
    stored_token: NewAccessToken,
    token: Secret,
}

impl Reader {
    pub(crate) async fn on(app: TestApp) -> Self {
        let stop = StopFixture::load(&app).await;
        let token = stop.issue(&app, |token| token.scope = Scope::parse(SCOPE)).await;
        let stored_token = NewAccessToken { scope: Scope::parse(SCOPE), ..stop.stored_token.clone() };
        Self { app, stop, stored_token, token }
    }

    async fn new(kind: Kind) -> Self {
        Self::on(TestApp::new(kind).await).await
    }

    /// A request for `/api/events` and what follows, by nobody yet.
    fn request(&self, rest: &str) -> Request {
        self.app.request(Method::GET, &format!("{PATH}{rest}"))
    }

    pub(crate) async fn get(&self, rest: &str) -> Answer {
        self.request(rest).token(&self.token).send().await
    }

    /// Events as if they had been published.
    async fn put(&self, events: &[LoggedEvent]) {
        let stored = self.app.stores.event_log.store(events).await.unwrap();
        assert_eq!(stored, u64::try_from(events.len()).unwrap());
    }

    /// The ids that are listed, in their order.
    pub(crate) async fn ids(&self, query: &str) -> Vec<String> {
        let answer = self.get(query).await;
        assert_eq!(answer.status, 200, "{query}: {:#}", answer.body);
        let events = answer.body["data"].as_array().unwrap().iter();
        events.map(|event| event["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until so many events are listed, and gives them.
    pub(crate) async fn listed(&self, query: &str, number: u64) -> Vec<Value> {
        wait_for("the events in the log", DEADLINE, async || {
            let answer = self.get(query).await;
            match answer.body["paging"]["total_entries"].as_u64() {
                Some(total) if total >= number => Ok(answer.body["data"].as_array().unwrap().clone()),
                _ => Err(format!("{:#}", answer.body)),
            }
        })
        .await
    }
}

fn at(millis: i64) -> LoggedEvent {
    LoggedEvent { event_time: at_millis(millis), ..logged_event() }
}

fn with_properties(millis: i64, properties: &str) -> LoggedEvent {
    LoggedEvent { properties: Properties::parse(properties).unwrap(), ..at(millis) }
}

/// An event as it is shown: as it was published.
fn shown(event: &LoggedEvent) -> Value {
    serde_json::from_str(&wire::render(event)).unwrap()
}

fn ids<'a>(events: impl IntoIterator<Item = &'a LoggedEvent>) -> Vec<String> {
    events.into_iter().map(|event| event.id.to_string()).collect()
}

fn paging(number: u32, size: u32, entries: usize, pages: u32) -> Value {
    json!({"page_number": number, "page_size": size, "total_entries": entries, "total_pages": pages})
}

/// Two hours before the clock's time, as a query has it.
const TWO_HOURS_AGO: &str = "2026-01-31T06:16:30.123456Z";

on_every_store! {
    async fn m01_token_and_scope(kind) {
        let reader = Reader::new(kind).await;
        for rest in [String::new(), format!("/{}", fresh())] {
            every_wrong_token(&reader.app, &reader.stored_token, &reader.token, || reader.request(&rest)).await;
            let answer = reader.request(&rest).token(&reader.stop.token).send().await;
            let message = "Your scope does not allow to access this resource. Missing allowances: event:read";
            answer.assert_error(403, "forbidden", message);
        }
        // The scope comes before the query.
        let answer = reader.request("?page=0").token(&reader.stop.token).send().await;
        assert_eq!(answer.status, 403);
        assert_eq!(reader.get("").await.status, 200);
    }

    async fn m02_a_stop_and_an_expiry(kind) {
        let reader = Reader::new(kind).await;
        let Reader { app, stop, .. } = &reader;
        let other = stop.another(app).build();
        app.put_dispense(&other).await;
        // As the expiry of dispenses makes it, a second before the stop.
        let change = change_of(&other, DispenseStatus::Unknown, at_millis(59_000));
        assert!(matches!(app.stores.dispenses.commit(&change).await.unwrap(), Committed::Applied(_)));
        assert_eq!(stop.stop(app).await.status, 200);

        let listed = reader.listed("", 2).await;
        let delivered = [app.events_of(&other).await.remove(0), app.events_of(&stop.dispense).await.remove(0)];
        assert_eq!(listed, delivered.each_ref().map(|message| message.json.clone()));
        let expected = json!({
            "id": listed[1]["id"],
            "event_type": "StatusChangeEvent",
            "entity_type": "DeviceDispense",
            "entity_id": stop.dispense.id.to_string(),
            "properties": {"status": {"new_value": "stopped"}},
            "event_time": crate::NOW_MILLIS,
            "changed_by": stop.stored_token.user_id.to_string(),
        });
        assert_eq!(listed[1], expected);
        assert_eq!(listed[0]["properties"], json!({"status": {"new_value": "unknown"}}));
        let one = reader.get(&format!("/{}", listed[1]["id"].as_str().unwrap())).await;
        one.assert_list_of_one(&expected);
    }

    async fn m03_filters(kind) {
        let reader = Reader::new(kind).await;
        let stopped = at(0);
        let other_type = LoggedEvent { event_type: "Подія".to_owned(), ..at(1) };
        let other_entity = LoggedEvent { entity_type: "Declaration".to_owned(), ..at(2) };
        let detail = with_properties(3, r#"{"detail.status":{"new_value":"stopped"}}"#);
        let flag = with_properties(4, r#"{"is_active":{"new_value":true},"status":{"new_value":"a b"}}"#);
        let nested = with_properties(5, r#"{"detail":{"status":{"new_value":"stopped"}}}"#);
        let all = [&stopped, &other_type, &other_entity, &detail, &flag, &nested];
        reader.put(&all.map(LoggedEvent::clone)).await;
        for (query, expected) in [
            ("", all.to_vec()),
            ("?event_type=StatusChangeEvent", vec![&stopped, &other_entity, &detail, &flag, &nested]),
            ("?event_type=%D0%9F%D0%BE%D0%B4%D1%96%D1%8F", vec![&other_type]),
            ("?event_type=unknown", vec![]),
            ("?event_type=", vec![]),
            ("?entity_type=Declaration", vec![&other_entity]),
            ("?entity_type=declaration", vec![]),
            ("?entity_type=Nothing%00", vec![]),
            ("?attribute_name=status", vec![&stopped, &other_type, &other_entity, &flag]),
            ("?attribute_name=detail.status", vec![&detail]),
            ("?attribute_name=detail.status&new_value=stopped", vec![&detail]),
            ("?attribute_name=detail", vec![&nested]),
            ("?attribute_name=is_active&new_value=true", vec![&flag]),
            ("?attribute_name=is_active&new_value=1", vec![]),
            ("?attribute_name=status&new_value=a+b", vec![&flag]),
            ("?attribute_name=status&new_value=a%20b", vec![&flag]),
            ("?attribute_name=status&new_value=", vec![]),
            ("?attribute_name=status&new_value=%00", vec![]),
            ("?attribute_name=status&new_value=stopped&entity_type=Declaration", vec![&other_entity]),
            ("?event_type=StatusChangeEvent&entity_type=DeviceDispense&attribute_name=status&new_value=stopped", vec![&stopped]),
        ] {
            let data: Vec<Value> = expected.iter().map(|event| shown(event)).collect();
            reader.get(query).await.assert_list(&data, &paging(1, 50, expected.len(), 1));
        }
    }

    async fn m03_periods(kind) {
        let reader = Reader::new(kind).await;
        // The clock's time in milliseconds is 60,000 after the zero of `at`.
        let (now, hour) = (60_000, 3_600_000);
        let events = [now - 2 * hour, now - hour - 1, now - hour, now - hour + 1, now - 1, now, now + 1].map(at);
        reader.put(&events).await;
        for (query, expected) in [
            // The clock stands 456 µs after `now`.
            ("", 3..6),
            ("?date=2026-01-31T07:16:30.123Z", 2..5),
            ("?date=2026-01-31T07:16:30.123456Z", 3..6),
            ("?date_to=2026-01-31T08:16:30.123Z", 2..5),
            ("?date_to=2026-01-31T08:16:30.124Z", 3..6),
            ("?date=2026-01-31T07:16:30.123Z&date_to=2026-01-31T08:16:30.123Z", 2..5),
            ("?date=2026-01-31T07:16:30.123&date_to=2026-01-31T07:16:30.124", 2..3),
            ("?date=2026-01-31T09:16:30.123%2B02:00&date_to=2026-01-31T09:16:30.124%2B02:00", 2..3),
            ("?date=2026-01-31T08:16:30.124Z", 6..7),
            ("?date_to=1999-01-01T00:00:00Z", 0..0),
        ] {
            assert_eq!(reader.ids(query).await, ids(&events[expected]), "{query}");
        }
    }

    async fn m03_the_longest_period_is_configured(kind) {
        let setup = Setup::new(kind).variable("ESOZ_EVENTS__LIST_MAX_PERIOD_HOURS", "3");
        let reader = Reader::on(setup.start().await).await;
        let events = [at(-7_200_000), at(0)];
        reader.put(&events).await;
        assert_eq!(reader.ids("").await, ids(&events));
        let query = "?date=2026-01-31T05:16:30Z&date_to=2026-01-31T08:16:30.001Z";
        let message = "Period must be less than or equal to 3 hours. Please set allowed period to the query";
        reader.get(query).await.assert_query_fault(message, "$.date_to", "invalid", message);
    }

    async fn m03_pages_in_order(kind) {
        let reader = Reader::new(kind).await;
        // Few distinct times, so that the id decides as well.
        let mut events: Vec<LoggedEvent> = (0..12).map(|place| at(place % 3)).collect();
        reader.put(&events).await;
        events.sort_by_key(LoggedEvent::position);
        for (page, range) in [(1, 0..5), (2, 5..10), (3, 10..12), (4, 12..12)] {
            let data: Vec<Value> = events[range].iter().map(shown).collect();
            reader.get(&format!("?page={page}&page_size=5")).await.assert_list(&data, &paging(page, 5, 12, 3));
        }
        assert_eq!(reader.ids("?page_size=300").await, ids(&events));
        let last = reader.get("?page=1000000").await;
        last.assert_list(&[], &paging(1_000_000, 50, 12, 1));
    }

    async fn m04_faults(kind) {
        let reader = Reader::new(kind).await;
        let secret = "0-what-is-sent-is-not-repeated";
        for (query, faults) in [
            ("?new_value=stopped", vec![("$.attribute_name", "required")]),
            ("?new_value=", vec![("$.attribute_name", "required")]),
            ("?date=2026-01-31T08:00:00Z&date_to=2026-01-31T08:00:00Z", vec![("$.date_to", "invalid")]),
            ("?date=2026-01-31T08:00:00Z&date_to=2026-01-31T07:59:59.999Z", vec![("$.date_to", "invalid")]),
            ("?date=2026-01-31T08:00:00Z&date_to=1999-01-31T08:00:00Z", vec![("$.date_to", "invalid")]),
            ("?date=2026-01-31", vec![("$.date", "datetime")]),
            ("?date=", vec![("$.date", "datetime")]),
            ("?date_to=now", vec![("$.date_to", "datetime")]),
            ("?date=2026-02-30T00:00:00Z", vec![("$.date", "datetime")]),
            // What is not encoded is a space.
            ("?date=2026-01-31T08:00:00+02:00", vec![("$.date", "datetime")]),
            ("?date=2026-01-31+08:00:00", vec![("$.date", "datetime")]),
            ("?page=0", vec![("$.page", "number")]),
            ("?page=1000001", vec![("$.page", "number")]),
            ("?page=abc", vec![("$.page", "cast")]),
            ("?page_size=0", vec![("$.page_size", "number")]),
            ("?page_size=301", vec![("$.page_size", "number")]),
            ("?page_size=", vec![("$.page_size", "cast")]),
            ("?entity_id=1", vec![("$.entity_id", "schema")]),
            (&format!("?{secret}=1"), vec![("$", "schema")]),
            (&format!("?date={secret}"), vec![("$.date", "datetime")]),
            ("?event_type=a&event_type=b", vec![("$.event_type", "schema")]),
            ("?attribute_name=a&attribute_name=b&new_value=c", vec![("$.attribute_name", "schema")]),
            (
                "?page=0&date=x&date_to=y&new_value=z&more=1&page_size=a",
                vec![
                    ("$.date", "datetime"),
                    ("$.date_to", "datetime"),
                    ("$.attribute_name", "required"),
                    ("$.page", "number"),
                    ("$.page_size", "cast"),
                    ("$.more", "schema"),
                ],
            ),
        ] {
            let answer = reader.get(query).await;
            answer.assert_query_faults(&faults);
            assert!(!answer.body["error"].to_string().contains(secret), "{query}");
        }
        let bounds = &reader.get("?page_size=301").await.body["error"]["invalid"][0]["rules"][0]["params"];
        assert_eq!(*bounds, json!(["1", "300"]));
    }

    async fn m04_more_than_the_period(kind) {
        let reader = Reader::new(kind).await;
        let message = "Period must be less than or equal to 1 hours. Please set allowed period to the query";
        for query in [
            &format!("?date={TWO_HOURS_AGO}&date_to=2026-01-31T08:16:30Z"),
            "?date=2026-01-31T07:16:30Z&date_to=2026-01-31T08:16:30.000000001Z",
        ] {
            reader.get(query).await.assert_query_fault(message, "$.date_to", "invalid", message);
        }
        assert_eq!(reader.get("?date=2026-01-31T07:16:30Z&date_to=2026-01-31T08:16:30Z").await.status, 200);
    }

    async fn m05_there_unknown_and_no_uuid(kind) {
        let reader = Reader::new(kind).await;
        let event = with_properties(0, r#"{ "b": {"new_value": 1.50}, "a": "\u0000 Ї", "": [] }"#);
        let long_ago = LoggedEvent { event_time: "1999-12-31T23:59:59.999Z".parse().unwrap(), ..logged_event() };
        reader.put(&[event.clone(), long_ago.clone()]).await;
        for event in [event, long_ago] {
            for id in [event.id.to_string(), event.id.to_string().to_uppercase()] {
                reader.get(&format!("/{id}")).await.assert_list_of_one(&shown(&event));
            }
        }
        for id in [fresh().to_string(), "42".to_owned(), "%00".to_owned()] {
            reader.get(&format!("/{id}")).await.assert_not_found();
        }
    }

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
        let reader = Reader::on(Setup::new(kind).metrics().start().await).await;
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

    async fn m09_switched_off(kind) {
        let setup = Setup::new(kind).variable("ESOZ_EVENTS__STORE", "false");
        let reader = Reader::on(setup.start().await).await;
        let event = at(0);
        reader.put(std::slice::from_ref(&event)).await;
        for rest in [String::new(), "?page=0".to_owned(), format!("/{}", event.id), "/42".to_owned()] {
            reader.request(&rest).send().await.assert_not_found();
            reader.get(&rest).await.assert_not_found();
        }
        // All else goes on.
        assert_eq!(reader.stop.stop(&reader.app).await.status, 200);
        assert_eq!(reader.app.events_of(&reader.stop.dispense).await.len(), 1);
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
