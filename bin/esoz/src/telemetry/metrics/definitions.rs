//! Every metric: what it is called, what it tells, and which values its labels may have.

use esoz_http::{METHODS, outcomes, route_patterns};

use crate::compose::caches;
use crate::telemetry::instrumented_ports::{COMPONENTS, OPERATIONS, OUTCOMES, STORES};

use super::collectors::{POOL_STATES, POOLS, TIMED_POOLS, WAITING_POOLS};
use super::relay::{EVENT_OUTCOMES, JOBS, ROUND_OUTCOMES, RUN_OUTCOMES};

/// What sort of number it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// How often something has happened since the start.
    Counter,
    /// How it is now.
    Gauge,
    /// How values are spread: how many were not above each of these bounds, how many there were, and their sum.
    Histogram(&'static [f64]),
}

impl Kind {
    /// The word for it in the text format of Prometheus.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// A label, and every value that it may have.
#[derive(Clone, Copy)]
pub(crate) struct Label {
    pub(crate) name: &'static str,
    values: fn() -> Vec<String>,
    /// What to say instead of its values.
    told: Option<&'static str>,
}

impl Label {
    const fn new(name: &'static str, values: fn() -> Vec<String>) -> Self {
        Self { name, values, told: None }
    }
}

/// A metric with that many labels.
pub(crate) struct Metric<const N: usize> {
    pub(crate) name: &'static str,
    kind: Kind,
    help: &'static str,
    pub(crate) labels: [Label; N],
}

/// A metric, as whoever reads about it needs it.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    /// Its name. It ends in its unit, if it has one: seconds; or in `total` when it is a counter.
    pub name: &'static str,
    /// What sort of number it is.
    pub kind: Kind,
    /// What it tells.
    pub help: &'static str,
    /// Its labels.
    pub labels: Vec<DescribedLabel>,
}

/// A label, as whoever reads about it needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedLabel {
    /// Its name.
    pub name: &'static str,
    /// Every value that it may have.
    pub values: Vec<String>,
    /// What to say where the values are too many to list.
    pub told: Option<&'static str>,
}

impl<const N: usize> Metric<N> {
    const fn new(name: &'static str, kind: Kind, labels: [Label; N], help: &'static str) -> Self {
        Self { name, kind, help, labels }
    }

    fn described(&self) -> Described {
        let Self { name, kind, help, labels } = self;
        let labels = labels.iter().map(|label| DescribedLabel {
            name: label.name,
            values: (label.values)(),
            told: label.told,
        });
        Described { name, kind: *kind, help, labels: labels.collect() }
    }
}

/// Every metric.
pub fn all() -> Vec<Described> {
    vec![
        BUILD_INFO.described(),
        START_TIME.described(),
        HTTP_REQUESTS.described(),
        HTTP_REQUEST_DURATION.described(),
        HTTP_REQUESTS_IN_FLIGHT.described(),
        USE_CASE_OUTCOMES.described(),
        COMPONENT_UP.described(),
        STORE_OPERATION_DURATION.described(),
        POOL_CONNECTIONS.described(),
        POOL_CONNECTIONS_MAX.described(),
        POOL_WAITING.described(),
        POOL_WAIT.described(),
        OUTBOX_UP.described(),
        OUTBOX_EVENTS.described(),
        OUTBOX_OLDEST_AGE.described(),
        OUTBOX_SET_ASIDE.described(),
        JOB_RUNS.described(),
        RELAY_ROUNDS.described(),
        RELAY_EVENTS.described(),
        RELAY_DELIVERY.described(),
        CACHE_HITS.described(),
        CACHE_MISSES.described(),
        CACHE_ENTRIES.described(),
    ]
}

