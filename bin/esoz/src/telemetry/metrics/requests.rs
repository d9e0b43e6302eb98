//! Metrics of requests.

use std::sync::Arc;

use ::metrics::{Gauge, SharedString};
use esoz_http::{Observer, RequestEnded};

use super::definitions::{
    HTTP_REQUEST_DURATION, HTTP_REQUESTS, HTTP_REQUESTS_IN_FLIGHT, UNREADABLE_RECORDS, USE_CASE_OUTCOMES,
};
use super::{Metrics, NO_LABELS};

/// Counts and times requests.
pub(crate) struct Requests {
    metrics: Arc<Metrics>,
    in_flight: Gauge,
}

impl Requests {
    pub(crate) fn new(metrics: &Arc<Metrics>) -> Self {
        for (operation, outcomes) in esoz_http::outcomes() {
            for outcome in outcomes {
                drop(metrics.counter_from_zero(&USE_CASE_OUTCOMES, [operation, outcome]));
            }
        }
        for list in esoz_http::lists() {
            drop(metrics.counter_from_zero(&UNREADABLE_RECORDS, [list]));
        }
        Self { metrics: metrics.clone(), in_flight: metrics.gauge(&HTTP_REQUESTS_IN_FLIGHT, NO_LABELS) }
    }
}

impl Observer for Requests {
    fn request_began(&self) {
        self.in_flight.increment(1);
    }

    fn request_ended(&self, request: &RequestEnded) {
        self.in_flight.decrement(1);
        let method: SharedString = request.method.into();
        let route: SharedString = request.route.clone().into();
        let labels = [method.clone(), route.clone()];
        self.metrics.histogram(&HTTP_REQUEST_DURATION, labels).record(request.elapsed.as_secs_f64());
        let labels = [method, route, request.status.to_string().into()];
        self.metrics.counter(&HTTP_REQUESTS, labels).increment(1);
    }

    fn operation_ended(&self, operation: &'static str, outcome: &'static str) {
        self.metrics.counter(&USE_CASE_OUTCOMES, [operation, outcome]).increment(1);
    }

    fn record_unreadable(&self, operation: &'static str) {
        self.metrics.counter(&UNREADABLE_RECORDS, [operation]).increment(1);
    }
}
