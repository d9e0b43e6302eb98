//! Defines every metric: its name, type and help, its labels and their values.

use esoz_http::{METHODS, outcomes, route_patterns};

use crate::components::{
    COLLECTOR, KAFKA, MONGODB, MONGODB_INDEXES, POSTGRESQL, POSTGRESQL_INDEXES, REGISTRIES, SQLITE, TLS,
    TOKEN_ISSUER,
};
use crate::compose::caches::{ACCESS_TOKENS, API_KEYS, LEGAL_ENTITIES, REGISTRY_CACHES};
use crate::telemetry::instrumented_ports::{OPERATIONS, OUTCOMES};

/// The type of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A count since the start of the server.
    Counter,
    /// A current value.
    Gauge,
    /// A distribution: the count and sum of the values, and how many were at most each of these bounds.
    Histogram(&'static [f64]),
}

impl Kind {
    /// Its name in the Prometheus text format.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// A label of a metric.
#[derive(Debug, Clone, Copy)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Lists every value that it can have.
    pub values: fn() -> Vec<String>,
    /// Describes the values where they are too many to list.
    pub summary: Option<&'static str>,
}

impl Label {
    const fn new(name: &'static str, values: fn() -> Vec<String>) -> Self {
        Self { name, values, summary: None }
    }
}

/// A metric with `N` labels.
pub(crate) struct Metric<const N: usize> {
    pub(crate) name: &'static str,
    kind: Kind,
    help: &'static str,
    pub(crate) labels: [Label; N],
}

/// The description of a metric.
#[derive(Debug, Clone)]
pub struct Described {
    /// Its name, with its unit (seconds) or, for a counter, `total` at the end.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// What it measures.
    pub help: &'static str,
    /// Its labels.
    pub labels: Vec<Label>,
}

/// Defines metrics: `NAME: Kind "name" [labels] "help";`.
macro_rules! metrics {
    ($($metric:ident: $kind:ident$(($buckets:ident))? $name:literal [$($label:expr),*] $help:literal;)+) => {
        $(
            pub(crate) const $metric: Metric<{ <[&str]>::len(&[$(stringify!($label)),*]) }> =
                Metric { name: $name, kind: Kind::$kind$(($buckets))?, help: $help, labels: [$($label),*] };
        )+

        /// Every metric.
        pub fn all() -> Vec<Described> {
            vec![$({
                let Metric { name, kind, help, labels } = $metric;
                Described { name, kind, help, labels: labels.to_vec() }
            }),+]
        }
    };
}