/// From what a route answers without asking anybody to the limit of a request, in seconds.
const REQUEST_SECONDS: &[f64] =
    &[0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// From what an index answers to what only a timeout ends, in seconds.
const STORE_SECONDS: &[f64] =
    &[0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// From a bus that is near to one that was down for an hour, in seconds.
const DELIVERY_SECONDS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0, 3_600.0];

const VERSION: Label =
    Label { told: Some("its version"), ..Label::new("version", || owned([env!("CARGO_PKG_VERSION")])) };
const METHOD: Label = Label::new("method", || owned(METHODS));
const ROUTE: Label = Label::new("route", route_patterns);
const STATUS: Label = Label {
    told: Some("the HTTP status; 499 when the client left before its answer"),
    ..Label::new("status", || (200..600).map(|status: u16| status.to_string()).collect())
};
const USE_CASE: Label = Label::new("use_case", || owned(outcomes().into_iter().map(|(name, _)| name)));
const USE_CASE_OUTCOME: Label =
    Label::new("outcome", || owned(outcomes().into_iter().flat_map(|(_, outcomes)| outcomes)));
const COMPONENT: Label = Label::new("component", || owned(COMPONENTS));
const STORE: Label = Label::new("store", || owned(STORES));
const PORT: Label = Label::new("port", || owned(OPERATIONS.iter().map(|(port, _)| *port)));
const OPERATION: Label =
    Label::new("operation", || owned(OPERATIONS.iter().flat_map(|(_, operations)| *operations).copied()));
const OUTCOME: Label = Label::new("outcome", || owned(OUTCOMES));
const POOL: Label = Label::new("store", || owned(POOLS));
const POOL_STATE: Label = Label::new("state", || owned(POOL_STATES));
const ROUND_OUTCOME: Label = Label::new("outcome", || owned(ROUND_OUTCOMES));
const EVENT_OUTCOME: Label = Label::new("outcome", || owned(EVENT_OUTCOMES));
// Not `job`: Prometheus gives that one itself.
const JOB: Label = Label::new("job_name", || owned(JOBS));
const RUN_OUTCOME: Label = Label::new("outcome", || owned(RUN_OUTCOMES));
const CACHE: Label = Label::new("cache", || owned(caches::NAMES));

pub(crate) const BUILD_INFO: Metric<1> =
    Metric::new("esoz_build_info", Kind::Gauge, [VERSION], "Always 1; which version runs.");
pub(crate) const START_TIME: Metric<0> = Metric::new(
    "process_start_time_seconds",
    Kind::Gauge,
    [],
    "When the server started, in seconds since 1970.",
);
pub(crate) const HTTP_REQUESTS: Metric<3> = Metric::new(
    "esoz_http_requests_total",
    Kind::Counter,
    [METHOD, ROUTE, STATUS],
    "Requests that are over.",
);
pub(crate) const HTTP_REQUEST_DURATION: Metric<2> = Metric::new(
    "esoz_http_request_duration_seconds",
    Kind::Histogram(REQUEST_SECONDS),
    [METHOD, ROUTE],
    "How long requests took, from their head to their answer.",
);
pub(crate) const HTTP_REQUESTS_IN_FLIGHT: Metric<0> = Metric::new(
    "esoz_http_requests_in_flight",
    Kind::Gauge,
    [],
    "Requests whose clients wait for an answer. `http.max_in_flight` counts those to `/health` not, and work whose client has left as well.",
);
pub(crate) const USE_CASE_OUTCOMES: Metric<2> = Metric::new(
    "esoz_use_case_outcomes_total",
    Kind::Counter,
    [USE_CASE, USE_CASE_OUTCOME],
    "How use cases ended: well, or with which error.",
);
pub(crate) const COMPONENT_UP: Metric<1> = Metric::new(
    "esoz_component_up",
    Kind::Gauge,
    [COMPONENT],
    "Whether it answered when it was last looked at: 1 or 0.",
);
pub(crate) const STORE_OPERATION_DURATION: Metric<4> = Metric::new(
    "esoz_store_operation_duration_seconds",
    Kind::Histogram(STORE_SECONDS),
    [STORE, PORT, OPERATION, OUTCOME],
    "How long stores and the bus took for each call, by how it ended. What a cache knew is not among them.",
);
pub(crate) const POOL_CONNECTIONS: Metric<2> = Metric::new(
    "esoz_pool_connections",
    Kind::Gauge,
    [POOL, POOL_STATE],
    "Open connections of a pool. Of SQLite, those that read.",
);
pub(crate) const POOL_CONNECTIONS_MAX: Metric<1> = Metric::new(
    "esoz_pool_connections_max",
    Kind::Gauge,
    [POOL],
    "The most connections that a pool may open; of MongoDB, to each of its servers.",
);
pub(crate) const POOL_WAITING: Metric<1> = Metric::new(
    "esoz_pool_waiting",
    Kind::Gauge,
    [Label::new("store", || owned(WAITING_POOLS))],
    "Calls that wait for a connection. Of SQLite, writes that wait for their turn.",
);
pub(crate) const POOL_WAIT: Metric<1> = Metric::new(
    "esoz_pool_wait_duration_seconds",
    Kind::Histogram(STORE_SECONDS),
    [Label::new("store", || owned(TIMED_POOLS))],
    "How long calls waited for their connection, also in vain.",
);
pub(crate) const OUTBOX_UP: Metric<0> = Metric::new(
    "esoz_outbox_up",
    Kind::Gauge,
    [],
    "Whether all outboxes could be looked at: 1 or 0. At 0 nothing is known about what waits in it.",
);
pub(crate) const OUTBOX_EVENTS: Metric<0> = Metric::new(
    "esoz_outbox_events",
    Kind::Gauge,
    [],
    "Events that wait for their delivery, without those that were set aside. All replicas share the outboxes and tell the same.",
);
pub(crate) const OUTBOX_OLDEST_AGE: Metric<0> = Metric::new(
    "esoz_outbox_oldest_age_seconds",
    Kind::Gauge,
    [],
    "How long the oldest event has waited for its delivery; 0 when none waits. Events that were set aside, and those behind them, do not count.",
);
pub(crate) const OUTBOX_SET_ASIDE: Metric<0> = Metric::new(
    "esoz_outbox_set_aside_events",
    Kind::Gauge,
    [],
    "Events that cannot be delivered and were set aside; later ones of their entities wait behind them. `esoz events --failed` lists them.",
);
pub(crate) const JOB_RUNS: Metric<3> = Metric::new(
    "esoz_job_runs_total",
    Kind::Counter,
    [JOB, POOL, RUN_OUTCOME],
    "Runs of the jobs beside the requests, by the store that they work on.",
);
pub(crate) const RELAY_ROUNDS: Metric<1> = Metric::new(
    "esoz_relay_rounds_total",
    Kind::Counter,
    [ROUND_OUTCOME],
    "Rounds of the relay: nothing to do, all delivered, some not taken by the bus, some set aside, or the outbox failed.",
);
pub(crate) const RELAY_EVENTS: Metric<1> = Metric::new(
    "esoz_relay_events_total",
    Kind::Counter,
    [EVENT_OUTCOME],
    "Events that were delivered, attempts to deliver one that failed, and events that were set aside.",
);
pub(crate) const RELAY_DELIVERY: Metric<0> = Metric::new(
    "esoz_relay_delivery_duration_seconds",
    Kind::Histogram(DELIVERY_SECONDS),
    [],
    "How long events took from the change that they tell of until the bus had them.",
);
pub(crate) const CACHE_HITS: Metric<1> =
    Metric::new("esoz_cache_hits_total", Kind::Counter, [CACHE], "Lookups that a cache answered.");
pub(crate) const CACHE_MISSES: Metric<1> =
    Metric::new("esoz_cache_misses_total", Kind::Counter, [CACHE], "Lookups that went on to the store.");
pub(crate) const CACHE_ENTRIES: Metric<1> =
    Metric::new("esoz_cache_entries", Kind::Gauge, [CACHE], "Facts that a cache holds.");

/// Each once, in the order of their first coming.
fn owned(words: impl IntoIterator<Item = &'static str>) -> Vec<String> {
    let mut each: Vec<String> = Vec::new();
    for word in words {
        if !each.iter().any(|known| known == word) {
            each.push(word.to_owned());
        }
    }
    each
}
