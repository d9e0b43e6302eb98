//! The parts of the page that are made from what was measured.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};

use super::bars::Bars;
use super::{FOLDER, Report, tables};
use crate::goals::{CASES, verdicts};
use crate::groups::{Results, Series, WayName};
use crate::stats::Spread;

/// The lines between which the page is generated; what people wrote stays.
const RESULT: [&str; 2] = ["<!-- result: from here on it is generated -->", "<!-- result: to here -->"];
const MEASURED: [&str; 2] = ["<!-- measured: from here on it is generated -->", "<!-- measured: to here -->"];

const WAYS: [WayName; 3] = [WayName::L1, WayName::L2, WayName::Esoz];

/// How many clients the summary is about.
const AT_ONCE: usize = 32;

/// The page with the report in the place of the one that it had.
pub(super) fn with_report(page: &str, report: &Report) -> Result<String> {
    let page = replaced(page, RESULT, &result(report))?;
    replaced(&page, MEASURED, &measured(report))
}

/// The page with other text between two lines.
fn replaced(page: &str, [begin, end]: [&str; 2], generated: &str) -> Result<String> {
    let (before, rest) = page.split_once(begin).with_context(|| format!("the page has no line {begin}"))?;
    let (_, after) = rest.split_once(end).with_context(|| format!("the page has no line {end}"))?;
    Ok(format!("{before}{begin}\n\n{generated}\n{end}{after}"))
}

/// A plot.
pub(super) struct Plot {
    /// Its file in the folder of plots.
    pub(super) file: String,
    title: String,
    pub(super) svg: String,
}

/// The plots.
pub(super) fn plots(results: &Results) -> Vec<Plot> {
    let mut plots = Vec::new();
    for (method, store) in CASES {
        let of_case = |series: &&Series| series.method == method && series.store == store;
        let series: Vec<&Series> = results.throughput().filter(of_case).collect();
        if series.is_empty() {
            continue;
        }
        let name = format!("{}-{}", method.name(), store.name().to_lowercase());
        let what = format!("{} on {}", method.name(), store.name());
        let rate = |series: &Series| series.per_second().map(|spread| spread.median);
        let p99 = |series: &Series| series.p99_us().map(|spread| spread.median / 1_000.0);
        let mut plot = |file: String, title: String, value: &dyn Fn(&Series) -> Option<f64>| {
            let svg = bars(title.clone(), &series, value);
            plots.push(Plot { file, title, svg });
        };
        plot(format!("{name}.svg"), format!("{what}, a second"), &rate);
        plot(format!("{name}-p99.svg"), format!("{what}, p99 in ms"), &p99);
    }
    plots
}

fn bars(title: String, all: &[&Series], value: impl Fn(&Series) -> Option<f64>) -> String {
    let mut numbers: Vec<usize> = all.iter().map(|series| series.at_once).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let of = |at_once, way| all.iter().find(|series| series.at_once == at_once && series.way == way);
    let groups = numbers.into_iter().map(|at_once| {
        let values = WAYS.iter().map(|&way| of(at_once, way).and_then(|series| value(series))).collect();
        (format!("{at_once} at once"), values)
    });
    Bars { title, legend: WAYS.map(WayName::name).to_vec(), groups: groups.collect() }.svg()
}

/// What matters to somebody who wants to know how large a machine must be.
fn result(report: &Report) -> String {
    let of_machine = |name: &str| report.machine.0.iter().find(|(what, _)| what == name);
    let processor = of_machine("processor").map(|(_, which)| which.as_str()).unwrap_or_default();
    let mut text = format!(
        "With {AT_ONCE} clients at once, clients, server and database on one machine ({processor}):\n\n"
    );
    for (method, store) in CASES {
        let of = |at_once| {
            let is_it = |series: &&Series| {
                (series.method, series.store, series.at_once, series.way)
                    == (method, store, at_once, WayName::Esoz)
            };
            report.results.throughput().find(is_it)
        };
        let (Some(alone), Some(many)) = (of(1), of(AT_ONCE)) else { continue };
        let median = |spread: Option<Spread>| spread.map(|spread| spread.median).unwrap_or_default();
        // Nothing fails to be written into a text.
        let _ = writeln!(
            text,
            "- **{} {}s a second on {}**, 99 of 100 answered within {:.0} ms. 1,000 take {:.2} s of processor time in the server. To a client that \
             is alone, half of the answers come within {:.1} ms.",
            median(many.per_second()).round(),
            method.name(),
            store.name(),
            median(many.p99_us()) / 1_000.0,
            median(many.processor_seconds()),
            median(alone.p50_us()) / 1_000.0,
        );
    }
    for Plot { file, title, .. } in plots(&report.results) {
        let _ = writeln!(text, "\n![{title}: L1, L2 and esoz side by side]({FOLDER}/{file})");
    }
    text
}

/// All that was measured.
fn measured(report: &Report) -> String {
    let mut text = String::from("## What was measured\n\n| | |\n|---|---|\n");
    // Nothing fails to be written into a text.
    for (what, which) in &report.machine.0 {
        let _ = writeln!(text, "| {what} | {which} |");
    }
    let _ = writeln!(text, "\n## The goals\n\n{}", tables::goals(&verdicts(&report.results)));
    if report.results.throughput().next().is_some() {
        let _ =
            writeln!(text, "## The same work by different ways\n\n{}", tables::throughput(&report.results));
    }
    let _ = writeln!(text, "## Single figures\n\n{}", tables::figures(&report.results));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::groups::{Figure, Measured};

    #[test]
    fn what_people_wrote_stays() {
        let [begin, end] = MEASURED;
        let page = |part: &str| format!("# Title\n\nwords\n\n{begin}\n\n{part}\n{end}\n\nmore words\n");
        assert_eq!(replaced(&page("old"), MEASURED, "new").unwrap(), page("new"));
        replaced(&page("old"), RESULT, "new").unwrap_err();
    }

    #[test]
    fn a_report_shows_machine_goals_and_figures() {
        let figures = vec![Figure::new("memory", 39.0, "MiB").at_most(40.0)];
        let group = Measured { day: "2026-01-31".to_owned(), figures, ..Measured::default() };
        let machine = super::super::Machine(vec![("processor".to_owned(), "one".to_owned())]);
        let report = Report { machine, results: Results([("memory".to_owned(), group)].into()) };
        let text = measured(&report);
        for line in [
            "| processor | one |",
            "| memory: at most 40 MiB | 39.0 MiB | met |",
            "| memory | 39.0 | MiB | 2026-01-31 |",
        ] {
            assert!(text.contains(line), "no `{line}` in\n{text}");
        }
    }
}
