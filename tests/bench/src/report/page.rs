//! The part of the page that is made from what was measured.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};

use super::bars::Bars;
use super::{Report, tables};
use crate::goals::{CASES, verdicts};
use crate::groups::{Results, Series, WayName};

/// Between these the page is ours; what people wrote stays.
const BEGIN: &str = "<!-- measured: from here on it is generated -->";
const END: &str = "<!-- measured: to here -->";

const WAYS: [WayName; 3] = [WayName::L1, WayName::L2, WayName::Esoz];

/// The page with that in the place of what was generated before.
pub(super) fn with_results(page: &str, generated: &str) -> Result<String> {
    let (before, rest) = page.split_once(BEGIN).with_context(|| format!("the page has no line {BEGIN}"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("the page has no line {END}"))?;
    Ok(format!("{before}{BEGIN}\n\n{generated}\n{END}{after}"))
}

/// The plots: names of files, and what is in them.
pub(super) fn plots(results: &Results) -> Vec<(String, String)> {
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
        plots.push((format!("{name}.svg"), bars(format!("{what}, a second"), &series, rate)));
        plots.push((format!("{name}-p99.svg"), bars(format!("{what}, p99 in ms"), &series, p99)));
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

/// The text.
pub(super) fn text(report: &Report, plots: &[String]) -> String {
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
    for plot in plots {
        let _ = writeln!(text, "![{}]({plot})\n", plot.trim_end_matches(".svg").replace(['/', '-'], " "));
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
        let page = format!("# Title\n\nwords\n\n{BEGIN}\n\nold\n{END}\n\nmore words\n");
        let once = with_results(&page, "new").unwrap();
        assert_eq!(once, format!("# Title\n\nwords\n\n{BEGIN}\n\nnew\n{END}\n\nmore words\n"));
        assert_eq!(with_results(&once, "new").unwrap(), once);
        assert!(with_results("# Title\n", "new").is_err());
    }

    #[test]
    fn a_report_shows_machine_goals_and_figures() {
        let figures = vec![Figure::new("memory", 39.0, "MiB").at_most(40.0)];
        let measured = Measured { day: "2026-01-31".to_owned(), figures, ..Measured::default() };
        let machine = super::super::Machine(vec![("processor".to_owned(), "one".to_owned())]);
        let report = Report { machine, results: Results([("memory".to_owned(), measured)].into()) };
        let text = text(&report, &[]);
        for line in [
            "| processor | one |",
            "| memory: at most 40 MiB | 39.0 MiB | met |",
            "| memory | 39.0 | MiB | 2026-01-31 |",
        ] {
            assert!(text.contains(line), "no `{line}` in\n{text}");
        }
    }
}