metrics! {
    BUILD_INFO: Gauge "esoz_build_info" [VERSION]
        "Always 1; its label is the version that runs.";
    START_TIME: Gauge "process_start_time_seconds" []
        "Start time of the server, in seconds since 1970.";
    HTTP_REQUESTS: Counter "esoz_http_requests_total" [METHOD, ROUTE, STATUS]
        "Requests that have ended.";
    HTTP_REQUEST_DURATION: Histogram(REQUEST_SECONDS) "esoz_http_request_duration_seconds" [METHOD, ROUTE]
        "Duration of requests, from their head to their answer.";
    HTTP_REQUESTS_IN_FLIGHT: Gauge "esoz_http_requests_in_flight" []
        "Requests whose clients wait for an answer. Unlike `http.max_in_flight`, it counts those to `/health` and leaves out work whose client has left.";
    USE_CASE_OUTCOMES: Counter "esoz_use_case_outcomes_total" [USE_CASE, Label::new("outcome", use_case_outcomes)]
        "Use cases that have ended, by outcome: `ok` or an error.";
    UNREADABLE_RECORDS: Counter "esoz_unreadable_records_total" [Label::new("use_case", || owned(esoz_http::lists()))]
        "Records that lists left out because they cannot be read, each time. The log names table or collection, id and field.";
    COMPONENT_UP: Gauge "esoz_component_up" [Label::new("component", || owned(COMPONENTS))]
        "Whether the last health check found a component well: 1 or 0. A store, the bus, the remote issuer of tokens, or the indexes of a store.";
    TRANSPORT_VERIFIED: Gauge "esoz_transport_verified" [Label::new("component", || owned([POSTGRESQL, MONGODB, KAFKA, COLLECTOR]))]
        "Whether the connection to a server is verified: 1 if it stays on this machine, or uses TLS and checks the server's certificate and host name; else 0.";
    CERTIFICATE_EXPIRES: Gauge "esoz_certificate_expires_seconds" [Label::new("component", || owned([TLS]))]
        "Time until the certificate that the server shows to its clients expires; negative afterwards. Only with TLS.";
    STORE_OPERATION_DURATION: Histogram(STORE_SECONDS) "esoz_store_operation_duration_seconds" [CALLED, PORT, OPERATION, OUTCOME]
        "Duration of calls of the stores and the bus, by outcome. Cache hits are not among them.";
    POOL_CONNECTIONS: Gauge "esoz_pool_connections" [POOL, Label::new("state", || owned(POOL_STATES))]
        "Open connections of a pool; of SQLite, those that read.";
    POOL_CONNECTIONS_MAX: Gauge "esoz_pool_connections_max" [POOL]
        "The most connections that a pool may open; of MongoDB, to each of its servers.";
    POOL_WAITING: Gauge "esoz_pool_waiting" [POOL]
        "Calls that wait for a connection; of SQLite, queued writes; of MongoDB, finds and changes that wait for their batch.";
    POOL_WAIT: Histogram(STORE_SECONDS) "esoz_pool_wait_duration_seconds" [Label::new("store", || owned([POSTGRESQL, MONGODB]))]
        "Time that calls waited for a connection, whether they got one or timed out.";
    OUTBOX_UP: Gauge "esoz_outbox_up" []
        "Whether all outboxes could be read: 1 or 0. At 0 the other outbox metrics are unknown (NaN).";
    OUTBOX_EVENTS: Gauge "esoz_outbox_events" []
        "Events that wait for delivery, without those that were set aside. All replicas share the outboxes and report the same.";
    OUTBOX_OLDEST_AGE: Gauge "esoz_outbox_oldest_age_seconds" []
        "Age of the oldest event that waits for delivery; 0 when none waits. Events that were set aside, and those behind them, do not count.";
    OUTBOX_SET_ASIDE: Gauge "esoz_outbox_set_aside_events" []
        "Events that cannot be delivered and were set aside; later events of their entities wait behind them. `esoz events --failed` lists them.";
    JOB_RUNS: Counter "esoz_job_runs_total" [JOB, POOL, Label::new("outcome", || owned(RUN_OUTCOMES))]
        "Runs of the periodic jobs, by the store that they work on.";
    RELAY_ROUNDS: Counter "esoz_relay_rounds_total" [Label::new("outcome", || owned(ROUND_OUTCOMES))]
        "Rounds of the relay, by outcome: nothing to do, all delivered, some not delivered, some set aside, or the outbox failed.";
    RELAY_EVENTS: Counter "esoz_relay_events_total" [Label::new("outcome", || owned(EVENT_OUTCOMES))]
        "Events that were delivered, failed attempts to deliver one, and events that were set aside.";
    RELAY_DELIVERY: Histogram(DELIVERY_SECONDS) "esoz_relay_delivery_duration_seconds" []
        "Time from a change until the bus had its event.";
    EVENT_LOG_MESSAGES: Counter "esoz_event_log_messages_total" [Label::new("outcome", || owned(MESSAGE_OUTCOMES))]
        "Messages that this replica read from the topic, by outcome: an event that was stored, one that had been stored before, one of an entity type that is not stored, or no event.";
    EVENT_LOG_LAG: Gauge "esoz_event_log_lag_messages" []
        "Messages of this replica's partitions of the topic that are not committed as read. The sum over all replicas is how far the event log is behind.";
    EVENT_LOG_PARTITIONS: Gauge "esoz_event_log_partitions" []
        "Partitions of the topic that this replica reads, and whose lag it knows. If the sum over all replicas is less than the topic has, so is the sum of the lags.";
    EXPIRY_DISPENSES: Counter "esoz_expiry_dispenses_total" [Label::new("outcome", || owned(EXPIRY_OUTCOMES))]
        "Overdue device dispenses that expired, and those that were skipped because they cannot be read or changed; the latter are counted in each pass.";
    EXPIRY_OLDEST_OVERDUE: Gauge "esoz_expiry_oldest_overdue_seconds" []
        "How long the oldest device dispense was overdue when the last pass began; 0 when none was. All replicas share the dispenses.";
    LOG_LINES_DROPPED: Counter "esoz_log_lines_dropped_total" []
        "Log lines that were dropped, because standard error was not read in time or could not be written.";
    CACHE_HITS: Counter "esoz_cache_hits_total" [CACHE]
        "Lookups that a cache answered.";
    CACHE_MISSES: Counter "esoz_cache_misses_total" [CACHE]
        "Lookups that went on to the store.";
    CACHE_ENTRIES: Gauge "esoz_cache_entries" [CACHE]
        "Entries of a cache.";
}

