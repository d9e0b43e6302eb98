//! What was measured, as tables of Markdown.

use std::fmt::Write as _;

use crate::goals::{Verdict, verdicts};
use crate::groups::{Results, Series, WayName};
use crate::stats::Spread;

/// All that was measured, for the terminal.
pub(crate) fn summary(results: &Results) -> String {
    let mut text = String::from("\n");
    if results.throughput().next().is_some() {
        text.push_str(&throughput(results));
    }
    let _ = write!(text, "\n{}\n{}", figures(results), goals(&verdicts(results)));
    text
}

/// Each goal, with what came of it.
pub(super) fn goals(verdicts: &[Verdict]) -> String {
    let mut table = String::from("| goal | measured | |\n|---|---|---|\n");
    for Verdict { goal, measured, met } in verdicts {
        let met = if *met { "met" } else { "**not met**" };
        // Nothing fails to be written into a text.
        let _ = writeln!(table, "| {goal} | {measured} | {met} |");
    }
    table
}

/// Single figures, and what is to be known about them.
pub(super) fn figures(results: &Results) -> String {
    let mut table = String::from("| what | how much | of what | measured on |\n|---|---:|---|---|\n");
    for measured in results.0.values() {
        for figure in &measured.figures {
            let _ = writeln!(
                table,
                "| {} | {} | {} | {} |",
                figure.what,
                figure.shown(),
                figure.unit,
                measured.day
            );
        }
    }
    for note in results.0.values().flat_map(|measured| &measured.notes) {
        let _ = write!(table, "\n{note}\n");
    }
    table
}

/// The same work by different ways.
pub(super) fn throughput(results: &Results) -> String {
    let all: Vec<&Series> = results.throughput().collect();
    let mut table = String::from(
        "| method | store | at once | way | per second | p50, ms | p99, ms | processor s per 1,000 | to L1 | to L2 |\n\
         |---|---|---:|---|---:|---:|---:|---:|---:|---:|\n",
    );
    for series in &all {
        let to = |way| {
            let is_it = |other: &&&Series| {
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
