//! What was measured, as tables of Markdown: for the terminal and for the page.

use std::fmt::Write as _;

use crate::groups::{Results, Series, WayName};
use crate::stats::Spread;

/// All that was measured.
pub(crate) fn summary(results: &Results) -> String {
    let mut text = String::new();
    if !results.throughput.is_empty() {
        text.push_str(&throughput(&results.throughput));
    }
    for note in &results.notes {
        // Nothing fails to be written into a text.
        let _ = write!(text, "\n- {note}");
    }
    text
}

fn throughput(all: &[Series]) -> String {
    let mut table = String::from(
        "| method | store | at once | way | per second | p50, ms | p99, ms | processor s per 1,000 | to L1 | to L2 |\n\
         |---|---|---:|---|---:|---:|---:|---:|---:|---:|\n",
    );
    for series in all {
        let to = |way| {
            let is_it = |other: &&Series| {
                (other.method, other.store, other.at_once, other.way)
                    == (series.method, series.store, series.at_once, way)
            };
            let other = all.iter().find(is_it).filter(|_| series.way == WayName::Esoz);
            other.and_then(|other| series.ratio_to(other, |reading| reading.outcome.per_second()))
        };
        let _ = writeln!(
            table,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            series.method.name(),
            series.store.name(),
            series.at_once,
            series.way.name(),
            median(series.per_second(), 1.0, 0),
            median(series.p50_us(), 1_000.0, 2),
            median(series.p99_us(), 1_000.0, 2),
            median(series.processor_seconds(), 1.0, 3),
            spread(to(WayName::L1)),
            spread(to(WayName::L2)),
        );
    }
    table
}

fn median(of: Option<Spread>, unit: f64, digits: usize) -> String {
    of.map(|of| format!("{:.digits$}", of.median / unit)).unwrap_or_default()
}

/// The median and how far the rounds went to either side.
fn spread(of: Option<Spread>) -> String {
    of.map(|Spread { median, min, max }| format!("{median:.2} ({min:.2}–{max:.2})")).unwrap_or_default()
}