/// From a route that calls no store to the time limit of a request, in seconds.
const REQUEST_SECONDS: &[f64] =
    &[0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// From an index lookup to a timeout, in seconds.
const STORE_SECONDS: &[f64] =
    &[0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// From a bus nearby to one that was down for an hour, in seconds.
const DELIVERY_SECONDS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0, 3_600.0];

/// The components that `/health/ready` reports.
const COMPONENTS: [&str; 8] =
    [SQLITE, POSTGRESQL, MONGODB, KAFKA, TOKEN_ISSUER, REGISTRIES, POSTGRESQL_INDEXES, MONGODB_INDEXES];

/// The states of a pooled connection.
pub(crate) const POOL_STATES: [&str; 2] = ["idle", "in_use"];

pub(crate) const IDLE: &str = "idle";
pub(crate) const DELIVERED: &str = "delivered";
pub(crate) const UNDELIVERED: &str = "undelivered";
pub(crate) const SET_ASIDE: &str = "set_aside";
pub(crate) const OUTBOX_FAILED: &str = "outbox_failed";
/// The outcomes of a round of the relay.
pub(crate) const ROUND_OUTCOMES: [&str; 5] = [IDLE, DELIVERED, UNDELIVERED, SET_ASIDE, OUTBOX_FAILED];
/// The outcomes of an event in a round.
pub(crate) const EVENT_OUTCOMES: [&str; 3] = [DELIVERED, UNDELIVERED, SET_ASIDE];

/// The outcomes of a message of the topic.
pub(crate) const MESSAGE_OUTCOMES: [&str; 4] = ["stored", "duplicate", "skipped", "malformed"];
/// The outcomes of an overdue dispense.
pub(crate) const EXPIRY_OUTCOMES: [&str; 2] = ["expired", "skipped"];

/// The names of the jobs in metrics and logs.
pub(crate) const RELAY: &str = "relay";
pub(crate) const PURGE_KEYS: &str = "purge_keys";
pub(crate) const CONSUME_EVENTS: &str = "consume_events";
pub(crate) const PURGE_EVENTS: &str = "purge_events";
pub(crate) const EXPIRE_DISPENSES: &str = "expire_dispenses";
pub(crate) const SWEEP_CONTAINERS: &str = "sweep_containers";
/// The outcomes of a job's run.
pub(crate) const RUN_OUTCOMES: [&str; 2] = ["done", "failed"];

const VERSION: Label =
    Label { summary: Some("its version"), ..Label::new("version", || owned([env!("CARGO_PKG_VERSION")])) };
const METHOD: Label = Label::new("method", || owned(METHODS));
const ROUTE: Label = Label::new("route", route_patterns);
const STATUS: Label = Label {
    summary: Some("the HTTP status; 499 when the client left before its answer"),
    ..Label::new("status", || (200..600).map(|status: u16| status.to_string()).collect())
};
const USE_CASE: Label = Label::new("use_case", || owned(outcomes().into_iter().map(|(name, _)| name)));
const CALLED: Label =
    Label::new("store", || owned([SQLITE, POSTGRESQL, MONGODB, KAFKA, TOKEN_ISSUER, REGISTRIES]));
const PORT: Label = Label::new("port", || owned(OPERATIONS.iter().map(|(port, _)| *port)));
const OPERATION: Label =
    Label::new("operation", || owned(OPERATIONS.iter().flat_map(|(_, operations)| *operations).copied()));
const OUTCOME: Label = Label::new("outcome", || owned(OUTCOMES));
const POOL: Label = Label::new("store", || owned([SQLITE, POSTGRESQL, MONGODB]));
// Not `job`: Prometheus sets that label itself.
const JOB: Label = Label::new("job_name", || {
    owned([RELAY, PURGE_KEYS, CONSUME_EVENTS, PURGE_EVENTS, EXPIRE_DISPENSES, SWEEP_CONTAINERS])
});
const CACHE: Label = Label::new("cache", || {
    owned([ACCESS_TOKENS, API_KEYS, LEGAL_ENTITIES].into_iter().chain(REGISTRY_CACHES))
});

fn use_case_outcomes() -> Vec<String> {
    owned(outcomes().into_iter().flat_map(|(_, outcomes)| outcomes))
}

/// The distinct words, in the order of their first occurrence.
fn owned(words: impl IntoIterator<Item = &'static str>) -> Vec<String> {
    let mut distinct: Vec<String> = Vec::new();
    for word in words {
        if !distinct.iter().any(|known| known == word) {
            distinct.push(word.to_owned());
        }
    }
    distinct
}
