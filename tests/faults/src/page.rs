//! The table of results in the book.

use std::path::Path;

use anyhow::{Context as _, Result};
use esoz_kernel::Clock as _;
use esoz_kernel::system::SystemClock;

use crate::plot;
use crate::report::Report;

/// The page.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/explanation/faults.md");
/// Its table as a picture.
const PLOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/explanation/faults.svg");
const BEGIN: &str = "<!-- results: written by `cargo xtask faults --write` -->";
const END: &str = "<!-- end of results -->";
const HEAD: &str = "| scenario | operations | acknowledged | unanswered, resolved | kills | events, repeated | audit rows | longest silence | found | on |";
const RULE: &str = "|---|--:|--:|--:|--:|--:|--:|--:|---|---|";

/// Puts the results of a run in the place of those of the same scenarios, and draws them. Those of others stay.
///
/// # Errors
/// When the page cannot be written, or has no place for them.
pub fn write(reports: &[Report], run: &str) -> Result<()> {
    let path = Path::new(PAGE);
    let page = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let (before, rest) = page.split_once(BEGIN).context("the page has no place where results begin")?;
    let (known, after) = rest.split_once(END).context("the page has no place where results end")?;
    let today = SystemClock.now().to_string();
    let today = today.split('T').next().unwrap_or_default();
    let results = results(known, reports, today, run);
    std::fs::write(PLOT, plot::drawing(&results)).with_context(|| format!("writing {PLOT}"))?;
    let page = format!("{before}{BEGIN}\n{results}\n{END}{after}");
    std::fs::write(path, page).with_context(|| format!("writing {}", path.display()))
}

fn results(known: &str, reports: &[Report], today: &str, run: &str) -> String {
    let is_row = |line: &&str| line.starts_with("| ") && *line != HEAD;
    let mut rows: Vec<String> = known.lines().filter(is_row).map(str::to_owned).collect();
    for report in reports {
        let row = row(report, today);
        match rows.iter_mut().find(|known| scenario(known) == report.name) {
            Some(known) => *known = row,
            None => rows.push(row),
        }
    }
    format!("\nThe last run: {today}, {run}.\n\n{HEAD}\n{RULE}\n{}\n", rows.join("\n"))
}

fn row(report: &Report, today: &str) -> String {
    let found = if report.passed() { String::from("nothing") } else { report.findings.len().to_string() };
    let told: Vec<&str> = std::iter::once(&report.name).chain(&report.notes).map(String::as_str).collect();
    format!(
        "| {} | {} | {} | {}, {} | {} | {}, {} | {} | {} | {found} | {today} |",
        told.join("; "),
        report.operations,
        report.acknowledged,
        report.unanswered,
        report.resolved,
        report.kills,
        report.events,
        report.repeated,
        report.audited,
        report.silence(),
    )
}

/// Of which scenario a row is.
fn scenario(row: &str) -> &str {
    row.trim_start_matches("| ").split([';', '|']).next().unwrap_or_default().trim()
}

/// The machine, as far as it matters: cores and memory.
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes = memory.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok());
    format!(
        "{cores} cores, {} GB of memory, clients and stores on the same machine",
        kilobytes.unwrap_or_default() / 1_000_000
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_is_that_of_the_table() {
        let page = std::fs::read_to_string(PAGE).unwrap();
        let (_, rest) = page.split_once(BEGIN).unwrap();
        let (table, _) = rest.split_once(END).unwrap();
        let committed = std::fs::read_to_string(PLOT).unwrap_or_default();
        assert!(
            committed == plot::drawing(table),
            "`cargo xtask faults --write` draws docs/explanation/faults.svg"
        );
    }

    #[test]
    fn a_scenario_that_was_run_again_replaces_its_own_row_alone() {
        // Given the results of two scenarios
        let of = |name: &str, operations| Report { name: name.to_owned(), operations, ..Report::default() };
        let with_note = Report { notes: vec![String::from("6 times")], ..of("kill, 1", 1) };
        let known = results("", &[with_note, of("kill, 12", 2)], "2026-11-22", "seed 1");

        // When the first and a new one are run on another day
        let page = results(&known, &[of("kill, 1", 3), of("soak", 4)], "2026-11-23", "seed 2");

        // Then the second is as it was
        let expected = format!(
            "\nThe last run: 2026-11-23, seed 2.\n\n{HEAD}\n{RULE}\n\
             | kill, 1 | 3 | 0 | 0, 0 | 0 | 0, 0 | 0 | not kept | nothing | 2026-11-23 |\n\
             | kill, 12 | 2 | 0 | 0, 0 | 0 | 0, 0 | 0 | not kept | nothing | 2026-11-22 |\n\
             | soak | 4 | 0 | 0, 0 | 0 | 0, 0 | 0 | not kept | nothing | 2026-11-23 |\n"
        );
        assert_eq!(page, expected);
    }
}
