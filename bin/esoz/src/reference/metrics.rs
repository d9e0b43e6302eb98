use std::fmt::Write as _;

use crate::telemetry::metrics::definitions::{DescribedLabel, Kind, all};

/// Every metric, with its labels and buckets.
pub(super) fn page() -> String {
    let mut page = String::from(
        "# Metrics\n\n\
         `GET /metrics`, on the address of `metrics.bind`, answers in the text format of Prometheus (0.0.4). There is no access control on it: bind it \
         where only Prometheus reaches it. Numbers begin anew with each start of a server, and are those of one replica. Times are in seconds. \
         No label ever holds an id, a token or a path.\n\n\
         [A dashboard for Grafana](../operations/grafana-dashboard.json) and [rules for alerts](../operations/alerts.yml) are made of these.\n",
    );
    for metric in all() {
        // Writing to a text cannot fail.
        let _ = write!(page, "\n## `{}`\n\nA {}. {}\n", metric.name, metric.kind.as_str(), metric.help);
        if !metric.labels.is_empty() {
            page.push_str("\n| label | values |\n|---|---|\n");
        }
        for label in &metric.labels {
            let _ = writeln!(page, "| `{}` | {} |", label.name, values(label));
        }
        if let Kind::Histogram(bounds) = metric.kind {
            let bounds: Vec<String> = bounds.iter().map(ToString::to_string).collect();
            let _ = write!(page, "\nBuckets up to {}, +Inf.\n", bounds.join(", "));
        }
    }
    page
}

fn values(label: &DescribedLabel) -> String {
    label.told.map_or_else(
        || label.values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", "),
        str::to_owned,
    )
}
