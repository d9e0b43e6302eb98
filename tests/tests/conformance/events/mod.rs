//! M01 to M05, M08 and M09: the event log is read, and forgets what is old.

mod filters;
mod read;
mod retention;
mod validation;

use esoz_auth::{NewAccessToken, Scope, Secret};
use esoz_events::{LoggedEvent, Properties, wire};
use esoz_testkit::builders::{at_millis, logged_event};
use esoz_testkit::wait::wait_for;
use esoz_tests::{Answer, DEADLINE, Kind, Request, StopFixture, TestApp};
use reqwest::Method;
use serde_json::{Value, json};

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
